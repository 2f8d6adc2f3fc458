/** What strangers, mad clients and false managers do. */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import path from 'node:path';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import { segments, SharedMemory, SharedMemoryManager } from 'shmkit';
import type { ManagerOptions } from 'shmkit';

import { answered, framed, managerOf, Raw, socketPath } from '../../fixtures/managers.js';
import { exists, freshName, segmentPath } from '../../fixtures/segments.js';

const KEY = 'key';
/** `pickle.dumps((None, method, (argument,), {}))` */
const request = (method: string, argument?: string): Buffer => {
  const text = (it: string): string => `\x8c${String.fromCharCode(Buffer.byteLength(it))}${it}`;
  const args = argument === undefined ? ')' : `${text(argument)}\x85`;
  return framed(`\x80\x04(N${text(method)}${args}}t.`);
};

const bad: Record<string, Buffer> = {
  garbage: Buffer.from('GET / HTTP/1.1\r\n\r\n'),
  'a length of 2 GB': Buffer.from([0x7f, 0xff, 0xff, 0xff, 0, 0]),
  'a length of more': Buffer.from('ffffffff7fffffffffffffff', 'hex'),
  'a negative length': Buffer.from([0x80, 0, 0, 0]),
  'more than strangers may say': framed('x'.repeat(257)),
  'a wrong answer': framed('something bogus'),
  'an empty answer': framed(''),
  'the answer to nothing': framed(Buffer.concat([Buffer.from('{sha256}'), Buffer.alloc(32)])),
};
for (const [what, bytes] of Object.entries(bad)) {
  test(`a manager that hears ${what} ends that connection, and no other`, async (t) => {
    const manager = await managerOf(t, { authkey: KEY });
    const stranger = new Raw(t, manager.address);
    stranger.send(bytes);
    await stranger.end();
    t.deepEqual(await manager.names(), []);
  });
}

test('a client that stops in the middle holds up nobody, and is let go of', async (t) => {
  const manager = await managerOf(t, { authkey: KEY });
  const silent = new Raw(t, manager.address);
  const half = new Raw(t, manager.address);
  half.send(framed('x'.repeat(60)).subarray(0, 10));
  const met = new Raw(t, manager.address);
  met.send(framed(answered((await met.message())!, KEY)));
  const friend = new Raw(t, manager.address);
  await friend.introduce(KEY);
  friend.send(request('list_segments').subarray(0, 9));
  // One that asks and does not read the answers.
  const deaf = new Raw(t, manager.address);
  await deaf.introduce(KEY);
  deaf.socket.pause();
  for (let i = 0; i < 40_000; i++) deaf.send(request('list_segments'));
  const { name } = await manager.sharedMemory(1);
  t.deepEqual(await manager.names(), [name]);
  const idle = new Raw(t, manager.address);
  await idle.introduce(KEY);
  await Promise.all([silent.end(), half.end(), met.end(), friend.end()]);
  t.deepEqual(await manager.names(), [name]);
  idle.send(request('list_segments'));
  t.true((await idle.message())!.includes(name), 'who has nothing to do may stay');
});

test('a thousand connections do not take a manager down', async (t) => {
  const manager = await managerOf(t, { authkey: KEY });
  const many = Array.from({ length: 1000 }, () => new Raw(t, manager.address));
  await Promise.all(many.map((one) => one.message()));
  const { name } = await manager.sharedMemory(1);
  await using client = await new SharedMemoryManager({ address: manager.address, authkey: KEY }).connect();
  t.deepEqual(await client.names(), [name]);
});

test('a pickle that is a program is not carried out', async (t) => {
  const manager = await managerOf(t, { authkey: KEY });
  const { name } = await manager.sharedMemory(1);
  const file = freshName(t);
  const command = `touch ${segmentPath(file)}`;
  const wicked = [
    `cos\nsystem\n(S'${command}'\ntR.`,
    `\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c${String.fromCharCode(command.length)}${command}\x85R.`,
    // As an argument of a request.
    `\x80\x04(N\x8c\x06createcos\nsystem\n(S'${command}'\ntR\x85}t.`,
    'garbage',
    '',
    `${')'}${'\x85'.repeat(60_000)}.`,
  ];
  for (const pickle of wicked) {
    const client = new Raw(t, manager.address);
    await client.introduce(KEY);
    client.send(framed(pickle));
    const reply = await client.message();
    t.true(reply!.includes('#TRACEBACK') && reply!.includes('ERR_SHM_PROTOCOL'), pickle.slice(0, 20));
    await client.end();
  }
  const client = new Raw(t, manager.address);
  await client.introduce(KEY);
  client.send(framed('x'.repeat(70_000)));
  await client.end();
  t.false(exists(file));
  t.deepEqual(await manager.names(), [name]);
});

