/** The life of managers, and of what they own. */
import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { inspect } from 'node:util';
import { Worker } from 'node:worker_threads';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import {
  attach,
  segments,
  ShareableList,
  SharedArray,
  SharedDict,
  SharedMemory,
  SharedMemoryManager,
} from 'shmkit';

import { isOver, managerOf, managersOf, serverOf, socketPath } from '../../fixtures/managers.js';
import { Program } from '../../fixtures/program.js';
import { exists } from '../../fixtures/segments.js';
import { until } from '../../fixtures/wait.js';

/** Managers of a process of its own, which other tests do not count. */
const inProgram = (t: ExecutionContext, code: string): Program =>
  Program.node(
    t,
    `const manager = await new SharedMemoryManager({ authkey: 'key' }).start();
     const kept = [await manager.sharedMemory(64), await manager.dict()];
     say(JSON.stringify([manager.address, ...kept.map(({ name }) => name)]));
     ${code}`,
  );

async function facts(program: Program): Promise<{ address: string; names: string[]; server: number }> {
  const [address, ...names] = JSON.parse((await program.says())!) as [string, ...string[]];
  return { address, names, server: managersOf(program.pid)[0]! };
}

const isGone = (pid: number): boolean => statSync(`/proc/${pid}`, { throwIfNoEntry: false }) === undefined;

test('a manager shows where it is, and not its key', async (t) => {
  const manager = new SharedMemoryManager({ authkey: 'secret' });
  t.is(inspect(manager), 'SharedMemoryManager(new)');
  await manager.start();
  t.is(inspect(manager), `SharedMemoryManager('${String(manager.address)}', started)`);
  await manager.shutdown();
  t.regex(inspect(manager), /, shut down\)$/);
  const address = { host: 'localhost', port: 5000 };
  t.is(inspect(new SharedMemoryManager({ address })), "SharedMemoryManager('localhost:5000', new)");
});

test('what a manager hands out is its own, and goes with it', async (t) => {
  const manager = new SharedMemoryManager();
  for (const act of [
    () => manager.sharedMemory(1),
    () => manager.shareableList([]),
    () => manager.dict(),
    () => manager.array(1),
    () => manager.names(),
    () => manager.release('x'),
  ]) {
    await t.throwsAsync(act, { code: 'ERR_SHM_NOT_STARTED' });
  }
  t.throws(() => manager.address, { code: 'ERR_SHM_NOT_STARTED' });

  t.is(await manager.start(), manager);
  const shm = await manager.sharedMemory(100);
  t.is(shm.size, 100);
  const large = await manager.sharedMemory(2 ** 21);
  const list = await manager.shareableList(Array.from({ length: 9 }, (_, i) => i));
  t.is(list.length, 9);
  const dict = await manager.dict<number>();
  dict.set('a', 1);
  t.is(SharedDict.attach<number>(dict.name).get('a'), 1);
  const array = await manager.array([2, 3], { dtype: 'int16' });
  t.deepEqual([...SharedArray.attach(array.name).shape], [2, 3]);
  const made = [shm, large, list, dict, array];
  const names = made.map(({ name }) => name);
  t.deepEqual(await manager.names(), names);
  t.true(names.every(exists));

  const infos = segments().filter(({ name }) => names.includes(name));
  const server = serverOf(shm.name);
  t.deepEqual(
    infos.map(({ owners }) => owners),
    made.map(() => [server]),
    'the server process and nobody else owns them',
  );

  await manager.shutdown();
  t.deepEqual(names.filter(exists), []);
  t.true(isGone(server));
  for (const { name } of made) t.throws(() => SharedMemory.attach(name), { code: 'ENOENT' });
  t.is(list.get(8), 8, 'who is attached stays attached');
  await t.throwsAsync(manager.names(), { code: 'ERR_SHM_CLOSED' });
  await t.throwsAsync(manager.start(), { code: 'ERR_SHM_CLOSED' });
  await manager.shutdown();
});

