import { randomBytes } from 'node:crypto';
import { setTimeout as later } from 'node:timers/promises';
import { inspect } from 'node:util';
import { Worker } from 'node:worker_threads';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import { attach, Pool, segments, SharedBroadcast } from 'shmkit';
import type { BroadcastAttachOptions, BroadcastOptions, DType, DTypes } from 'shmkit';

import { hold } from '../../fixtures/hold.js';
import { Program } from '../../fixtures/program.js';
import { exists, freshName, leavesNothing } from '../../fixtures/segments.js';
import { until } from '../../fixtures/wait.js';
import { compiled } from '../../fixtures/typescript.js';

function broadcastOf<D extends DType = 'float64'>(
  t: ExecutionContext,
  options: Partial<BroadcastOptions<D>> = {},
): SharedBroadcast<D> {
  const broadcast = SharedBroadcast.create<D>({ slots: 4, name: freshName(t), ...options });
  t.teardown(() => broadcast.close());
  return broadcast;
}

const number = (value: number): Float64Array => Float64Array.of(value);

/** What there is for it now. */
function rest(subscription: { tryNext(): Float64Array | undefined }): number[] {
  const items = [];
  for (let item; (item = subscription.tryNext()) !== undefined;) items.push(item[0]!);
  return items;
}

for (const onSlow of ['block', 'drop'] as const) {
  test(`each reader gets every item, in order, as often as the ring goes round (${onSlow})`, (t) => {
    for (const slots of [1, 2, 3, 5, 8]) {
      const broadcast = broadcastOf(t, { slots, shape: [2, 3], onSlow });
      const other = SharedBroadcast.attach<'float64'>(broadcast.name);
      hold(t, other);
      const [one, two] = [broadcast.subscribe(), other.subscribe()];
      t.deepEqual([broadcast.slots, broadcast.subscribers, other.onSlow], [slots, 2, onSlow]);
      const item = new Float64Array(6);
      let [published, read] = [0, 0];
      for (let round = 0; round < 40; round++) {
        for (let left = 1 + (round % slots); left > 0; left--) broadcast.publishSync(item.fill(published++));
        t.deepEqual([one.length, two.length], [published - read, published - read]);
        for (; read < published; read++) {
          t.deepEqual(one.tryNext(), new Float64Array(6).fill(read));
          t.true(two.tryNextInto(item));
          t.is(item[5], read);
        }
        t.deepEqual([one.tryNext(), two.tryNextInto(item)], [undefined, false]);
      }
      t.deepEqual([one.lost, two.lost, broadcast.published], [0, 0, published]);
    }
  });

  test(`reading begins at the latest item, or at the oldest (${onSlow})`, (t) => {
    const broadcast = broadcastOf(t, { onSlow });
    t.deepEqual(rest(broadcast.subscribe({ from: 'oldest' })), []);
    for (let i = 0; i < 3; i++) broadcast.publishSync(number(i));
    const latest = broadcast.subscribe();
    t.deepEqual(rest(broadcast.subscribe({ from: 'oldest' })), [0, 1, 2]);
    t.deepEqual(rest(latest), []);
    const more = broadcastOf(t, { onSlow });
    for (let i = 0; i < 10; i++) t.true(more.tryPublish(number(i)), 'nobody reads');
    const oldest = more.subscribe({ from: 'oldest' });
    t.deepEqual([oldest.length, rest(oldest), oldest.lost], [4, [6, 7, 8, 9], 0]);
    more.publishSync(number(10));
    t.deepEqual(rest(oldest), [10]);
  });
}