test('what a mad client names is no path', async (t) => {
  const manager = await managerOf(t, { authkey: KEY });
  const theirs = SharedMemory.create(8, { name: freshName(t) });
  t.teardown(() => theirs.close());
  const folder = freshName(t);
  const client = new Raw(t, manager.address);
  await client.introduce(KEY);
  for (const name of ['../../etc/passwd', '..', '', '.shmkit-0', 'a\0b', folder, 'x'.repeat(255)]) {
    client.send(request('track_segment', name));
    t.true((await client.message())!.includes('#TRACEBACK'), name);
  }
  for (const name of [theirs.name, '../../etc/passwd', '', '.shmkit-0']) {
    client.send(request('release_segment', name));
    t.true((await client.message())!.includes('#TRACEBACK'), name);
  }
  for (const method of ['create', '__init__', 'serve_forever', 'dummy', 'get_methods', 'incref']) {
    client.send(request(method, 'x'));
    t.true((await client.message())!.includes('#TRACEBACK'), method);
  }
  client.send(request('accept_connection', 'MainThread'));
  t.true((await client.message())!.includes('#RETURN'));
  // Twice is once.
  for (let i = 0; i < 2; i++) {
    client.send(request('track_segment', `/${theirs.name}`));
    t.true((await client.message())!.includes('#RETURN'));
  }
  t.deepEqual(await manager.names(), [theirs.name]);
  theirs.unlink();
});

/** Something that listens, and is no manager of ours. */
async function impostor(
  t: ExecutionContext,
  meet: (raw: Raw, socket: Socket) => unknown,
  timeout = 20_000,
): Promise<ManagerOptions> {
  const address = socketPath(t);
  const server: Server = createServer(async (socket) => {
    try {
      await meet(new Raw(t, socket), socket);
    } catch {
      // The client has ended it in the middle.
    }
  });
  t.teardown(() => server.close());
  await new Promise<void>((resolve) => server.listen(address, resolve));
  return { address, authkey: KEY, timeout };
}

const challenge = Buffer.concat([Buffer.from('#CHALLENGE#{sha256}'), Buffer.alloc(40, 7)]);
/** Shows a client that it knows the key, and answers with this. */
const genuine = async (raw: Raw, ...replies: string[]): Promise<void> => {
  raw.send(framed(challenge));
  await raw.message();
  raw.send(framed('#WELCOME#'));
  raw.send(framed(answered((await raw.message())!, KEY)));
  await raw.message();
  for (const reply of replies) {
    await raw.message();
    raw.send(framed(reply));
  }
};
const NOTHING = '\x80\x04\x8c\x07#RETURNN\x86.';

