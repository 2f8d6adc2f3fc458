import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { isMainThread, Worker } from 'node:worker_threads';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import { attach, Pool, segments, SharedQueue } from 'shmkit';
import type { ClaimedSlot, DType, DTypes, QueueAttachOptions, QueueOptions } from 'shmkit';

import { hold } from '../../fixtures/hold.js';
import { Program } from '../../fixtures/program.js';
import { exists, freshName, leavesNothing } from '../../fixtures/segments.js';
import { until } from '../../fixtures/wait.js';
import { compiled } from '../../fixtures/typescript.js';

function queueOf<D extends DType = 'float64'>(
  t: ExecutionContext,
  options: Partial<QueueOptions<D>> = {},
): SharedQueue<D> {
  const queue = SharedQueue.create<D>({ slots: 4, name: freshName(t), ...options });
  t.teardown(() => queue.close());
  return queue;
}

const number = (value: number): Float64Array => Float64Array.of(value);

for (const mode of ['mpmc', 'spsc'] as const) {
  test(`items come out as they went in, as often as the ring goes round (${mode})`, (t) => {
    for (const slots of [1, 2, 3, 5, 8]) {
      const queue = queueOf(t, { slots, shape: [2, 3], spsc: mode === 'spsc' });
      t.is(queue.slots, slots);
      const item = new Float64Array(6);
      let [pushed, popped] = [0, 0];
      for (let round = 0; round < 40; round++) {
        for (; queue.tryPush(item.fill(pushed)); pushed++);
        t.is(queue.length, slots);
        for (let left = 1 + (round % slots); left > 0; left--) {
          t.deepEqual(queue.tryPop(), new Float64Array(6).fill(popped++));
        }
        t.is(queue.length, pushed - popped);
      }
      while (queue.tryPopInto(item)) t.deepEqual(item, new Float64Array(6).fill(popped++));
      t.deepEqual([popped, queue.tryPop(), queue.length, queue.lost], [pushed, undefined, 0, 0]);
    }
  });

  test(`a slot is written and read in place (${mode})`, async (t) => {
    const queue = queueOf(t, { spsc: mode === 'spsc' });
    const other = attach(queue.toJSON()) as SharedQueue<'float64'>;
    hold(t, other);
    const slot = queue.claimSync();
    slot.data[0] = 5;
    t.deepEqual([other.tryTake(), other.length], [undefined, 1], 'nobody sees it yet');
    slot.commit();
    slot.commit();
    t.throws(() => slot.data, { code: 'ERR_SHM_CLOSED' });
    const taken = (await other.take())!;
    t.is(taken.data[0], 5);
    for (let i = 1; i < 4; i++) queue.pushSync(number(i));
    t.false(queue.tryPush(number(9)), 'the slot that is read is not free');
    taken[Symbol.dispose]();
    taken[Symbol.dispose]();
    t.true(queue.tryPush(number(4)));
    t.throws(() => taken.data, { code: 'ERR_SHM_CLOSED' });
    t.deepEqual(
      [1, 2, 3, 4].map(() => other.popSync()![0]),
      [1, 2, 3, 4],
    );
  });

  test(`a claim that comes to nothing is passed over, and not lost (${mode})`, (t) => {
    const queue = queueOf(t, { spsc: mode === 'spsc' });
    for (let i = 0; i < 10; i++) {
      const slot = queue.tryClaim()!;
      t.true(queue.tryPush(number(i)));
      slot[Symbol.dispose]();
      t.throws(() => slot.commit(), { code: 'ERR_SHM_CLOSED' });
      t.deepEqual(queue.tryPop(), number(i));
      t.is(queue.tryPop(), undefined);
    }
    t.is(queue.lost, 0);
  });
}

