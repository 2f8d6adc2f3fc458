/** map(): order, progress, errors and aborts. */
import test from 'ava';
import { segments } from 'shmkit';
import type { WorkerDiedError } from 'shmkit';

import { until } from '../../fixtures/wait.js';
import { poolOf, memoryOf, eventOf, upTo } from './common.js';

/** Of a DOMException, which is no native error to `throwsAsync`. */
const nameOf = (error: Error): string => error.name;

test.serial('map tries the chunk of a worker that died once more', async (t) => {
  const pool = poolOf(t);
  const seen = memoryOf(t, 400);
  const items = upTo(30).map((n) => [n, 17, 1, seen]);
  t.deepEqual(await pool.map('dieAt', items, { chunk: 5 }), upTo(30));
  const counters = new Int32Array(seen.buffer);
  for (const n of upTo(30)) t.is(counters[n], n >= 15 && n <= 17 ? 2 : 1, `item ${n}`);
});

test.serial('map gives a chunk up whose worker dies twice, and says which', async (t) => {
  const pool = poolOf(t);
  const seen = memoryOf(t, 400);
  const items = upTo(30).map((n) => [n, 17, 9, seen]);
  const error = await t.throwsAsync<WorkerDiedError>(pool.map('dieAt', items, { chunk: 5 }), {
    code: 'ERR_SHM_WORKER_DIED',
  });
  t.deepEqual(error.items, { from: 15, to: 20 });
  t.deepEqual([error.method, error.signal], ['dieAt', 'SIGKILL']);
  t.is(new Int32Array(seen.buffer)[17], 2);
  t.is(await pool.run('double', 2), 4);
});

test.serial('map gives the results in the order of the items, whatever they come from', async (t) => {
  const pool = poolOf(t);
  const wanted = upTo(100).map((n) => n * 2);
  const generator = (function* () {
    yield* upTo(100);
  })();
  for (const items of [upTo(100), new Set(upTo(100)), Uint8Array.from(upTo(100)), generator]) {
    t.deepEqual(await pool.map<number, number>('doubleLater', items), wanted);
  }
  for (const chunk of [1, 7, 100, 1000]) t.deepEqual(await pool.map('double', upTo(100), { chunk }), wanted);
  t.deepEqual(await pool.map('double', []), []);
  const nested = [[1], [[2]], []];
  t.deepEqual(
    await pool.map('echo', nested),
    nested.map((item) => [item]),
  );
});

test.serial('map says how far it is, up to all', async (t) => {
  const pool = poolOf(t);
  const told: [number, number][] = [];
  await pool.map('double', upTo(10), { chunk: 4, onProgress: (...now) => told.push(now) });
  t.is(told.length, 3);
  t.true(told.every(([, total]) => total === 10));
  t.deepEqual(told.at(-1), [10, 10]);
  told.length = 0;
  await pool.map('double', new Set(upTo(10)).values(), { onProgress: (...now) => told.push(now) });
  t.deepEqual(told.at(-1), [10, 10]);
  await t.throwsAsync(
    pool.map('double', upTo(10), {
      onProgress: () => {
        throw new Error('from onProgress');
      },
    }),
    { message: 'from onProgress' },
  );
});

test.serial('map takes no more items than its workers can begin with', async (t) => {
  const pool = poolOf(t, 2);
  const counters = memoryOf(t);
  const goOn = eventOf(t);
  let taken = 0;
  const items = (function* () {
    for (; taken < 20;) yield [counters, goOn, taken++];
  })();
  const mapped = pool.map('holdEach', items, { chunk: 3 });
  await until('both have begun', () => new Int32Array(counters.buffer)[0] === 2);
  t.true(taken <= 9, `${taken} items for two workers, three at a time`);
  goOn.set();
  t.deepEqual(await mapped, upTo(20));
});

test.serial('map ends with the first error, which says the item, and begins no further one', async (t) => {
  const pool = poolOf(t, 1);
  let closed = false;
  const items = (function* () {
    try {
      for (let n = 0; ; n++) yield n;
    } finally {
      closed = true;
    }
  })();
  const error = await t.throwsAsync<Error & { item: number }>(pool.map('failAtSeven', items, { chunk: 3 }), {
    code: 'ENOT',
    message: 'not 7',
  });
  t.is(error.item, 7);
  await until('the pool is closed', () => closed);
  t.is(await pool.run('double', 2), 4);
});

test.serial('an error of the iterable is the error of map', async (t) => {
  const pool = poolOf(t);
  const items = (function* () {
    yield 1;
    throw new Error('no more items');
  })();
  await t.throwsAsync(pool.map('double', items), { message: 'no more items' });
});

test.serial('what workers made for a map that fails is closed here, and goes with the pool', async (t) => {
  const pool = poolOf(t, 1);
  const ours = (): string[] =>
    segments().flatMap(({ name, owners }) => (owners.includes(process.pid) ? [name] : []));
  const before = ours();
  const items = [1, 2, () => 3];
  await t.throwsAsync(pool.map('make', items, { chunk: 1 }), { code: 'ERR_SHM_VALUE' });
  const attached = segments().filter(({ owners }) => owners.includes(process.pid));
  const pid = await pool.run<number>('pid');
  t.false(attached.some(({ owners, attached: by }) => owners.includes(pid) && by.includes(process.pid)));
  t.is(ours().length, before.length + 2);
  await pool.close();
  t.deepEqual(ours(), before);
});

// Aborts

test.serial('an abort ends an endless map at once, with its reason; the pool stays usable', async (t) => {
  const pool = poolOf(t);
  const controller = new AbortController();
  let taken = 0;
  let closed = false;
  const items = (function* () {
    try {
      for (;;) yield taken++;
    } finally {
      closed = true;
    }
  })();
  const reason = new Error('enough');
  const mapped = pool.map('double', items, {
    signal: controller.signal,
    onProgress: (done) => done >= 100 && controller.abort(reason),
  });
  t.is(await mapped.catch((error: unknown) => error), reason);
  await until('the pool is closed', () => closed);
  t.true(taken < 110, `${taken} items taken for 100 done`);
  t.is(await pool.run('double', 2), 4);
  t.is(await pool.map('double', [1], { signal: AbortSignal.abort() }).catch(nameOf), 'AbortError');
});

test.serial(
  'an abort waits for nobody: the item that a worker is at ends later, and the rest is not begun',
  async (t) => {
    const pool = poolOf(t, 1);
    const controller = new AbortController();
    const counters = memoryOf(t);
    const begun = new Int32Array(counters.buffer);
    const goOn = eventOf(t);
    const items = upTo(10).map((n) => [counters, goOn, n]);
    const mapped = pool.map('holdEach', items, { chunk: 10, signal: controller.signal });
    await until('the call has begun', () => begun[0] === 1);
    controller.abort();
    t.is(await mapped.catch(nameOf), 'AbortError');
    goOn.set();
    t.is(await pool.run('double', 2), 4, 'by the same worker, after that item');
    t.is(begun[0], 1);
  },
);

test.serial('an abort is heard between items that leave no time for it', async (t) => {
  const pool = poolOf(t, 1);
  const controller = new AbortController();
  const counters = memoryOf(t);
  const begun = new Int32Array(counters.buffer);
  const items = upTo(10_000).map(() => [counters, 5]);
  const mapped = pool.map('busyFor', items, { chunk: 10_000, signal: controller.signal });
  await until('a call has begun', () => begun[0]! > 0);
  controller.abort();
  t.is(await mapped.catch(nameOf), 'AbortError');
  await pool.close();
  t.true(begun[0]! < 5000, 'the rest of the chunk was not begun');
});