const impostors: [string, string, (raw: Raw, socket: Socket) => unknown][] = [
  ['says nothing', 'ERR_SHM_TIMEOUT', () => undefined],
  ['ends it at once', 'ECONNRESET', (_, socket) => socket.destroy()],
  ['says something else', 'ERR_SHM_PROTOCOL', (raw) => raw.send(Buffer.from('HTTP/1.1 400 Bad Request\r\n'))],
  ['says nothing of a challenge', 'ERR_SHM_PROTOCOL', (raw) => raw.send(framed('something bogus'))],
  ['announces 2 GB', 'ERR_SHM_PROTOCOL', (raw) => raw.send(bad['a length of more']!)],
  ['stops after its challenge', 'ERR_SHM_TIMEOUT', (raw) => raw.send(framed(challenge))],
  [
    'does not know the key',
    'ERR_SHM_AUTH',
    (raw) => [challenge, '#WELCOME#', 'something bogus'].forEach((it) => raw.send(framed(it))),
  ],
  [
    'sends back what it heard',
    'ERR_SHM_AUTH',
    async (raw) => {
      raw.send(framed(challenge));
      const first = (await raw.message())!;
      raw.send(framed('#WELCOME#'));
      raw.send(framed(first));
    },
  ],
  ['replies with garbage', 'ERR_SHM_PROTOCOL', (raw) => genuine(raw, 'garbage')],
  ['replies with a program', 'ERR_SHM_PROTOCOL', (raw) => genuine(raw, "cos\nsystem\n(S'true'\ntR.")],
  [
    'replies with a failure',
    'ERR_SHM_MANAGER',
    (raw) => genuine(raw, '\x80\x04\x8c\x0a#TRACEBACK\x8c\x03Why\x86.'),
  ],
  ['never replies', 'ERR_SHM_TIMEOUT', (raw) => genuine(raw)],
];
for (const [what, code, meet] of impostors) {
  test(`what listens ${what}: ${code}`, async (t) => {
    const timeout = code === 'ERR_SHM_TIMEOUT' ? 300 : undefined;
    const client = new SharedMemoryManager(await impostor(t, meet, timeout));
    await t.throwsAsync(client.connect(), { code });
  });
}

test.serial('a manager that fails later leaves nothing of what was made for it', async (t) => {
  let met = 0;
  const options = await impostor(
    t,
    (raw, socket) => {
      if (++met === 1) return genuine(raw, NOTHING);
      if (met === 2) return genuine(raw, '\x80\x04\x8c\x0a#TRACEBACK\x8c\x03Why\x86.');
      if (met === 3) return genuine(raw);
      return socket.destroy();
    },
    1000,
  );
  const client = await new SharedMemoryManager(options).connect();
  const mine = (): number => segments().filter(({ owners }) => owners.includes(process.pid)).length;
  const before = mine();
  await t.throwsAsync(client.sharedMemory(1), { code: 'ERR_SHM_MANAGER', message: /Why/ });
  await t.throwsAsync(client.shareableList([1]), { code: 'ERR_SHM_TIMEOUT' });
  await t.throwsAsync(client.array(1), { code: 'ECONNRESET' });
  await t.throwsAsync(client.dict(), { code: 'ECONNRESET' });
  t.is(mine(), before);
});

test.serial(
  'a manager that is dead and forgotten when it has just answered owns nothing: all is taken back',
  async (t) => {
    const tracked = `\x80\x04\x8c\x07#RETURN\x8c\x20${'0'.repeat(32)}\x86.`;
    const client = await new SharedMemoryManager(
      await impostor(t, (raw) => genuine(raw, tracked, tracked, tracked)),
    ).connect();
    const before = segments().filter(({ owners }) => owners.includes(process.pid)).length;
    await t.throwsAsync(client.sharedMemory(1), { code: 'ECONNRESET' });
    await t.throwsAsync(client.dict(), { code: 'ECONNRESET' });
    t.is(segments().filter(({ owners }) => owners.includes(process.pid)).length, before);
  },
);

test('an answer that nobody asked for is not taken for the next one', async (t) => {
  const answer = (text: string): Buffer => framed(`\x80\x04\x8c\x07#RETURN\x8c\x03${text}\x86.`);
  let met = 0;
  const options = await impostor(t, async (raw) => {
    await genuine(raw);
    await raw.message();
    raw.send(++met === 1 ? Buffer.concat([answer('one'), answer('old')]) : answer('two'));
  });
  const client = await new SharedMemoryManager(options).connect();
  t.deepEqual(await client.names(), ['two']);
});