test('items keep their order: who claimed first is first', async (t) => {
  const queue = queueOf(t);
  const slots = [0, 1, 2].map(() => queue.tryClaim()!);
  slots.forEach((slot, index) => (slot.data[0] = index));
  slots[2]!.commit();
  slots[1]!.commit();
  t.is(queue.tryPop(), undefined);
  const waiting = queue.pop();
  slots[0]!.commit();
  t.deepEqual(await waiting, number(0));
  t.deepEqual([queue.tryPop(), queue.tryPop()], [number(1), number(2)]);
});

test('every element type goes through, and so do large items', (t) => {
  const items: { [D in DType]?: DTypes[D] } = {
    int8: Int8Array.of(-1, 2),
    uint8: Uint8Array.of(255, 2),
    int16: Int16Array.of(-300, 2),
    uint16: Uint16Array.of(60_000, 2),
    int32: Int32Array.of(-70_000, 2),
    uint32: Uint32Array.of(2 ** 32 - 1, 2),
    int64: BigInt64Array.of(-(2n ** 63n), 2n),
    uint64: BigUint64Array.of(2n ** 64n - 1n, 2n),
    float32: Float32Array.of(1.5, NaN),
    float64: Float64Array.of(-0, 2),
    bool: Uint8Array.of(1, 0),
  };
  for (const [dtype, item] of Object.entries(items)) {
    const queue = queueOf(t, { dtype: dtype as DType, shape: [2] });
    t.is(queue.dtype, dtype as DType);
    t.true(queue.tryPush(item));
    t.deepEqual(queue.tryPop(), item);
  }
  t.is(queueOf(t, { dtype: '<f4' as never }).dtype, 'float32' as never);
  const half = queueOf(t, { dtype: 'float16' });
  const slot = half.tryClaim()!;
  t.is(slot.data.BYTES_PER_ELEMENT, 2);
  slot.commit();
  const large = queueOf(t, { dtype: 'uint8', shape: [1080, 1920, 3], slots: 2 });
  const frame = randomBytes(1080 * 1920 * 3);
  t.true(large.tryPush(frame));
  t.is(Buffer.compare(large.tryPop()!, frame), 0);
});

test('what waits goes on, first come, first served', async (t) => {
  const queue = queueOf(t, { slots: 2 });
  const popped = Promise.all([queue.pop(), queue.take(), queue.pop({ timeout: 20_000 })]);
  for (let i = 0; i < 3; i++) await queue.push(number(i));
  const [first, second, third] = await popped;
  t.deepEqual([first, third], [number(0), number(2)]);
  t.is(second!.data[0], 1);
  second!.release();
  queue.pushSync(number(3));
  queue.pushSync(number(4));
  const item = number(5);
  const pushed = [queue.push(item), queue.claim(), queue.push(number(7))];
  item[0] = 99; // it was copied
  t.deepEqual([queue.popSync(), queue.popSync()], [number(3), number(4)]);
  await pushed[0];
  const slot = (await pushed[1]) as ClaimedSlot<'float64'>;
  slot.data[0] = 6;
  slot.commit();
  t.deepEqual([await queue.pop(), await queue.pop()], [number(5), number(6)]);
  await pushed[2];
  t.deepEqual(queue.tryPop(), number(7));
});

