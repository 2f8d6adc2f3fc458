/** One broadcast between Node and Python: a writer here and readers there, and the other way; kills, and what is lost. */
import { Buffer } from 'node:buffer';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import { attach, SharedBroadcast } from 'shmkit';
import type { BroadcastOptions } from 'shmkit';

import { DTYPES } from '../fixtures/arrays.js';
import { hold } from '../fixtures/hold.js';
import { Numpy } from '../fixtures/numpy.js';
import { Program } from '../fixtures/program.js';
import { venvPython } from '../fixtures/python.js';
import { freshName } from '../fixtures/segments.js';

const IN_TIME = { timeout: 20_000 };

/** A Python that does this with the broadcast `b`, and says what it is told to. */
function python(t: ExecutionContext, name: string, code: string): Program {
  const module = `import json, sys, shmkit, numpy as np
b = shmkit.SharedBroadcast.attach(${JSON.stringify(name)})
say = lambda what: print(json.dumps(what), flush=True)
told = sys.stdin.readline
${code}`;
  return Program.run(t, venvPython(), ['-E', '-c', module]);
}

const heard = async (program: Program): Promise<unknown> => JSON.parse((await program.says())!);

function broadcastOf(t: ExecutionContext, options: Partial<BroadcastOptions<'float64'>>): SharedBroadcast {
  const broadcast = SharedBroadcast.create({ slots: 4, name: freshName(t), ...options });
  t.teardown(() => broadcast.close());
  return broadcast;
}

const hex = (item: ArrayBufferView): string =>
  Buffer.from(item.buffer, item.byteOffset, item.byteLength).toString('hex');

const number = (value: number): Float64Array => Float64Array.of(value);

/** Item `n` of a stream: its number, and what follows from it, so that a mixture of two is seen. */
const WORDS = 300;
const WRITE = `def item(n):
  return (np.arange(${WORDS}, dtype='uint32') + n) * np.uint32(2654435761)
`;
function write(item: Uint32Array, n: number): Uint32Array {
  for (let i = 0; i < item.length; i++) item[i] = Math.imul(i + n, 2654435761);
  return item;
}

/** In Python: reads all in batches, and says how many there were, their checksum, how many were torn or out of turn, and lost. */
const READ = `${WRITE}
with b.subscribe(oldest=True) as s:
  say('reads')
  count, total, wrong, last = 0, 0, 0, -1
  for batch in s.batches(16):
    numbers = batch[:, 0].astype('uint64') * pow(2654435761, -1, 2**32) % 2**32
    wrong += int((batch != np.stack([item(int(n)) for n in numbers])).any(1).sum())
    wrong += int((np.diff(numbers.astype('int64'), prepend=last) < 1).sum())
    last = int(numbers[-1])
    count += len(batch)
    total += int(batch.sum(dtype='uint64'))
  say([count, total % 2**32, wrong, s.lost, last])
`;

const STREAM = { dtype: 'uint32', shape: [WORDS] } as const;

/** The sum of all elements of the first items, to 2^32. */
function checksum(count: number): number {
  const item = new Uint32Array(WORDS);
  let total = 0;
  for (let n = 0; n < count; n++) for (const word of write(item, n)) total = (total + word) >>> 0;
  return total;
}

test('items of every type go both ways', async (t) => {
  const numpy = new Numpy(t);
  for (const dtype of DTYPES) {
    const name = freshName(t);
    const make = `import shmkit
np.b = shmkit.SharedBroadcast.create(8, (2, 3), dtype, name=name, track=False)
np.s = np.b.subscribe()
answer = np.b.to_json()`;
    const descriptor = await numpy.run<{ kind: string; name: string }>(make, { name, dtype });
    const broadcast = attach(descriptor) as SharedBroadcast;
    hold(t, broadcast);
    t.deepEqual(
      [broadcast.dtype, [...broadcast.shape], broadcast.slots, broadcast.onSlow],
      [dtype, [2, 3], 8, 'block'],
    );
    t.deepEqual(broadcast.toJSON(), descriptor);
    using back = broadcast.subscribe();
    const items = await numpy.run<string[]>(
      `
items = [np.arange(6).reshape(2, 3).astype(dtype) for _ in range(3)]
items[1] = items[1] > 3 if dtype == 'bool' else items[1] * 2
np.b.publish(items[0])
assert np.b.try_publish(items[1])
np.b.publish_many(np.stack(items[1:]))
assert np.b.published == 4
answer = [bits(each) for each in (items[0], items[1], *items[1:])]
import shmkit
np.s.next_many(4); np.b.close(); np.b = shmkit.SharedBroadcast.attach(name); np.s = np.b.subscribe()`,
      { dtype, name },
    );
    const got = [back.tryNext(), back.nextSync(), await back.next(IN_TIME), back.tryNext()] as Float64Array[];
    t.deepEqual(got.map(hex), items, dtype);
    for (const item of got) broadcast.publishSync(item);
    const code = `
got = [np.s.next(), np.s.try_next(), *np.s.next_many()]
answer = [[bits(each) for each in got], str(got[0].dtype), list(got[-1].shape), np.s.try_next()]
np.b.close()`;
    t.deepEqual(await numpy.run(code), [items, dtype, [2, 3], null], dtype);
    broadcast.unlink();
  }
});