test('a writer that blocks waits for the slowest reader, and for no other', async (t) => {
  const broadcast = broadcastOf(t, { slots: 2 });
  const [slow, fast] = [broadcast.subscribe(), broadcast.subscribe()];
  t.true(broadcast.tryPublish(number(0)) && broadcast.tryPublish(number(1)));
  t.deepEqual(rest(fast), [0, 1]);
  t.false(broadcast.tryPublish(number(2)));
  t.throws(() => broadcast.publishSync(number(2), { timeout: 5 }), { code: 'ERR_SHM_TIMEOUT' });
  const item = number(2);
  const waiting = [broadcast.publish(item), broadcast.publish(number(3))];
  item[0] = 99; // it was copied
  t.deepEqual(slow.tryNext(), number(0));
  await waiting[0];
  t.false(broadcast.tryPublish(number(9)));
  slow.close(); // nobody waits for it any more
  await waiting[1];
  t.deepEqual([rest(fast), broadcast.subscribers], [[2, 3], 1]);
  fast[Symbol.dispose]();
  for (let i = 0; i < 10; i++) t.true(broadcast.tryPublish(number(i)));
});

test('a writer that drops waits for nobody, and a reader knows what it lost', (t) => {
  for (const slots of [1, 2, 4]) {
    const broadcast = broadcastOf(t, { slots, onSlow: 'drop' });
    const subscription = broadcast.subscribe();
    broadcast.publishSync(number(0));
    t.deepEqual([subscription.tryNext(), subscription.lost], [number(0), 0]);
    for (let i = 1; i <= 10; i++) t.true(broadcast.tryPublish(number(i)));
    t.is(subscription.length, slots);
    const items = rest(subscription);
    t.deepEqual(
      items,
      Array.from({ length: slots }, (_, i) => 11 - slots + i),
    );
    t.is(subscription.lost, 10 - slots);
    broadcast.publishSync(number(11));
    t.deepEqual([rest(subscription), subscription.lost], [[11], 10 - slots]);
  }
});

test('there is one writer, and the next one when it is closed', (t) => {
  const broadcast = broadcastOf(t);
  const subscription = broadcast.subscribe();
  const other = SharedBroadcast.attach<'float64'>(broadcast.name);
  other.publishSync(number(1));
  t.throws(() => broadcast.tryPublish(number(2)), {
    code: 'ERR_SHM_TOO_MANY',
    message: new RegExp(`process ${process.pid} `),
  });
  other.close();
  broadcast.publishSync(number(2));
  t.deepEqual(rest(subscription), [1, 2]);
});

test('every element type goes through, and so do large items', (t) => {
  const items: { [D in DType]?: DTypes[D] } = {
    int8: Int8Array.of(-1, 2),
    uint8: Uint8Array.of(255, 2),
    int16: Int16Array.of(-300, 2),
    uint32: Uint32Array.of(2 ** 32 - 1, 2),
    int64: BigInt64Array.of(-(2n ** 63n), 2n),
    float32: Float32Array.of(1.5, NaN),
    float64: Float64Array.of(-0, 2),
    bool: Uint8Array.of(1, 0),
  };
  for (const [dtype, item] of Object.entries(items)) {
    const broadcast = broadcastOf(t, { dtype: dtype as DType, shape: [2] });
    const subscription = broadcast.subscribe();
    broadcast.publishSync(item);
    t.deepEqual(subscription.tryNext(), item);
  }
  const large = broadcastOf(t, { dtype: 'uint8', shape: [1080, 1920, 3], slots: 2 });
  const subscription = large.subscribe();
  const frame = randomBytes(1080 * 1920 * 3);
  large.publishSync(frame);
  t.is(Buffer.compare(subscription.tryNext()!, frame), 0);
});