test('a wait ends by its time, by its signal, by close() and by end(), and leaves no trace', async (t) => {
  const queue = queueOf(t, { slots: 1 });
  t.throws(() => queue.popSync({ timeout: 5 }), { code: 'ERR_SHM_TIMEOUT' });
  t.throws(() => queue.takeSync({ timeout: 0 }), { code: 'ERR_SHM_TIMEOUT' });
  await t.throwsAsync(queue.pop({ timeout: 5 }), { code: 'ERR_SHM_TIMEOUT' });
  await t.throwsAsync(queue.take({ timeout: 0 }), { code: 'ERR_SHM_TIMEOUT' });
  const controller = new AbortController();
  const aborted = queue.pop({ signal: controller.signal });
  const goesOn = queue.pop();
  controller.abort();
  await t.throwsAsync(aborted, { any: true, name: 'AbortError' });
  await t.throwsAsync(queue.pop({ signal: controller.signal }), { any: true, name: 'AbortError' });
  queue.pushSync(number(1));
  t.deepEqual(await goesOn, number(1));

  queue.pushSync(number(2));
  t.throws(() => queue.pushSync(number(3), { timeout: 5 }), { code: 'ERR_SHM_TIMEOUT' });
  t.throws(() => queue.claimSync({ timeout: 0 }), { code: 'ERR_SHM_TIMEOUT' });
  await t.throwsAsync(queue.push(number(3), { timeout: 5 }), { code: 'ERR_SHM_TIMEOUT' });
  await t.throwsAsync(queue.claim({ timeout: 0 }), { code: 'ERR_SHM_TIMEOUT' });
  const [pushing, claiming] = [queue.push(number(3)), queue.claim()];
  queue.end();
  await t.throwsAsync(pushing, { code: 'ERR_SHM_ENDED' });
  await t.throwsAsync(claiming, { code: 'ERR_SHM_ENDED' });
  t.throws(() => queue.tryPush(number(3)), { code: 'ERR_SHM_ENDED' });
  t.throws(() => queue.claimSync(), { code: 'ERR_SHM_ENDED' });
  t.deepEqual(queue.popSync(), number(2));
  t.deepEqual(
    [queue.popSync(), await queue.pop(), await queue.take(), queue.tryPop()],
    Array(4).fill(undefined),
  );
  t.true(queue.ended);

  const closing = queueOf(t);
  const waits = [closing.pop(), closing.take()];
  closing.close();
  for (const wait of waits) await t.throwsAsync<Error>(wait as Promise<unknown>, { code: 'ERR_SHM_CLOSED' });
});

test('whoever waits for an item is told of the end', async (t) => {
  const queue = queueOf(t);
  const waits = [queue.pop(), queue.take(), queue[Symbol.asyncIterator]().next()];
  const blocked = Program.node(
    t,
    `const queue = SharedQueue.attach('${queue.name}'); say('waits'); say(queue.popSync({ spin: 0 }));`,
  );
  t.is(await blocked.says(), 'waits');
  queue.end();
  t.deepEqual(await Promise.all(waits), [undefined, undefined, { value: undefined, done: true }]);
  t.is(await blocked.says(), 'undefined');
});

test('iteration waits for what comes, and ends with the queue', async (t) => {
  const queue = queueOf(t, { slots: 3 });
  const producer = Program.node(
    t,
    `const queue = SharedQueue.attach('${queue.name}');
    for (let i = 0; i < 3000; i++) await queue.push(Float64Array.of(i));
    queue.end();
    say('done');`,
  );
  let next = 0;
  for await (const [value] of queue) if (value !== next++) t.fail(`${value}`);
  t.is(next, 3000);
  t.is(await producer.says(), 'done');
});

test('batches are what there is, up to a limit, and other things go on beside them', async (t) => {
  const queue = queueOf(t, { slots: 100 });
  for (let i = 0; i < 10; i++) queue.pushSync(number(i));
  const sizes: number[] = [];
  const ended = until('three batches have come', () => sizes.length === 3).then(() => queue.end());
  for await (const batch of queue.batches({ max: 4 })) sizes.push(batch.length);
  await ended;
  t.deepEqual(sizes, [4, 4, 2]);
  const controller = new AbortController();
  const endless = queueOf(t, { slots: 100 });
  endless.pushSync(number(1));
  setTimeout(() => controller.abort(new Error('enough')), 5);
  await t.throwsAsync(
    async () => {
      for await (const batch of endless.batches({ signal: controller.signal })) {
        for (const item of batch) endless.pushSync(item); // there is always one
      }
    },
    { message: 'enough' },
  );
});

test('one that is popped again and again leaves the event loop its turns', async (t) => {
  const queue = queueOf(t);
  queue.pushSync(number(1));
  let over = false;
  setTimeout(() => (over = true), 5);
  for await (const item of queue) {
    if (over) break;
    queue.pushSync(item);
  }
  t.true(over);
});