test('a manager is used by `await using`, started before or not', async (t) => {
  let name: string;
  {
    await using manager = await new SharedMemoryManager().start();
    ({ name } = await manager.sharedMemory(1));
    t.true(exists(name));
  }
  t.false(exists(name));
  await using idle = new SharedMemoryManager();
  t.truthy(idle);
});

test('a manager is started once', async (t) => {
  const manager = await managerOf(t);
  await t.throwsAsync(manager.start(), { code: 'ERR_SHM_STARTED' });
  const other = new SharedMemoryManager({ address: manager.address, authkey: 'x' });
  const starting = new SharedMemoryManager();
  const first = starting.start();
  await t.throwsAsync(starting.start(), { code: 'ERR_SHM_STARTED' });
  await first;
  await starting.shutdown();
  await t.throwsAsync(other.connect(), { code: 'ERR_SHM_AUTH' });
  await t.throwsAsync(other.connect(), { code: 'ERR_SHM_AUTH' }, 'and may be tried again');
});

for (const kind of ['a socket', 'a port']) {
  test(`a manager is started again at its address, by ${kind}`, async (t) => {
    let address = kind === 'a socket' ? socketPath(t) : { host: 'localhost', port: 0 };
    for (let round = 0; round < 3; round++) {
      await using manager = await new SharedMemoryManager({ address, authkey: 'key' }).start();
      address = manager.address as typeof address;
      await using client = await new SharedMemoryManager({ address, authkey: 'key' }).connect();
      t.deepEqual(await client.names(), []);
      const { name } = await client.sharedMemory(10);
      t.deepEqual(await manager.names(), [name]);
    }
  });
}

test('nobody else can look into the folder of its socket', async (t) => {
  const { address } = await managerOf(t);
  t.is(statSync(dirname(address as string)).mode & 0o077, 0);
  t.is(statSync(address as string).mode & 0o077, 0);
  const manager = await managerOf(t, { address: socketPath(t) });
  t.is(statSync(manager.address as string).mode & 0o077, 0);
});

test('the key is in no command line and no environment', async (t) => {
  const authkey = 'a-key-that-nobody-sees';
  const manager = await managerOf(t, { authkey });
  const { name } = await manager.sharedMemory(1);
  const server = serverOf(name);
  t.false(readFileSync(`/proc/${server}/cmdline`, 'utf8').includes(authkey));
  t.is(readFileSync(`/proc/${server}/environ`, 'utf8'), '');
});

