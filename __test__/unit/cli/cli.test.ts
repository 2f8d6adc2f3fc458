/** The `shm` command: real segments of Node's and Python's, each test in a /dev/shm of its own. */
import { Buffer } from 'node:buffer';

import test from 'ava';
import type { SegmentInfo } from 'shmkit';

import { World } from './world.js';
import { findPythons } from '../../fixtures/python.js';

// One after the other: each starts a dozen processes.

/** As JSON has it. */
type Listed = Omit<SegmentInfo, 'created'> & { created: string };

const FRAMES = `const frames = SharedMemory.create(3000, { name: 'frames' }); frames.buf.write('hello'); return frames;`;
const BOARD = `const board = ShareableList.create(['idle', 0, float(2), null, true, new Uint8Array([1, 255]), 2n ** 60n, -0.5],
  { name: 'board' }); return board;`;
/** The escape sequences that a terminal gets for colours. */
const COLOUR = /\x1b\[\d+(;\d+)*m/; // oxlint-disable-line no-control-regex

test.serial('ls says what there is, whose it is, who has it open, and what /dev/shm has left', async (t) => {
  const world = await World.open(t, { size: '64m' });
  t.regex((await world.shm('ls')).stdout, /^no segments; \/dev\/shm has 64M of 64M left\n$/);

  const { pid } = await world.node(FRAMES);
  const other = await world.python(`shm = SharedMemory("frames")`);
  const { code, stdout, stderr } = await world.shm('ls');
  const [head, row, total, end] = stdout.split('\n');
  t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  t.regex(head!, /^name +size +kind +owners +attached +age +leaked\?$/);
  const [name, size, kind, owners, attached, age] = row!.split(/ {2,}/);
  t.deepEqual([name, size, kind, owners], ['frames', '3.0K', 'memory', String(pid)]);
  t.is(attached, [pid, other.pid].sort((a, b) => a - b).join(','));
  t.regex(age!, /^\d+s$/);
  t.regex(total!, /^1 segment, 3\.0K; \/dev\/shm has 64M of 64M left$/);
  t.is(end, '');
});

test.serial('ls sorts by name, size and age, and shows only what leaked if asked to', async (t) => {
  const world = await World.open(t);
  for (const [name, size] of [
    ['b', 10],
    ['c', 30],
    ['a', 20],
  ]) {
    await world.leave(`SharedMemory("${name}", create=True, size=${size})`);
  }
  const psm = await world.leave(`print(SharedMemory(create=True, size=5).name)`);
  const order = async (...args: string[]) =>
    (await world.json<Listed[]>('ls', ...args)).map(({ name }) => name).join();
  t.is(await order(), `a,b,c,${psm}`);
  t.is(await order('--sort', 'size'), `c,a,b,${psm}`);
  t.is(await order('--sort', 'age'), `b,c,a,${psm}`);
  t.is(await order('--leaked'), psm);
  t.regex((await world.shm('ls', '--leaked')).stdout, /\n1 segment, 5; /);
});

test.serial('sizes are those that ls -h shows', async (t) => {
  const world = await World.open(t, { size: '64m' });
  const sizes = [
    1,
    1023,
    1024,
    1025,
    10_188,
    10_240,
    10_241,
    1_047_552,
    1_047_553,
    2 ** 20,
    2 ** 33,
    1.5 * 2 ** 40,
  ];
  const script = sizes.map((size) => `truncate -s ${size} /dev/shm/s${size}`).join('\n');
  const wanted = await world.sh(`${script}\ncd /dev/shm && ls -lh | awk 'NF > 2 { print $9, $5 }'`);
  const got = await world.sh(`shm ls | awk '/^s[0-9]/ { print $1, $2 }'`);
  t.is(got.stdout, wanted.stdout);
  t.is(got.stdout.split('\n').length, sizes.length + 1);
});

test.serial('every command takes the segments of every Python', async (t) => {
  const world = await World.open(t);
  for (const { path, version } of await findPythons()) {
    const name = await world.leave(
      `shm = SharedMemory(create=True, size=7)\nshm.buf[:] = b"python\\n"\nprint(shm.name)`,
      path,
    );
    const list = await world.leave(`print(ShareableList([1, "zwei", 2.0, None, b"x", True]).shm.name)`, path);
    t.regex(name, /^psm_/);
    t.is((await world.shm('cat', name)).stdout, 'python\n', version);
    t.regex((await world.shm('inspect', name)).stdout, /\|python\.\|/, version);
    const inspected = (await world.shm('inspect', list)).stdout;
    t.regex(inspected, /kind +list\n[^]*length +6\n[^]*1 +str +"zwei"\n2 +float +2\n3 +None/, version);

    const user = await world.python(`shm = SharedMemory("${name}")`, path);
    const refused = await world.shm('rm', name);
    t.is(refused.code, 1, version);
    t.regex(refused.stderr, new RegExp(`in use, attached by process ${user.pid};`), version);
    t.is((await world.shm('rm', '--force', name)).code, 0, version);
    await user.end('SIGKILL');
    t.regex((await world.shm('gc', '--python')).stdout, new RegExp(`^${list}\nremoved 1 segment, `), version);
    t.deepEqual(await world.json('ls'), [], version);
  }
});

test.serial('inspect shows who uses a segment, and its bytes as hexdump -C does', async (t) => {
  const world = await World.open(t);
  const { pid } = await world.node(FRAMES);
  const { stdout } = await world.shm('inspect', 'frames');
  t.regex(stdout, new RegExp(`^owners +${pid} \\(node\\)\n`, 'm'));
  t.regex(stdout, /^size +3\.0K \(3000 bytes\)\n/m);
  t.regex(stdout, /^user +\d+, mode 0600\n/m);
  t.regex(stdout, /^… 2744 more bytes\n/m);

  await world.leave(
    `shm = SharedMemory("odd", create=True, size=77)\nshm.buf[:] = bytes(range(40)) + bytes(37)`,
  );
  const dump = (await world.shm('inspect', 'odd')).stdout.split('\n\n')[1];
  t.is(dump, (await world.sh('hexdump -C /dev/shm/odd')).stdout);
  const { contents } = await world.json<{ contents: object }>('inspect', 'odd', '--limit', '3');
  t.deepEqual(contents, { hex: '000102' });
});

test.serial("inspect shows a list's first items with the types that Python has for them", async (t) => {
  const world = await World.open(t);
  await world.node(BOARD);
  const { stdout } = await world.shm('inspect', 'board');
  t.is(
    stdout.split('\n\n')[1],
    [
      '0  str    "idle"',
      '1  int    0',
      '2  float  2',
      '3  None   null',
      '4  bool   true',
      '5  bytes  <01ff>',
      '6  int    1152921504606846976',
      '7  float  -0.5',
      '',
    ].join('\n'),
  );
  const { contents } = await world.json<{ contents: object }>('inspect', 'board', '--limit', '2');
  t.deepEqual(contents, {
    length: 8,
    format: '8sqdxxxxxx?xxxxxxxx?8sqd',
    items: [
      { index: 0, type: 'str', format: '8s', value: 'idle' },
      { index: 1, type: 'int', format: 'q', value: 0 },
    ],
  });
  t.regex((await world.shm('inspect', 'board', '--limit', '2')).stdout, /\n… 6 more items\n$/);
});

const ARRAYS = `
import json, numpy as np
made = {
    "ints": np.arange(-3, 9).reshape(3, 4),
    "fortran": np.asfortranarray(np.arange(6, dtype="<u2").reshape(2, 3)),
    "big": np.array([1, 2**53 + 1, 2**64 - 1], dtype=">u8"),
    "halves": np.array([0.5, -2, 65504, 6e-8, 0, 1e-5], dtype="<f2"),
    "bytes": np.array([1, -128], dtype="i1"), "truths": np.array([True, False]),
    "doubles": np.array([0.1, 1e300, 5e-324], dtype=">f8"), "scalar": np.array(7.5, dtype="<f4"),
    "text": np.array(["ab", "ünï", ""]), "letters": np.array([b"ab", b"c"]), "none": np.zeros((0, 3)),
}
for name, array in made.items():
    data = io.BytesIO(); np.save(data, array)
    shm = SharedMemory(name, create=True, size=len(data.getvalue()))
    shm.buf[:len(data.getvalue())] = data.getvalue()
def plain(v): return v.decode() if isinstance(v, bytes) else str(v) if isinstance(v, int) and abs(v) >= 2**53 else v
print(json.dumps({name: {"dtype": a.dtype.str, "shape": a.shape,
    "values": [plain(v) for v in a.ravel("A").tolist()]} for name, a in made.items()}))
`;

test.serial("inspect reads numpy's arrays as numpy reads them", async (t) => {
  const world = await World.open(t);
  const made = JSON.parse(await world.leave(ARRAYS)) as Record<string, object>;
  for (const [name, wanted] of Object.entries(made)) {
    const got = await world.json<{ kind: string; contents: object }>('inspect', name);
    t.is(got.kind, 'array', name);
    t.deepEqual(got.contents, { order: name === 'fortran' ? 'Fortran' : 'C', ...wanted }, name);
  }
  const { stdout } = await world.shm('inspect', 'ints', '--limit', '5');
  t.regex(stdout, /dtype +<i8\nshape +\(3, 4\)\norder +C\n\n-3 -2 -1 0 1\n… 7 more values/);
});

test.serial(
  'inspect shows the bytes of an array whose header is damaged, or whose type is no plain one',
  async (t) => {
    const world = await World.open(t);
    const header = (text: string) =>
      `b"\\x93NUMPY\\x01\\x00" + len(h := b"""${text}""").to_bytes(2, "little") + h + bytes(16)`;
    const headers: Record<string, string> = {
      code: `__import__('os').system('touch /dev/shm/owned')`,
      deep: '('.repeat(500),
      open: `{'descr': '<f8', 'shape': (2,`,
      huge: `{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 3)}`,
      cut: `{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000000)}`,
      record: `{'descr': [('x', '<i4'), ('y', '<f8', (2,))], 'fortran_order': False, 'shape': (1,)}`,
      object: `{'descr': '|O', 'fortran_order': False, 'shape': (1,)}`,
      wide: `{'descr': '<U99999999999', 'fortran_order': False, 'shape': (1,)}`,
      escape: `{'descr': '\\x1b[2J', 'fortran_order': False, 'shape': (1,)}`,
    };
    for (const [name, text] of Object.entries(headers)) {
      await world.leave(
        `data = ${header(text)}\nshm = SharedMemory("${name}", create=True, size=len(data))\nshm.buf[:len(data)] = data`,
      );
    }
    const facts = async (name: string) => {
      const { code, stdout } = await world.shm('inspect', name);
      t.is(code, 0, name);
      return stdout;
    };
    for (const name of ['code', 'deep', 'open', 'huge']) {
      t.regex(await facts(name), /^header +damaged: .*\n\n00000000 {2}93 4e 55 4d/m, name);
    }
    t.regex(await facts('cut'), /^0 0\n… and 999999999999998 that the segment has no room for\n/m);
    t.regex(await facts('record'), /^dtype +\[\["x","<i4"\],\["y","<f8",\[2\]\]\]\n/m);
    for (const name of ['record', 'object', 'wide', 'escape'])
      t.regex(await facts(name), /^0{8} {2}00 00/m, name);
    t.regex(await facts('escape'), /^dtype +\\e\[2J\n/m);
    t.false((await world.json<Listed[]>('ls')).some(({ name }) => name === 'owned'));
  },
);

test.serial('inspect shows who has a lock, who reads, and that a holder died', async (t) => {
  const world = await World.open(t);
  const user = await world.node(`
    const { SharedMutex, SharedEvent } = await import('shmkit');
    const shm = SharedMemory.create(64, { name: 'data' });
    const event = SharedEvent.createOrAttach('event');
    event.set();
    return [SharedMutex.createOrAttach('mutex').lockSync(), shm.txnSync({ readOnly: true }), event];`);
  const shown = async (name: string): Promise<string> => (await world.shm('inspect', name)).stdout;
  t.regex(
    await shown('mutex'),
    new RegExp(`kind +lock\n[^]*lock +a mutex\nholder +${user.pid}\nreaders +none\n`),
  );
  t.regex(
    await shown('data.lk'),
    new RegExp(`lock +of the segment beside it\nholder +none\nreaders +${user.pid}\n`),
  );
  t.regex(await shown('event'), /event +set\nwaiting +nobody\n/);
  const { contents } = await world.json<{ contents: object }>('inspect', 'mutex');
  t.like(contents, { what: 'mutex', holder: user.pid, holderDied: false, participants: [user.pid] });
  await world.sh('cp /dev/shm/mutex /dev/shm/copy'); // a lock whose holder nobody can find
  t.regex(await shown('copy'), new RegExp(`holder +${user.pid}, which is dead`));
  await user.end('SIGKILL');
  t.regex(await shown('mutex'), new RegExp(`holder +${user.pid}, which is dead: the next one gets it\n`));
});

test.serial('inspect shows how full a queue is, and who has slots of it', async (t) => {
  const world = await World.open(t);
  await world.node(`
    const { SharedQueue } = await import('shmkit');
    const queue = SharedQueue.create({ name: 'frames', slots: 3, dtype: 'uint8', shape: [2, 4] });
    queue.tryPush(new Uint8Array(8));
    queue.end();
    return queue;`);
  const { stdout } = await world.shm('inspect', 'frames');
  t.regex(stdout, /kind +queue\n[^]*items +1 of 3, ended\nan item +uint8\[2, 4\]\nlost +0\n/);
  const { contents } = await world.json<{ contents: object }>('inspect', 'frames');
  t.deepEqual(contents, {
    dtype: 'uint8',
    shape: [2, 4],
    slots: 3,
    length: 1,
    lost: 0,
    ended: true,
    held: 0,
    holders: [],
  });

  const one = await world.node(`
    const { SharedQueue } = await import('shmkit');
    const queue = SharedQueue.create({ name: 'work', slots: 4 });
    for (let i = 0; i < 2; i++) queue.tryPush(new Float64Array(1));
    return [queue, queue.tryTake(), queue.tryClaim()];`);
  const other = await world.node(`
    const { SharedQueue } = await import('shmkit');
    const first = SharedQueue.attach('work'); // leaves its number to those who look
    const queue = SharedQueue.attach('work');
    first.close();
    return [queue, queue.tryClaim()];`);
  const lines = (await world.shm('inspect', 'work')).stdout.split('\n');
  t.deepEqual(lines.slice(-6), [
    'held      3 slots',
    '',
    `slot 0 is taken by ${one.pid}`,
    `slot 2 is claimed by ${one.pid}`,
    `slot 3 is claimed by ${other.pid}`,
    '',
  ]);
  t.regex((await world.shm('inspect', 'work', '--limit', '2')).stdout, /slot 2 .*\n… 1 more slot\n$/);
  await other.end('SIGKILL');
  const { contents: work } = await world.json<{ contents: object }>('inspect', 'work');
  t.like(work, {
    length: 3,
    lost: 0,
    held: 3,
    holders: [
      { slot: 0, state: 'taken', pid: one.pid, died: false },
      { slot: 2, state: 'claimed', pid: one.pid, died: false },
      { slot: 3, state: 'claimed', pid: other.pid, died: true },
    ],
  });
  t.regex(
    (await world.shm('inspect', 'work')).stdout,
    new RegExp(`by ${other.pid}, which is dead: the next`),
  );
});

test.serial('inspect shows what was published and who reads it', async (t) => {
  const world = await World.open(t);
  await world.node(`
    const { SharedBroadcast } = await import('shmkit');
    const broadcast = SharedBroadcast.create({ name: 'prices', slots: 3, shape: [4], onSlow: 'drop' });
    globalThis.subscription = broadcast.subscribe();
    for (let i = 0; i < 5; i++) broadcast.tryPublish(new Float64Array(4));
    return broadcast;`);
  const { stdout } = await world.shm('inspect', 'prices');
  t.regex(
    stdout,
    /kind +broadcast\n[^]*items +5 published, room for 3\nan item +float64\[4\]\nsubscribers +1\nslow readers +lose items\n/,
  );
  const { contents } = await world.json<{ contents: object }>('inspect', 'prices');
  t.deepEqual(contents, {
    dtype: 'float64',
    shape: [4],
    slots: 3,
    onSlow: 'drop',
    published: 5,
    subscribers: 1,
    ended: false,
  });
});

test.serial('gc removes the lock of a segment that somebody unlinked who knew of no locks', async (t) => {
  const world = await World.open(t);
  await world.leave(`SharedMemory("python", create=True, size=8)`);
  const user = await world.node(`
    const shm = SharedMemory.attach('python');
    shm.txnSync(() => {});
    return shm;`);
  t.deepEqual((await world.json<{ removed: string[] }>('gc')).removed, [], 'it is in use');
  await world.sh('rm /dev/shm/python');
  await user.end('SIGKILL');
  t.like((await world.json<{ name: string; leaked: boolean }[]>('ls')).at(-1), {
    name: 'python.lk',
    leaked: true,
  });
  t.deepEqual((await world.json<{ removed: string[] }>('gc')).removed, ['python.lk']);
});

test.serial('cat writes every byte, also of a large segment', async (t) => {
  const world = await World.open(t);
  await world.leave(`import random
shm = SharedMemory("large", create=True, size=5_000_001)
shm.buf[:] = random.Random(1).randbytes(5_000_001)`);
  const { code, stdout } = await world.sh(
    'shm cat large | cmp - /dev/shm/large && shm cat large > /dev/shm/copy && cmp /dev/shm/copy /dev/shm/large',
  );
  t.deepEqual({ code, stdout }, { code: 0, stdout: '' });
  const { name, size, base64 } = await world.json<{ name: string; size: number; base64: string }>(
    'cat',
    'large',
  );
  t.deepEqual([name, size], ['large', 5_000_001]);
  t.true(Buffer.from(base64, 'base64').equals((await world.shm('cat', 'large')).bytes));
});

test.serial('cat and ls end in silence when nobody reads on', async (t) => {
  const world = await World.open(t);
  await world.leave(`shm = SharedMemory("large", create=True, size=50_000_000)\nshm.buf[0] = 65`);
  const { stdout, stderr } = await world.sh(
    'shm cat large | head -c 1; echo " ${PIPESTATUS[*]}"; shm ls | true',
  );
  t.deepEqual({ stdout, stderr }, { stdout: 'A 0 0\n', stderr: '' });
});

test.serial('cat writes text to a terminal, and binary bytes only with --force', async (t) => {
  const world = await World.open(t);
  const make = async (name: string, bytes: string) =>
    world.leave(
      `data = ${bytes}\nshm = SharedMemory("${name}", create=True, size=len(data))\nshm.buf[:] = data`,
    );
  await make('text', '"grün\\tund\\nrot\\n".encode()');
  await make('zeros', 'bytes(10)');
  await make('escapes', 'b"a\\x1b[2J"');
  await make('cut', '"ü".encode()[:1]');
  await make('late', 'b"x" * 786_431 + "ü".encode() + b"\\x9b"');
  t.is((await world.terminal(['cat', 'text'])).stdout, 'grün\tund\r\nrot\r\n');
  for (const name of ['zeros', 'escapes', 'cut', 'late']) {
    const { code, stdout } = await world.terminal(['cat', name]);
    t.is(code, 1, name);
    t.regex(
      stdout,
      new RegExp(`shm: '${name}' has binary bytes: pipe them .* or write them with --force\r\n$`),
      name,
    );
  }
  t.deepEqual(
    await world.terminal(['cat', '--force', 'escapes']).then(({ code, stdout }) => [code, stdout]),
    [0, 'a\x1b[2J'],
  );
  t.is((await world.shm('cat', 'escapes')).stdout, 'a\x1b[2J', 'a pipe gets what there is');
});

test.serial('rm removes what nobody uses, and refuses what a living process owns or has open', async (t) => {
  const world = await World.open(t);
  const owner = await world.node(`${FRAMES}`);
  const user = await world.python(`shm = SharedMemory("frames")`);
  for (const name of ['one', 'two']) await world.leave(`SharedMemory("${name}", create=True, size=1)`);

  const { code, stdout, stderr } = await world.shm('rm', 'one', 'frames', 'none', 'two');
  t.deepEqual({ code, stdout }, { code: 1, stdout: '' });
  const [refused, missing] = stderr.split('\n');
  t.regex(
    refused!,
    new RegExp(`^shm: 'frames' is in use, owned by process ${owner.pid} and attached by process`),
  );
  t.regex(refused!, new RegExp(`\\b${user.pid}\\b.*--force`));
  t.is(missing, "shm: no segment 'none'");
  t.deepEqual(
    (await world.json<Listed[]>('ls')).map(({ name }) => name),
    ['frames'],
  );

  const answer = await world.json<{ removed: string[]; refused: { name: string; why: string }[] }>(
    'rm',
    'frames',
  );
  t.deepEqual([answer.removed, answer.refused.map(({ name }) => name)], [[], ['frames']]);
  t.regex(answer.refused[0]!.why, new RegExp(`${user.pid}`));
  t.deepEqual(await world.json('rm', '--force', 'frames'), { removed: ['frames'], refused: [] });
  t.deepEqual(await world.json('ls'), []);
});

test.serial('rm asks a person at a terminal, and only y is a yes', async (t) => {
  const world = await World.open(t);
  const { pid } = await world.node(
    `return ['a', 'b', 'c', 'd'].map((name) => SharedMemory.create(9, { name }))`,
  );
  const question = 'Remove it? [y/N] ';
  const left = async () => (await world.json<Listed[]>('ls')).map(({ name }) => name).join('');

  const both = await world.terminal(
    ['rm', 'a', 'b', 'c'],
    [
      { see: question, send: 'y\n' },
      { see: question, send: '\n' },
      { see: question, send: 'YES\n' },
    ],
  );
  t.is(both.code, 1);
  t.regex(both.stdout, new RegExp(`^'a' is in use, owned by process ${pid} .*\\[y/N\\] y\r\n'b' is in use`));
  t.regex(both.stdout, /shm: 'b' stays\r\n/);
  t.is(await left(), 'bd');

  const ended = await world.terminal(['rm', 'b', 'd'], [{ see: question, send: '\x04' }]);
  t.is(ended.code, 1);
  t.is(await left(), 'bd');
  const interrupted = await world.terminal(['rm', 'b', 'd'], [{ see: question, send: '\x03' }]);
  t.is(interrupted.signal, 'SIGINT');
  t.is(await left(), 'bd');
  t.is((await world.terminal(['rm', '-f', 'b', 'd'])).stdout, '');
  t.is(await left(), '');
});

test.serial(
  'gc removes what a killed Node process owned, and Python leftovers only if asked to',
  async (t) => {
    const world = await World.open(t);
    const owner = await world.node(FRAMES);
    const psm = await world.leave(`print(SharedMemory(create=True, size=2048).name)`);
    await world.leave(`SharedMemory("mine", create=True, size=1)`);
    const nothing = { removed: [], bytes: 0, dryRun: false };
    t.deepEqual(await world.json('gc'), nothing);

    await owner.end('SIGKILL');
    t.deepEqual(await world.json('gc', '--dry-run'), { removed: ['frames'], bytes: 3000, dryRun: true });
    const both = { removed: ['frames', psm], bytes: 5048, dryRun: true };
    t.deepEqual(await world.json('gc', '--dry-run', '--python'), both);
    t.is((await world.shm('gc', '-n')).stdout, 'frames\nwould remove 1 segment, 3.0K\n');
    t.deepEqual(
      (await world.json<Listed[]>('ls', '--leaked')).map(({ name }) => name),
      ['frames', psm],
    );

    t.is((await world.shm('gc')).stdout, 'frames\nremoved 1 segment, 3.0K\n');
    t.is((await world.shm('gc', '--python')).stdout, `${psm}\nremoved 1 segment, 2.0K\n`);
    t.is((await world.shm('gc', '--python')).stdout, 'removed nothing\n');

    const alive = await world.node(BOARD);
    t.deepEqual(await world.json('gc', '--python'), nothing);
    t.deepEqual(
      (await world.json<Listed[]>('ls')).map(({ name }) => name),
      ['board', 'mine'],
    );
    t.is((await alive.end()).code, 0);
  },
);

test.serial('watch in a pipe is plain frames, or lines of JSON', async (t) => {
  const world = await World.open(t, { size: '64m' });
  await world.leave(`SharedMemory("small", create=True, size=1)
shm = SharedMemory("large", create=True, size=48 << 20)\nshm.buf[:] = bytes(48 << 20)`);
  const { code, stdout, stderr } = await world.shm('watch', '--count', '2', '--interval', '0.1');
  t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  const frame =
    /name .*\nlarge +48M .*\nsmall +1 .*\n\[#{15}-{5}\] 2 segments, 49M; \/dev\/shm has 16M of 64M left\n/;
  t.regex(stdout, new RegExp(`^${frame.source}${frame.source}$`));
  t.notRegex(stdout, /\x1b/); // oxlint-disable-line no-control-regex

  const lines = (await world.shm('watch', '--json', '--count', '3', '--interval', '.05')).stdout
    .trim()
    .split('\n');
  const looks = lines.map((line) => JSON.parse(line) as { time: string; total: number; segments: Listed[] });
  t.is(looks.length, 3);
  t.true(looks[0]!.time < looks[2]!.time);
  t.deepEqual(
    [looks[0]!.total, looks[0]!.segments.map(({ name }) => name).join()],
    [64 << 20, 'large,small'],
  );
});

test.serial('watch at a terminal follows what happens, and Ctrl-C gives the terminal back', async (t) => {
  const world = await World.open(t, { size: '64m' });
  const { code, stdout } = await world.terminal(
    ['watch', '--interval', '0.1'],
    [
      { see: 'no segments', run: ['truncate', '-s', '1000', '/dev/shm/fresh'] },
      { see: 'fresh', run: ['rm', '/dev/shm/fresh'] },
      { see: 'no segments', send: '\x03' },
    ],
  );
  t.is(code, 0);
  t.true(stdout.startsWith('\x1b[?1049h\x1b[?25l'), 'a screen of its own, without a cursor');
  const [, after] = stdout.split('\x1b[?25h\x1b[?1049l');
  t.regex(after!, /^\[-{20}\] no segments; \/dev\/shm has 64M of 64M left\r\n$/, 'the last look stays');
});

test.serial('watch shows as many segments as the terminal has room for, the largest first', async (t) => {
  const world = await World.open(t);
  await world.sh('for i in $(seq 101 150); do truncate -s $i /dev/shm/s$i; done');
  const { stdout } = await world.terminal(['watch', '--count', '1']);
  const last = stdout.split('\x1b[?1049l')[1]!.split('\r\n');
  t.is(last.length, 24, '23 lines, and the cursor below them');
  t.regex(last[1]!, /^s150 /);
  t.regex(last.at(-3)!, /^\x1b\[2m… 30 more/); // oxlint-disable-line no-control-regex
});

test.serial('colours are for terminals, and not where NO_COLOR is set', async (t) => {
  const world = await World.open(t);
  await world.leave(`SharedMemory(create=True, size=5)`);
  t.regex((await world.terminal(['ls'])).stdout, COLOUR);
  const plain = await world.terminal(['ls'], [], { NO_COLOR: '1' });
  t.regex(plain.stdout, /leaked\r\n/);
  t.notRegex(plain.stdout, COLOUR);
  t.notRegex((await world.shm('ls')).stdout, COLOUR);
});

test.serial(
  'a name or text that holds control characters does nothing to the terminal, and works as any other',
  async (t) => {
    const world = await World.open(t);
    const hostile = 'a\x1b[2J\n\r\x07\x7f\u009b1m\u202e\u{e0041}\\';
    const shown = String.raw`a\e[2J\n\r\x07\x7f\u009b1m\u202e\U000e0041\\`;
    await world.node(
      `return ShareableList.create(['x\\x1b[2J\\u202e'], { name: ${JSON.stringify(hostile)} })`,
    );
    const outputs = await Promise.all([
      world.shm('ls'),
      world.shm('inspect', hostile),
      world.shm('inspect', hostile, '--json'),
      world.shm('ls', '--json'),
      world.shm('watch', '--json', '--count', '1'),
      world.shm('rm', hostile),
      world.shm('cat', `${hostile}?`),
      world.shm('gc', '--json', '-n', '--python'),
      world.shm(hostile),
    ]);
    for (const { stdout, stderr } of outputs) {
      t.notRegex(stdout + stderr, /[^\P{C}\n]/u);
    }
    const [ls, inspect, json, , , rm, cat] = outputs;
    t.true(ls.stdout.includes(`\n${shown} `));
    t.true(inspect.stdout.includes(`${shown}\n`));
    t.is((JSON.parse(json.stdout) as { name: string }).name, hostile);
    t.regex(rm.stderr, /is in use/);
    t.regex(cat.stderr, /did you mean/);
    t.is((await world.shm('rm', '-f', hostile)).code, 0);
    t.deepEqual(await world.json('ls'), []);
  },
);

test.serial('a wrong name is an error that says which one was meant', async (t) => {
  const world = await World.open(t);
  await world.leave(`SharedMemory("frames", create=True, size=5)`);
  for (const command of ['inspect', 'cat', 'rm']) {
    const { code, stdout, stderr } = await world.shm(command, 'fram');
    t.deepEqual([code, stdout, stderr], [1, '', "shm: no segment 'fram'; did you mean 'frames'?\n"], command);
    t.is((await world.shm(command, 'something')).stderr, "shm: no segment 'something'\n", command);
  }
});

test.serial('a segment that its creator never sized is listed, inspected and removed', async (t) => {
  const world = await World.open(t);
  await world.sh('touch /dev/shm/empty; mkdir /dev/shm/folder; mkfifo /dev/shm/fifo');
  t.regex((await world.shm('ls')).stdout, /\nempty +0 +memory/);
  t.regex((await world.shm('inspect', 'empty')).stdout, /\nsize +0 bytes\n/);
  const { code, stderr } = await world.shm('cat', 'empty');
  t.is(code, 1);
  t.regex(stderr, /^shm: .*no bytes.*\n$/);
  for (const name of ['folder', 'fifo']) t.is((await world.shm('cat', name)).code, 1);
  t.is((await world.shm('rm', 'empty')).code, 0);
});

test.serial('wrong usage ends with 2, help and version with 0', async (t) => {
  const world = await World.open(t);
  const wrong = [
    [],
    ['lst'],
    ['ls', '--sort', 'colour'],
    ['ls', '--bogus'],
    ['ls', 'extra'],
    ['rm'],
    ['inspect', 'x', '--limit', '-1'],
    ['watch', '--interval', '0'],
    ['watch', '--count', '1.5'],
  ];
  for (const args of wrong) {
    const { code, stdout, stderr } = await world.shm(...args);
    t.deepEqual([code, stdout], [2, ''], args.join(' '));
    t.regex(stderr, args.length === 0 ? /^Usage: shm/ : /^shm: /, args.join(' '));
  }
  t.regex((await world.shm('lst')).stderr, /Did you mean ls\?/);
  for (const command of ['ls', 'inspect', 'cat', 'rm', 'gc', 'watch']) {
    const { code, stdout } = await world.shm(command, '--help');
    t.is(code, 0);
    t.regex(stdout, new RegExp(`^Usage: shm ${command} [^]*--json [^]*Examples:\n  shm ${command}`));
  }
  const { code, stdout } = await world.shm('--version');
  t.is(code, 0);
  t.regex(stdout, /^\d+\.\d+\.\d+\n$/);
});

test.serial('looking at segments starts no process and leaves nothing behind', async (t) => {
  const world = await World.open(t, { tracked: true });
  await world.leave(`SharedMemory("one", create=True, size=5)`);
  for (const args of [
    ['ls'],
    ['inspect', 'one'],
    ['cat', 'one'],
    ['gc', '-n', '--python'],
    ['watch', '--count', '1'],
  ]) {
    t.is((await world.shm(...args)).code, 0);
    t.is((await world.sh('ls -A /dev/shm')).stdout, 'one\n', args[0]);
  }
  t.is((await world.shm('rm', 'one')).code, 0);
  t.is((await world.sh('ls -A /dev/shm')).stdout, '');
});