test('a spsc queue refuses a second one on a side, until the first is closed', (t) => {
  const queue = queueOf(t, { spsc: true });
  const other = SharedQueue.attach<'float64'>(queue.name);
  queue.pushSync(number(1));
  t.throws(() => other.tryPush(number(2)), { code: 'ERR_SHM_TOO_MANY', message: /without spsc/ });
  t.deepEqual(other.popSync(), number(1));
  t.throws(() => queue.tryPop(), { code: 'ERR_SHM_TOO_MANY' });
  other.close();
  t.is(queue.tryPop(), undefined);
});

test('what a handle has goes back when it is closed', (t) => {
  const queue = queueOf(t, { slots: 2 });
  const other = SharedQueue.attach<'float64'>(queue.name);
  queue.pushSync(number(1));
  const [taken, claimed] = [other.tryTake()!, other.tryClaim()!];
  const { data } = claimed;
  other.close();
  t.is(data.length, 0);
  taken[Symbol.dispose]();
  claimed[Symbol.dispose]();
  t.throws(() => claimed.commit(), { code: 'ERR_SHM_CLOSED' });
  t.throws(() => other.tryClaim(), { code: 'ERR_SHM_CLOSED' });
  t.deepEqual([queue.tryPop(), queue.lost], [undefined, 0]);
  t.true(queue.tryPush(number(2)) && queue.tryPush(number(3)));
});

test('a closed one refuses everything, and a detached one too', async (t) => {
  const queue = leavesNothing(t, () => {
    const closed = queueOf(t);
    const slot = closed.tryClaim()!;
    closed.close();
    closed.close();
    t.throws(() => slot.commit(), { code: 'ERR_SHM_CLOSED' });
    t.throws(() => slot.data, { code: 'ERR_SHM_CLOSED' });
    return closed;
  });
  const uses: (() => unknown)[] = [
    () => queue.tryPush(number(1)),
    () => queue.pushSync(number(1)),
    () => queue.tryPop(),
    () => queue.popSync(),
    () => queue.tryPopInto(number(1)),
    () => queue.tryClaim(),
    () => queue.tryTake(),
    () => queue.length,
    () => queue.lost,
    () => queue.ended,
    () => queue.end(),
    () => queue.adopt(),
  ];
  for (const use of uses) t.throws(use, { code: 'ERR_SHM_CLOSED' }, `${use}`);
  await t.throwsAsync(queue.pop(), { code: 'ERR_SHM_CLOSED' });
  await t.throwsAsync(queue.push(number(1)), { code: 'ERR_SHM_CLOSED' });
  queue.unlink();
  t.throws(() => queue.unlink(), { code: 'ENOENT' });
  const moved = queueOf(t);
  const { data } = moved.tryClaim()!;
  const buffer = data.buffer as ArrayBuffer & { transfer?(): ArrayBuffer };
  if (buffer.transfer === undefined) return; // Node 20 moves no buffer of ours
  buffer.transfer();
  t.throws(() => moved.tryPop(), { code: 'ERR_SHM_DETACHED' });
  t.throws(() => moved.tryPush(number(1)), { code: 'ERR_SHM_DETACHED' });
});