test('one segment is released, or unlinked by who has it', async (t) => {
  const manager = await managerOf(t);
  const [a, b, c] = [
    await manager.sharedMemory(1),
    await manager.sharedMemory(1),
    await manager.sharedMemory(1),
  ];
  await manager.release(a!);
  t.false(exists(a!.name));
  b!.unlink();
  t.deepEqual(await manager.names(), [c!.name]);
  await manager.release(c!.name);
  t.deepEqual(await manager.names(), []);
  await t.throwsAsync(manager.release(c!), { code: 'ERR_SHM_MANAGER', message: /none of this manager's/ });
  await t.throwsAsync(manager.release(5 as never), { code: 'ERR_INVALID_ARG_TYPE' });
});

test('many requests at a time', async (t) => {
  const manager = await managerOf(t);
  const made = await Promise.all(Array.from({ length: 300 }, () => manager.sharedMemory(8)));
  t.deepEqual((await manager.names()).sort(), made.map(({ name }) => name).sort());
});

test('what cannot be made is an error, and the manager goes on', async (t) => {
  const manager = await managerOf(t);
  await t.throwsAsync(manager.sharedMemory(0), { code: 'ERR_OUT_OF_RANGE' });
  await t.throwsAsync(manager.sharedMemory(2 ** 52));
  await t.throwsAsync(manager.array([1], { dtype: 'float65' as never }));
  await t.throwsAsync(manager.shareableList([{} as never]), { code: 'ERR_INVALID_ARG_TYPE' });
  t.deepEqual(await manager.names(), []);
});

test('a client has the same objects, and leaves them to the manager when it ends', async (t) => {
  const manager = await managerOf(t, { authkey: 'key' });
  const code = `const manager = new SharedMemoryManager({ address: '${String(manager.address)}', authkey: 'key' });
    await manager.connect();
    const list = await manager.shareableList([1, 2]);
    attach(list.toJSON()).set(0, 5);
    say(list.name);
    if ((await told()) === 'kill yourself') process.kill(process.pid, 'SIGKILL');
    process.exit();`;
  for (const how of ['end', 'kill yourself']) {
    const program = Program.node(t, code);
    const name = (await program.says())!;
    program.tell(how);
    t.is(await program.ends(), how === 'end' ? 0 : 'SIGKILL');
    t.is(ShareableList.attach(name).get(0), 5);
    t.true((await manager.names()).includes(name));
  }
  await using client = await new SharedMemoryManager({ address: manager.address, authkey: 'key' }).connect();
  const { name } = await client.sharedMemory(1);
  await client[Symbol.asyncDispose]();
  await t.throwsAsync(client.names(), { code: 'ERR_SHM_CLOSED' });
  t.true(exists(name), 'disposing of a client leaves the manager alone');
  t.is((await manager.names()).length, 3);
});

test('a descriptor of what it owns goes anywhere', async (t) => {
  const manager = await managerOf(t);
  const array = await manager.array([4]);
  array.set(7, 2);
  t.is((attach(JSON.parse(JSON.stringify(array)) as never) as SharedArray).get(2), 7);
});

test('SIGINT does nothing to the server', async (t) => {
  const program = inProgram(
    t,
    `process.on('SIGINT', () => {});
     await told();
     say((await manager.names()).length);
     await manager.shutdown();`,
  );
  const { names, server } = await facts(program);
  process.kill(server, 'SIGINT');
  process.kill(program.pid, 'SIGINT');
  program.tell('go on');
  t.is(await program.says(), '2');
  program.end();
  t.is(await program.ends(), 0);
  t.deepEqual([isGone(server), ...names.map(exists)], [true, false, false]);
});

for (const [how, end] of Object.entries({
  'ends by itself': 'process.exitCode = 0;',
  'calls process.exit()': 'process.exit();',
  'is killed': "process.kill(process.pid, 'SIGKILL');",
  fails: "process.removeAllListeners('uncaughtException'); console.error = () => {}; process.exit(1);",
})) {
  test(`the server ends when its starter ${how}, and all that it owns is gone`, async (t) => {
    const program = inProgram(t, `await told(); ${end}; process.stdin.destroy();`);
    const { address, names, server } = await facts(program);
    t.true(names.every(exists));
    program.tell('end');
    await program.ends();
    await until('the server is gone', () => isGone(server));
    await until('its segments are gone', () => !names.some(exists));
    t.is(statSync(address, { throwIfNoEntry: false }), undefined);
  });
}

test('the server ends with the worker thread that started it', async (t) => {
  const code = `
    const { parentPort } = require('node:worker_threads');
    import('shmkit').then(async ({ SharedMemoryManager }) => {
      const manager = await new SharedMemoryManager().start();
      parentPort.postMessage((await manager.sharedMemory(1)).name);
      setInterval(() => {}, 1000);
    });`;
  const worker = new Worker(code, { eval: true, execArgv: [] });
  const name = await new Promise<string>((resolve) => worker.once('message', resolve));
  const server = serverOf(name);
  await worker.terminate();
  await until('its segment is gone', () => !exists(name));
  await until('the server is gone', () => isGone(server));
  t.pass();
});

test('a server that gets SIGTERM unlinks what it owns, and ends', async (t) => {
  const program = inProgram(t, 'await told(); await manager.shutdown(); say("done");');
  const { names, server } = await facts(program);
  process.kill(server, 'SIGTERM');
  await until('its segments are gone', () => !names.some(exists));
  await until('no zombie is left', () => isGone(server));
  program.tell('go on');
  t.is(await program.says(), 'done');
});

test.serial('of a server that is killed nothing stays, and the next request says so', async (t) => {
  const address = socketPath(t);
  const manager = await managerOf(t, { address });
  const names = [(await manager.sharedMemory(1)).name, (await manager.dict()).name];
  const server = serverOf(names[0]!);
  process.kill(server, 'SIGKILL');
  await until('its segments are gone', () => !names.some(exists));
  await until('no zombie is left', () => isGone(server));
  const before = segments().filter(({ owners }) => owners.includes(process.pid)).length;
  await isOver(t, manager.sharedMemory(1));
  await t.throwsAsync(manager.dict(), { code: 'ECONNREFUSED' });
  await t.throwsAsync(manager.names(), { code: 'ECONNREFUSED' });
  t.is(segments().filter(({ owners }) => owners.includes(process.pid)).length, before, 'nothing is left');

  // Its socket is: the next manager takes its place.
  t.true(statSync(address).isSocket());
  await using next = await new SharedMemoryManager({ address }).start();
  t.deepEqual(await next.names(), []);
});

test.serial(
  'a server that is stopped is an error after the timeout, and what was made for it is gone',
  async (t) => {
    const manager = await managerOf(t, { timeout: 300 });
    const { name } = await manager.sharedMemory(1);
    const server = serverOf(name);
    process.kill(server, 'SIGSTOP');
    const before = segments().filter(({ owners }) => owners.includes(process.pid)).length;
    await Promise.all(
      Array.from({ length: 9 }, () => t.throwsAsync(manager.sharedMemory(1), { code: 'ERR_SHM_TIMEOUT' })),
    );
    t.is(segments().filter(({ owners }) => owners.includes(process.pid)).length, before, 'nothing is left');
    // Killed in the middle of a request.
    const asked = manager.array([9]);
    process.kill(server, 'SIGKILL');
    await isOver(t, asked);
    await until('its segments are gone', () => !exists(name));
    t.is(segments().filter(({ owners }) => owners.includes(process.pid)).length, before, 'nothing is left');
  },
);

test.serial('a server that is killed while many are made leaves none of them', async (t) => {
  const names: string[] = [];
  for (let round = 0; round < 6; round++) {
    const manager = await managerOf(t);
    const first = await manager.sharedMemory(1);
    const making = Array.from({ length: 4 }, async () => {
      for (;;) {
        const shm = await manager.sharedMemory(1);
        names.push(shm.name);
        shm.close();
      }
    });
    const anyMoment = round;
    await new Promise((resolve) => setTimeout(resolve, anyMoment));
    process.kill(serverOf(first.name), 'SIGKILL');
    for (const { status } of await Promise.allSettled(making)) t.is(status, 'rejected');
  }
  await until('all of them are gone', () => !names.some(exists));
  t.deepEqual(
    segments().filter(({ owners, size }) => size === 1 && owners.includes(process.pid)),
    [],
  );
});

test.serial('a client that is killed while it makes segments leaves none that nobody owns', async (t) => {
  const manager = await managerOf(t, { authkey: 'key' });
  for (let round = 0; round < 6; round++) {
    const program = Program.node(
      t,
      `const manager = new SharedMemoryManager({ address: '${String(manager.address)}', authkey: 'key' });
       await manager.connect();
       say('go');
       for (;;) (await manager.sharedMemory(8)).close();`,
    );
    await program.says();
    const anyMoment = round * 3;
    await new Promise((resolve) => setTimeout(resolve, anyMoment));
    const { pid } = program;
    await program.kill();
    await until('it owns nothing', () => !segments().some(({ owners }) => owners.includes(pid)));
  }
  const names = await manager.names();
  t.true(names.length > 0);
  t.deepEqual(
    segments()
      .filter(({ leaked, name }) => leaked && name.startsWith('shmkit_'))
      .map(({ name }) => name),
    [],
  );
});