test('a wait ends by its time, by its signal, by close() and by end(), and leaves no trace', async (t) => {
  const broadcast = broadcastOf(t, { slots: 1 });
  const subscription = broadcast.subscribe();
  t.throws(() => subscription.nextSync({ timeout: 5 }), { code: 'ERR_SHM_TIMEOUT' });
  t.throws(() => subscription.nextSync({ timeout: 0 }), { code: 'ERR_SHM_TIMEOUT' });
  await t.throwsAsync(subscription.next({ timeout: 5 }), { code: 'ERR_SHM_TIMEOUT' });
  await t.throwsAsync(subscription.next({ timeout: 0 }), { code: 'ERR_SHM_TIMEOUT' });
  const controller = new AbortController();
  const aborted = subscription.next({ signal: controller.signal });
  const goesOn = subscription.next();
  controller.abort();
  await t.throwsAsync(aborted, { any: true, name: 'AbortError' });
  broadcast.publishSync(number(1));
  t.deepEqual(await goesOn, number(1));

  broadcast.publishSync(number(2));
  await t.throwsAsync(broadcast.publish(number(3), { timeout: 5 }), { code: 'ERR_SHM_TIMEOUT' });
  await t.throwsAsync(broadcast.publish(number(3), { signal: controller.signal }), {
    any: true,
    name: 'AbortError',
  });
  const publishing = broadcast.publish(number(3));
  broadcast.end();
  await t.throwsAsync(publishing, { code: 'ERR_SHM_ENDED' });
  t.throws(() => broadcast.tryPublish(number(3)), { code: 'ERR_SHM_ENDED' });
  t.throws(() => broadcast.publishSync(number(3)), { code: 'ERR_SHM_ENDED' });
  t.deepEqual(subscription.nextSync(), number(2));
  t.deepEqual(
    [subscription.nextSync(), await subscription.next(), subscription.tryNext()],
    Array(3).fill(undefined),
  );
  t.true(broadcast.ended);

  const closing = broadcastOf(t, { slots: 1 });
  const [one, two] = [closing.subscribe(), closing.subscribe()];
  closing.publishSync(number(1));
  one.tryNext();
  two.tryNext();
  const waits = [one.next(), two.next()];
  one.close();
  await t.throwsAsync(waits[0]!, { code: 'ERR_SHM_CLOSED' });
  closing.publishSync(number(2));
  t.deepEqual(await waits[1], number(2));
  closing.publishSync(number(3));
  const last: Promise<unknown>[] = [closing.publish(number(4))];
  two.tryNext();
  await last[0];
  last.push(closing.publish(number(5)));
  closing.close();
  await t.throwsAsync(last[1]!, { code: 'ERR_SHM_CLOSED' });
});

test('all who wait are woken by one item, and told of the end', async (t) => {
  const broadcast = broadcastOf(t);
  const promises = [broadcast.subscribe(), broadcast.subscribe(), broadcast.subscribe()];
  const blocked = Array.from({ length: 2 }, () =>
    Program.node(
      t,
      `const subscription = SharedBroadcast.attach('${broadcast.name}').subscribe();
      say('reads');
      say(subscription.nextSync({ spin: 0 })[0]);
      say(subscription.nextSync({ spin: 0 }));`,
    ),
  );
  for (const program of blocked) t.is(await program.says(), 'reads');
  const first = promises.map((subscription) => subscription.next());
  broadcast.publishSync(number(7));
  t.deepEqual(await Promise.all(first), Array(3).fill(number(7)));
  for (const program of blocked) t.is(await program.says(), '7');
  const second = promises.map((subscription) => subscription.next());
  broadcast.end();
  t.deepEqual(await Promise.all(second), Array(3).fill(undefined));
  for (const program of blocked) t.is(await program.says(), 'undefined');
});

test('iteration waits for what comes, ends with the broadcast, and closes what is left', async (t) => {
  const broadcast = broadcastOf(t, { slots: 3 });
  const writer = Program.node(
    t,
    `const broadcast = SharedBroadcast.attach('${broadcast.name}');
    while (broadcast.subscribers < 2) await new Promise(setImmediate);
    for (let i = 0; i < 3000; i++) await broadcast.publish(Float64Array.of(i));
    broadcast.end();
    say('done');`,
  );
  const batches = async (): Promise<number> => {
    let next = 0;
    for await (const batch of broadcast.subscribe().batches({ max: 2 }))
      for (const [value] of batch) if (value !== next++) t.fail(`${value}`);
    return next;
  };
  const items = async (): Promise<number> => {
    let next = 0;
    for await (const [value] of broadcast.subscribe()) if (value !== next++) t.fail(`${value}`);
    return next;
  };
  t.deepEqual(await Promise.all([items(), batches()]), [3000, 3000]);
  t.is(await writer.says(), 'done');
  t.is(broadcast.subscribers, 0);
  const left = broadcastOf(t, { slots: 1 });
  const subscription = left.subscribe();
  left.publishSync(number(1));
  for await (const [value] of subscription) {
    t.is(value, 1);
    break;
  }
  t.deepEqual([subscription.closed, left.subscribers], [true, 0]);
  t.true(left.tryPublish(number(2)) && left.tryPublish(number(3)));
});