test('bad input is refused', async (t) => {
  const create = (options: unknown) => () => SharedQueue.create(options as QueueOptions<'int8'>);
  for (const options of [
    undefined,
    {},
    { slots: '4' },
    { slots: 4, shape: 3 },
    { slots: 4, shape: ['3'] },
    { slots: 4, dtype: 3 },
    { slots: 4, size: 3 },
    { slots: 4, track: 1 },
    { slots: 4, name: 1 },
  ])
    t.throws(create(options), { instanceOf: TypeError, code: 'ERR_INVALID_ARG_TYPE' });
  for (const options of [
    { slots: 0 },
    { slots: 1.5 },
    { slots: 2 ** 32 },
    { slots: 2 ** 25 },
    { slots: 4, shape: [0] },
    { slots: 4, shape: [-1] },
    { slots: 4, shape: Array(9).fill(1) },
    { slots: 4, shape: [2 ** 40] },
    { slots: 4, shape: [2 ** 53 - 1, 2 ** 53 - 1] },
    { slots: 4, dtype: 'float128' },
    { slots: 4, mode: 0o1000 },
  ])
    t.throws(create(options), { instanceOf: RangeError, code: 'ERR_OUT_OF_RANGE' });
  const queue = queueOf(t, { shape: [2] });
  for (const item of [
    [1, 2],
    'ab',
    null,
    undefined,
    new Float32Array(2),
    new DataView(new ArrayBuffer(16)),
  ]) {
    t.throws(() => queue.tryPush(item as never), { code: 'ERR_INVALID_ARG_TYPE' });
    t.throws(() => queue.tryPopInto(item as never), { code: 'ERR_INVALID_ARG_TYPE' });
    await t.throwsAsync(queue.push(item as never), { code: 'ERR_INVALID_ARG_TYPE' });
  }
  t.throws(() => queue.pushSync(number(1)), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => queue.popSync({ timeout: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => queue.popSync({ wait: 1 } as never), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.throwsAsync(queue.pop({ timeout: 'long' as never }), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => queue.batches({ max: 0 }), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => Reflect.construct(SharedQueue, [{}]), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => structuredClone(queue), { any: true, name: 'DataCloneError' });
  t.throws(() => SharedQueue.attach({ ...queue.toJSON(), kind: 'dict' }), { code: 'ERR_SHM_KIND' });
  t.throws(() => SharedQueue.attach(freshName(t)), { code: 'ENOENT' });
});

test('who attaches can say what the items are, and is refused where they are others', (t) => {
  const queue = queueOf(t, { shape: [2, 3], dtype: 'int32' });
  const refused = (options: QueueAttachOptions, why: RegExp) =>
    t.throws(() => SharedQueue.attach(queue.name, options), { code: 'ERR_SHM_MISMATCH', message: why });
  refused({ dtype: 'float64' }, /is another queue: its elements are int32, not float64$/);
  refused({ dtype: 'uint32', shape: 6 }, /int32, not uint32; its shape is \[2, 3\], not \[6\]$/);
  t.throws(() => SharedQueue.attach(queue.toJSON(), { shape: [] }), { code: 'ERR_SHM_MISMATCH' });
  for (let i = 0; i < 300; i++) refused({ shape: [3, 2] }, /not \[3, 2\]$/); // 255 can have it open
  for (const wrong of [{ dtype: 5 }, { shape: '6' }, { shape: ['2'] }, { type: 'int32' }, { foreign: 1 }])
    t.throws(() => SharedQueue.attach(queue.name, wrong as object), { code: 'ERR_INVALID_ARG_TYPE' });
  for (const wrong of [{ dtype: 'int31' }, { shape: [-1] }])
    t.throws(() => SharedQueue.attach(queue.name, wrong as object), { code: 'ERR_OUT_OF_RANGE' });
  using other = SharedQueue.attach(queue.name, { dtype: 'int32', shape: [2, 3] });
  const item: Int32Array | undefined = (other.pushSync(new Int32Array(6).fill(7)), queue.tryPop());
  t.deepEqual(item, new Int32Array(6).fill(7));
  // @ts-expect-error: what is said must be what is meant
  t.throws(() => SharedQueue.attach<'float64'>(queue.name, { dtype: 'int8' }), { code: 'ERR_SHM_MISMATCH' });
});

test('a slot shows what it is', (t) => {
  const queue = queueOf(t, { dtype: 'int32', shape: [4] });
  const shown = (slot: unknown) => inspect(slot).replace(queue.name, 'name');
  const claimed = queue.claimSync();
  t.is(shown(claimed), `Slot('name', int32[4], claimed)`);
  claimed.commit();
  t.is(shown(claimed), `Slot('name', int32[4], given back)`);
  const taken = queue.takeSync();
  t.is(shown({ taken }), `{ taken: Slot('name', int32[4], taken) }`);
  queue.close();
  t.is(shown(taken), `Slot('name', int32[4], given back)`);
});

test('it is known for what it is, and goes with its last owner', async (t) => {
  const name = freshName(t);
  const owner = Program.node(
    t,
    `SharedQueue.create({ slots: 2, name: '${name}' }); say('made'); await told();`,
  );
  t.is(await owner.says(), 'made');
  t.is(segments().find((segment) => segment.name === name)?.kind, 'queue');
  using queue = SharedQueue.attach<'float64'>(name);
  await owner.kill();
  await until('the tracker unlinks it', () => !exists(name));
  t.true(queue.tryPush(number(1)), 'who has it keeps it');
});

test('a worker thread has its own side of it, and what it had is recovered when it is terminated', async (t) => {
  t.true(isMainThread);
  const queue = queueOf(t, { slots: 2 });
  const code = `
    import('shmkit').then(({ attach }) => {
      const { parentPort, workerData } = require('node:worker_threads');
      globalThis.queue = attach(workerData);
      queue.tryPush(Float64Array.of(1));
      globalThis.slot = queue.tryClaim();
      parentPort.postMessage('claimed');
      setInterval(() => {}, 1000);
    });`;
  const worker = new Worker(code, { eval: true, execArgv: [], workerData: queue.toJSON() });
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  t.deepEqual(queue.popSync(), number(1));
  const waiting = queue.pop();
  await worker.terminate();
  queue.pushSync(number(2));
  t.deepEqual(await waiting, number(2));
  t.is(queue.lost, 1);
});

test('a pool’s workers get it attached', async (t) => {
  const queue = queueOf(t);
  await using pool = new Pool(await compiled(new URL('../../fixtures/pool-work.ts', import.meta.url)), {
    workers: 1,
  });
  queue.pushSync(number(41));
  await pool.run('answer', queue);
  t.deepEqual(await queue.pop(), number(42));
});

test('createOrAttach makes what is not there, and attaches to what is as it was asked for', async (t) => {
  const name = freshName(t);
  const options = { slots: 4, dtype: 'int32', shape: [2], spsc: true } as const;
  using first = SharedQueue.createOrAttach(name, options);
  using second = SharedQueue.createOrAttach(name, options);
  const typed: SharedQueue<'int32'> = second;
  first.pushSync(Int32Array.of(1, 2));
  t.deepEqual(typed.popSync(), Int32Array.of(1, 2));
  t.deepEqual([first.spsc, second.spsc, second.slots], [true, true, 4]);
  for (const [other, message] of [
    [{ dtype: 'float64' }, /are int32, not float64/],
    [{ shape: [3] }, /is \[2\], not \[3\]/],
    [{ slots: 5 }, /has 4 slots, not 5/],
    [{ spsc: undefined }, /is for one producer and one consumer \(spsc\), not for any number of both/],
  ] as const) {
    leavesNothing(t, () => {
      const expected = { code: 'ERR_SHM_MISMATCH', message };
      t.throws(() => SharedQueue.createOrAttach(name, { ...options, ...other } as never), expected);
    });
  }
  t.throws(() => SharedQueue.createOrAttach(name, { ...options, name: 'other' } as never), {
    code: 'ERR_INVALID_ARG_TYPE',
  });
  t.throws(() => SharedQueue.createOrAttach(name, undefined as never), { code: 'ERR_INVALID_ARG_TYPE' });
  // It lives as long as one of those who called it.
  first.unlink();
  const code = `const queue = shmkit.SharedQueue.createOrAttach('${name}', { slots: 2 });
    say(String(queue.length));
    await told();`;
  const maker = Program.node(t, code);
  t.is(await maker.says(), '0');
  using other = SharedQueue.createOrAttach(name, { slots: 2 });
  other.pushSync(number(7));
  const third = Program.node(t, code);
  t.is(await third.says(), '1');
  await maker.kill();
  await third.kill();
  t.true(exists(name));
  t.deepEqual(other.popSync(), number(7));
  other.unlink();
});