test('an address that cannot be had is an error, and the manager may be started after it', async (t) => {
  const manager = await managerOf(t, { address: socketPath(t), authkey: KEY });
  const { address } = manager;
  const start = (options: ManagerOptions) => new SharedMemoryManager(options).start();
  await t.throwsAsync(start({ address }), { code: 'EADDRINUSE', message: /another process listens/ });
  t.deepEqual(await manager.names(), [], 'the one that was there is unharmed');
  const file = `${String(address)}.file`;
  writeFileSync(file, 'kept');
  await t.throwsAsync(start({ address: file }), { code: 'EADDRINUSE' });
  await t.throwsAsync(start({ address: '/no/such/folder/socket' }), { code: 'ENOENT' });
  await t.throwsAsync(start({ address: `/tmp/${'x'.repeat(200)}` }), { code: 'ENAMETOOLONG' });
  const tcp = await managerOf(t, { address: { host: '127.0.0.1', port: 0 } });
  await t.throwsAsync(start({ address: tcp.address }), { code: 'EADDRINUSE' });
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.org', '']) {
    await t.throwsAsync(start({ address: { host, port: 0 } }), { code: 'ERR_INVALID_ARG_VALUE' });
  }

  const connect = (options: ManagerOptions) => new SharedMemoryManager(options).connect();
  await t.throwsAsync(connect({ address: '/no/such/socket', authkey: KEY }), { code: 'ENOENT' });
  await t.throwsAsync(connect({ address: `/tmp/${'x'.repeat(200)}`, authkey: KEY }), {
    code: 'ENAMETOOLONG',
  });
  await t.throwsAsync(connect({ address: file, authkey: KEY }), { code: 'ECONNREFUSED' });
  const { address: port } = tcp;
  await tcp.shutdown();
  await t.throwsAsync(connect({ address: port, authkey: KEY }), { code: 'ECONNREFUSED' });
  await t.throwsAsync(connect({ address }), { code: 'ERR_INVALID_ARG_VALUE' });
  await t.throwsAsync(connect({ authkey: KEY }), { code: 'ERR_INVALID_ARG_VALUE' });

  const retried = new SharedMemoryManager({ address });
  await t.throwsAsync(retried.start(), { code: 'EADDRINUSE' });
  await manager.shutdown();
  await retried.start();
  await retried.shutdown();
});

test('a relative path is one from here', async (t) => {
  const address = path.relative('.', socketPath(t));
  const manager = await managerOf(t, { address });
  t.is(manager.address, path.resolve(address));
});

test('options are checked before anything is done', (t) => {
  const make = (options: unknown) => () => new SharedMemoryManager(options as ManagerOptions);
  for (const options of [
    null,
    5,
    { adress: 'x' },
    { address: 5 },
    { address: null },
    { address: { host: 'x' } },
  ]) {
    t.throws(make(options), { code: 'ERR_INVALID_ARG_TYPE' });
  }
  for (const options of [
    { address: { host: 1, port: 1 } },
    { address: { host: 'x', port: '1' } },
    { authkey: 5 },
  ]) {
    t.throws(make(options), { code: 'ERR_INVALID_ARG_TYPE' });
  }
  for (const options of [
    { address: '' },
    { address: 'a\0b' },
    { address: { host: 'localhost', port: 65_536 } },
    { authkey: '' },
    { authkey: new Uint8Array(5000) },
    { timeout: -1 },
  ]) {
    t.throws(make(options), { code: 'ERR_OUT_OF_RANGE' });
  }
});

test('what a manager makes takes no options that mean nothing', async (t) => {
  const manager = await managerOf(t);
  const message = 'there is no option "name" here, nor any other';
  for (const make of [
    (...rest: object[]) => manager.sharedMemory(...([10, ...rest] as [number])),
    (...rest: object[]) => manager.shareableList(...([[], ...rest] as [[]])),
    (...rest: object[]) => manager.dict(...(rest as [])),
  ]) {
    await t.throwsAsync(make({ name: 'mine' }), { code: 'ERR_INVALID_ARG_TYPE', message });
    (await make({})).close();
  }
  const array = manager.array(2, { name: 'mine' } as object);
  await t.throwsAsync(array, { code: 'ERR_INVALID_ARG_TYPE', message: /; there are: dtype$/ });
  t.is((await manager.names()).length, 3);
});

test('the key is copied', async (t) => {
  const authkey = Buffer.from('key of the test');
  const manager = new SharedMemoryManager({ authkey });
  authkey.fill(0);
  t.teardown(() => manager.shutdown());
  await manager.start();
  const options = { address: manager.address, authkey: 'key of the test' };
  await using client = await new SharedMemoryManager(options).connect();
  t.deepEqual(await client.names(), []);
});