test('who begins to read and stops at any moment loses nothing of what is published meanwhile', async (t) => {
  const broadcast = broadcastOf(t, { slots: 2 });
  const writer = Program.node(
    t,
    `const broadcast = SharedBroadcast.attach('${broadcast.name}');
    let i = 0;
    setTimeout(() => (i = Infinity), 1500);
    for (; i < Infinity; i++) {
      broadcast.publishSync(Float64Array.of(i));
      if (i % 1024 === 0) await new Promise(setImmediate);
    }
    broadcast.end();
    say('done');`,
  );
  let storms = 0;
  while (!broadcast.ended) {
    using subscription = broadcast.subscribe({ from: storms % 2 === 0 ? 'oldest' : 'latest' });
    let before: number | undefined;
    for (let i = 0; i < 20; i++) {
      const item = subscription.nextSync();
      if (item === undefined) break;
      if (before !== undefined && item[0] !== before + 1) t.fail(`${item[0]} after ${before}`);
      before = item[0];
    }
    if (++storms % 64 === 0) await later(0);
  }
  t.is(await writer.says(), 'done');
  t.true(storms > 10);
});

test('255 can read, and no more until one stops', (t) => {
  const broadcast = broadcastOf(t);
  const all = Array.from({ length: 255 }, () => broadcast.subscribe());
  t.throws(() => broadcast.subscribe(), { code: 'ERR_SHM_TOO_MANY' });
  all[100]!.close();
  const next = broadcast.subscribe();
  broadcast.publishSync(number(1));
  t.deepEqual([rest(next), rest(all[254]!), broadcast.subscribers], [[1], [1], 255]);
  t.throws(() => all[100]!.tryNext(), { code: 'ERR_SHM_CLOSED' });
});

test('a closed one refuses everything, and a detached one too', async (t) => {
  const [broadcast, subscription] = leavesNothing(t, () => {
    const closed = broadcastOf(t);
    const reader = closed.subscribe();
    closed.tryPublish(number(1));
    closed.close();
    closed.close();
    return [closed, reader] as const;
  });
  const uses: (() => unknown)[] = [
    () => broadcast.tryPublish(number(1)),
    () => broadcast.publishSync(number(1)),
    () => broadcast.subscribe(),
    () => broadcast.published,
    () => broadcast.subscribers,
    () => broadcast.ended,
    () => broadcast.end(),
    () => broadcast.adopt(),
    () => subscription.tryNext(),
    () => subscription.tryNextInto(number(1)),
    () => subscription.nextSync(),
    () => subscription.length,
  ];
  for (const use of uses) t.throws(use, { code: 'ERR_SHM_CLOSED' }, `${use}`);
  await t.throwsAsync(broadcast.publish(number(1)), { code: 'ERR_SHM_CLOSED' });
  await t.throwsAsync(subscription.next(), { code: 'ERR_SHM_CLOSED' });
  t.true(subscription.closed);
  broadcast.unlink();
  t.throws(() => broadcast.unlink(), { code: 'ENOENT' });
});