test('Node writes, and every reader in Python gets all of it in order', async (t) => {
  const broadcast = broadcastOf(t, { slots: 16, ...STREAM } as never);
  const readers = [1, 2, 3].map(() => python(t, broadcast.name, READ));
  for (const reader of readers) t.is(await heard(reader), 'reads');
  const item = new Uint32Array(WORDS);
  const count = 4000;
  for (let n = 0; n < count; n++) broadcast.publishSync(write(item, n) as never, IN_TIME);
  broadcast.end();
  for (const reader of readers) {
    t.deepEqual(await heard(reader), [count, checksum(count), 0, 0, count - 1]);
    t.is(await reader.ends(), 0);
  }
  t.is(broadcast.subscribers, 0);
});

test('Python writes, and every reader in Node gets all of it in order', async (t) => {
  const broadcast = broadcastOf(t, { slots: 16, ...STREAM } as never);
  const count = 4000;
  const add = async (): Promise<number> => {
    const expected = new Uint32Array(WORDS);
    let n = 0;
    for await (const item of broadcast.subscribe()) {
      if (hex(item) !== hex(write(expected, n++))) throw new Error(`item ${n - 1} is another one`);
    }
    return n;
  };
  const sums = [add(), add(), add()];
  python(
    t,
    broadcast.name,
    `${WRITE}
for n in range(0, ${count}, 100):
  if n % 300 == 0:
    for i in range(n, n + 100): b.publish(item(i), 20)
  else:
    b.publish_many(np.stack([item(i) for i in range(n, n + 100)]), 20)
b.end()`,
  );
  t.deepEqual(await Promise.all(sums), [count, count, count]);
  t.is(broadcast.published, count);
});

test('what a reader in Python has lost and what it has got is what was published, and none of it is torn', async (t) => {
  // Room for one, and that so long that it is overwritten while it is copied.
  const broadcast = broadcastOf(t, { slots: 1, onSlow: 'drop', dtype: 'uint32', shape: [30_000] } as never);
  const reader = python(
    t,
    broadcast.name,
    `
with b.subscribe() as s:
  say('reads')
  count, torn, last = 0, 0, -1
  for batch in s.batches(2):
    numbers = batch[:, 0].astype('int64')
    torn += int((batch != batch[:, :1]).any()) + int((np.diff(numbers, prepend=last) < 1).any())
    count, last = count + len(batch), int(numbers[-1])
  say([count, torn, s.lost, last])`,
  );
  t.is(await heard(reader), 'reads');
  const item = new Uint32Array(30_000);
  const count = 20_000;
  for (let n = 0; n < count; n++) broadcast.tryPublish(item.fill(n) as never);
  broadcast.end();
  const [got, torn, lost, last] = (await heard(reader)) as [number, number, number, number];
  t.deepEqual([torn, got + lost, last], [0, count, count - 1]);
  t.true(lost > 0 && got > 0);
});

test('a writer in Node goes on when the Python that it waits for is killed', async (t) => {
  const broadcast = broadcastOf(t, { slots: 2 });
  using other = broadcast.subscribe();
  const reader = python(t, broadcast.name, "s = b.subscribe()\nsay('reads')\nsay(float(s.next()))\ntold()");
  t.is(await heard(reader), 'reads');
  broadcast.publishSync(number(0));
  t.is(await heard(reader), 0);
  t.is(other.tryNext()![0], 0);
  for (const n of [1, 2]) broadcast.publishSync(number(n), IN_TIME);
  t.deepEqual([other.tryNext()![0], other.tryNext()![0]], [1, 2]);
  t.false(broadcast.tryPublish(number(3)));
  const published = broadcast.publish(number(3), IN_TIME);
  await reader.kill();
  await published;
  t.deepEqual([other.tryNext()![0], broadcast.subscribers], [3, 1]);
});

test('Node takes over from a Python that is killed while it publishes', async (t) => {
  const broadcast = broadcastOf(t, { slots: 8 });
  using reader = broadcast.subscribe();
  const waiting = python(
    t,
    broadcast.name,
    "s = b.subscribe()\nsay('reads')\nsay([float(x) for x in s][-2:])",
  );
  t.is(await heard(waiting), 'reads');
  const writer = python(t, broadcast.name, 'n = 0\nwhile True:\n  b.publish(n); n += 1');
  let next = 0;
  for (; next < 500; next++) t.is((await reader.next(IN_TIME))![0], next);
  t.throws(() => broadcast.tryPublish(number(-1)), { code: 'ERR_SHM_TOO_MANY' });
  await writer.kill();
  for (let item; (item = reader.tryNext()) !== undefined; next++) t.is(item[0], next);
  t.is(broadcast.published, next, 'the half-written item never was');
  await broadcast.publish(number(-1), IN_TIME);
  await broadcast.publish(number(-2), IN_TIME);
  t.deepEqual([reader.tryNext()![0], reader.tryNext()![0], reader.lost], [-1, -2, 0]);
  broadcast.end();
  t.deepEqual(await heard(waiting), [-1, -2]);
});

test('Python takes over from a Node that is killed', async (t) => {
  const broadcast = broadcastOf(t, { slots: 8 });
  using reader = broadcast.subscribe();
  const writer = Program.node(
    t,
    `const b = SharedBroadcast.attach('${broadcast.name}'); for (let n = 0; ; n++) b.publishSync(Float64Array.of(n));`,
  );
  let next = 0;
  for (; next < 500; next++) t.is((await reader.next(IN_TIME))![0], next);
  await writer.kill();
  for (let item; (item = reader.tryNext()) !== undefined; next++) t.is(item[0], next);
  const heir = python(
    t,
    broadcast.name,
    'before = b.published\nb.publish(-1, 20)\nb.end()\nsay([before, b.published])',
  );
  t.is((await reader.next(IN_TIME))![0], -1);
  t.is(await reader.next(IN_TIME), undefined);
  t.deepEqual(await heard(heir), [next, next + 1]);
});