test('bad input is refused', async (t) => {
  const create = (options: unknown) => () => SharedBroadcast.create(options as BroadcastOptions<'int8'>);
  for (const options of [undefined, {}, { slots: '4' }, { slots: 4, shape: 3 }, { slots: 4, spsc: true }])
    t.throws(create(options), { instanceOf: TypeError, code: 'ERR_INVALID_ARG_TYPE' });
  for (const options of [
    { slots: 0 },
    { slots: 2 ** 25 },
    { slots: 4, shape: [0] },
    { slots: 4, shape: [2 ** 40] },
    { slots: 4, dtype: 'float128' },
    { slots: 4, onSlow: 'wait' },
  ])
    t.throws(create(options), { instanceOf: RangeError, code: 'ERR_OUT_OF_RANGE' });
  const broadcast = broadcastOf(t, { shape: [2] });
  const subscription = broadcast.subscribe();
  for (const item of [[1, 2], 'ab', null, undefined, new Float32Array(2)]) {
    t.throws(() => broadcast.tryPublish(item as never), { code: 'ERR_INVALID_ARG_TYPE' });
    t.throws(() => subscription.tryNextInto(item as never), { code: 'ERR_INVALID_ARG_TYPE' });
    await t.throwsAsync(broadcast.publish(item as never), { code: 'ERR_INVALID_ARG_TYPE' });
  }
  t.throws(() => broadcast.publishSync(number(1)), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => subscription.nextSync({ timeout: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => subscription.batches({ max: 0 }), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => broadcast.subscribe({ from: 'first' as never }), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => broadcast.subscribe({ since: 1 } as never), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => Reflect.construct(SharedBroadcast, [{}]), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => structuredClone(broadcast), { any: true, name: 'DataCloneError' });
  t.throws(() => SharedBroadcast.attach({ ...broadcast.toJSON(), kind: 'queue' }), { code: 'ERR_SHM_KIND' });
  t.throws(() => SharedBroadcast.attach(freshName(t)), { code: 'ENOENT' });
  t.false(subscription.closed);
});

test('who attaches can say what the items are, and is refused where they are others', (t) => {
  const broadcast = broadcastOf(t, { shape: [2, 3], dtype: 'int32' });
  const refused = (options: BroadcastAttachOptions, why: RegExp) =>
    t.throws(() => SharedBroadcast.attach(broadcast.name, options), {
      code: 'ERR_SHM_MISMATCH',
      message: why,
    });
  refused({ dtype: 'float64' }, /is another broadcast: its elements are int32, not float64$/);
  refused({ dtype: 'uint32', shape: 6 }, /int32, not uint32; its shape is \[2, 3\], not \[6\]$/);
  t.throws(() => SharedBroadcast.attach(broadcast.toJSON(), { shape: [] }), { code: 'ERR_SHM_MISMATCH' });
  for (let i = 0; i < 300; i++) refused({ shape: [3, 2] }, /not \[3, 2\]$/); // 255 can have it open
  for (const wrong of [{ dtype: 5 }, { shape: '6' }, { shape: ['2'] }, { type: 'int32' }, { foreign: 1 }])
    t.throws(() => SharedBroadcast.attach(broadcast.name, wrong as object), { code: 'ERR_INVALID_ARG_TYPE' });
  for (const wrong of [{ dtype: 'int31' }, { shape: [-1] }])
    t.throws(() => SharedBroadcast.attach(broadcast.name, wrong as object), { code: 'ERR_OUT_OF_RANGE' });
  using other = SharedBroadcast.attach(broadcast.name, { dtype: 'int32', shape: [2, 3] });
  const item: Int32Array = new Int32Array(6).fill(7);
  const next: Int32Array | undefined =
    (broadcast.publishSync(item), other.subscribe({ from: 'oldest' }).tryNext());
  t.deepEqual(next, item);
  // @ts-expect-error: what is said must be what is meant
  t.throws(() => SharedBroadcast.attach<'float64'>(broadcast.name, { dtype: 'int8' }), {
    code: 'ERR_SHM_MISMATCH',
  });
});

test('a subscription shows what it is', (t) => {
  const broadcast = broadcastOf(t, { dtype: 'int32', shape: [4], onSlow: 'drop' });
  const subscription = broadcast.subscribe();
  const shown = () => inspect(subscription).replace(broadcast.name, 'name');
  t.is(shown(), `Subscription('name', int32[4], 0 to read)`);
  for (let i = 0; i < 6; i++) broadcast.publishSync(new Int32Array(4));
  subscription.tryNext();
  t.is(shown(), `Subscription('name', int32[4], 3 to read, 2 lost)`);
  subscription.close();
  t.is(shown(), `Subscription('name', int32[4], closed)`);
});

test('it is known for what it is, and goes with its last owner', async (t) => {
  const name = freshName(t);
  const owner = Program.node(
    t,
    `SharedBroadcast.create({ slots: 2, name: '${name}' }); say('made'); await told();`,
  );
  t.is(await owner.says(), 'made');
  t.is(segments().find((segment) => segment.name === name)?.kind, 'broadcast');
  using broadcast = SharedBroadcast.attach<'float64'>(name);
  await owner.kill();
  await until('the tracker unlinks it', () => !exists(name));
  t.true(broadcast.tryPublish(number(1)), 'who has it keeps it');
});

test('worker threads read and write, and one that is terminated is in nobody’s way', async (t) => {
  const broadcast = broadcastOf(t, { slots: 2 });
  const mine = broadcast.subscribe();
  const code = `
    import('shmkit').then(({ attach }) => {
      const { parentPort, workerData } = require('node:worker_threads');
      globalThis.broadcast = attach(workerData);
      globalThis.subscription = broadcast.subscribe();
      broadcast.publishSync(Float64Array.of(1));
      parentPort.postMessage('published');
      setInterval(() => {}, 1000);
    });`;
  const worker = new Worker(code, { eval: true, execArgv: [], workerData: broadcast.toJSON() });
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  t.deepEqual(mine.nextSync(), number(1));
  t.throws(() => broadcast.tryPublish(number(2)), { code: 'ERR_SHM_TOO_MANY' });
  await worker.terminate();
  for (let i = 2; i < 6; i++) {
    broadcast.publishSync(number(i));
    t.deepEqual(mine.tryNext(), number(i));
  }
  t.is(broadcast.subscribers, 1);
});

test('a pool’s workers get it attached', async (t) => {
  const broadcast = broadcastOf(t);
  const subscription = (attach(broadcast.toJSON()) as SharedBroadcast<'float64'>).subscribe();
  await using pool = new Pool(await compiled(new URL('../../fixtures/pool-work.ts', import.meta.url)), {
    workers: 1,
  });
  await pool.run('announce', broadcast, 42);
  t.deepEqual(await subscription.next(), number(42));
});

test('createOrAttach makes what is not there, and attaches to what is as it was asked for', (t) => {
  const name = freshName(t);
  const options = { slots: 4, dtype: 'int32', shape: [2], onSlow: 'drop' } as const;
  using first = SharedBroadcast.createOrAttach(name, options);
  using second = SharedBroadcast.createOrAttach(name, options);
  const typed: SharedBroadcast<'int32'> = second;
  using subscription = typed.subscribe();
  first.publishSync(Int32Array.of(1, 2));
  t.deepEqual(subscription.nextSync(), Int32Array.of(1, 2));
  for (const [other, message] of [
    [{ dtype: 'float64' }, /are int32, not float64/],
    [{ shape: [3] }, /is \[2\], not \[3\]/],
    [{ slots: 5 }, /has 4 slots, not 5/],
    [{ onSlow: undefined }, /is 'drop', not 'block'/],
  ] as const) {
    const expected = { code: 'ERR_SHM_MISMATCH', message };
    t.throws(() => SharedBroadcast.createOrAttach(name, { ...options, ...other } as never), expected);
  }
  t.throws(() => SharedBroadcast.createOrAttach(name, { ...options, name: 'other' } as never), {
    code: 'ERR_INVALID_ARG_TYPE',
  });
  first.unlink();
});
