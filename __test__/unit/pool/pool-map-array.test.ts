/** `pool.mapArray`: parts of two arrays, worked on in place by several processes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import { Pool, SharedArray, segments } from 'shmkit';

import { compiled } from '../../fixtures/typescript.js';
import { until } from '../../fixtures/wait.js';

const WORK = await compiled(new URL('map-array.ts', import.meta.url));

function setUp(t: ExecutionContext, shape: number | readonly number[] = 1000) {
  t.timeout(60_000, 'a pool that hangs');
  const pool = new Pool(WORK, { workers: 2 });
  const input = SharedArray.create(shape);
  const output = SharedArray.create(shape);
  for (let i = 0; i < input.size; i++) input.data[i] = i;
  t.teardown(async () => {
    await pool.close();
    for (const array of [input, output]) {
      array.close();
      array.unlink();
    }
  });
  return { pool, input, output };
}

const isRoots = (output: SharedArray<'float64'>): boolean =>
  output.data.every((value, i) => value === Math.sqrt(i));

test('each element once, in as many parts as there should be', async (t) => {
  const { pool, input, output } = setUp(t);
  for (const chunk of [undefined, 1000, 333, 64]) {
    output.fill(-1);
    const seen: [number, number][] = [];
    await pool.mapArray('roots', input, output, {
      ...(chunk !== undefined && { chunk }),
      onProgress: (done, total) => void seen.push([done, total]),
    });
    t.true(isRoots(output));
    t.deepEqual(
      seen.map(([, total]) => total),
      seen.map(() => 1000),
    );
    t.is(seen.length, chunk === undefined ? 4 : Math.ceil(1000 / chunk)); // 375, 375, 125, 125
    t.deepEqual(
      seen.map(([done]) => done),
      seen.map(([done]) => done).toSorted((a, b) => a - b),
    );
    t.deepEqual(seen.at(-1), [1000, 1000]);
  }
});

test('arrays of several dimensions, in another order, and parts of arrays', async (t) => {
  const { pool, input, output } = setUp(t, [60, 4]);
  using turned = SharedArray.create([60, 4], { order: 'F' });
  await pool.mapArray('index', input, turned, { chunk: 7 });
  for (let row = 0; row < 60; row++) t.is(turned.get(row, 0), row);
  using part = output.slice([10, 50, 2], [1, 3]);
  await pool.mapArray('index', part, part, { chunk: 3 });
  for (let row = 0; row < 20; row++) t.is(output.get(10 + 2 * row, 1), row);
  t.is(output.get(11, 1), 0);
  turned.unlink();
});

test('a part whose worker is killed is done once more', async (t) => {
  const { pool, input, output } = setUp(t);
  const folder = mkdtempSync(join(tmpdir(), 'shmkit-test-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  process.env['SHMKIT_TEST_DIE'] = `300,${join(folder, 'died')}`;
  t.teardown(() => delete process.env['SHMKIT_TEST_DIE']);
  await pool.mapArray('dieOnce', input, output, { chunk: 100 });
  t.true(isRoots(output));
});

test('workers keep segments mapped for the next time, and let go of them after a while', async (t) => {
  const { pool, input, output } = setUp(t);
  const attached = () => segments().find(({ name }) => name === output.name)?.attached;
  for (let times = 0; times < 3; times++) await pool.mapArray('roots', input, output);
  await until('the workers let go of it', () => attached()!.length === 1);
  t.deepEqual(attached(), [process.pid]);
  output.fill(-1);
  await pool.mapArray('roots', input, output);
  t.true(isRoots(output));
});

test('what is kept is not taken for another one of its name, nor for one that is gone', async (t) => {
  const { pool, input } = setUp(t);
  using first = SharedArray.create(1000);
  await pool.mapArray('roots', input, first);
  first.unlink();
  await t.throwsAsync(pool.mapArray('roots', input, first), { code: 'ENOENT' });
  using second = SharedArray.create(1000, { name: first.name });
  await t.throwsAsync(pool.mapArray('roots', input, first), { code: 'ERR_SHM_UNLINKED' });
  await pool.mapArray('roots', input, second);
  t.true(isRoots(second));
  second.unlink();
});

test('a function may close what it was given, and later ones have it again', async (t) => {
  const { pool, input, output } = setUp(t);
  for (let times = 0; times < 2; times++) {
    output.fill(-1);
    await pool.mapArray('closeAll', input, output);
    t.true(isRoots(output));
  }
});

test('an error says at which index the part begins', async (t) => {
  const { pool, input, output } = setUp(t);
  const thrown = await t.throwsAsync<RangeError & { item?: number }>(
    pool.mapArray('failAt', input, output, { chunk: 100 }),
    { message: 'no' },
  );
  t.true(thrown!.item! >= 500 && thrown!.item! % 100 === 0, `${thrown!.item}`);
  const died = await t.throwsAsync<Error & { items?: { from: number; to: number } }>(
    pool.mapArray('dieAlways', input, output, { chunk: 300 }),
    { code: 'ERR_SHM_WORKER_DIED' },
  );
  t.true([600, 900].includes(died!.items!.from), JSON.stringify(died!.items));
});

test('an abort, and what is refused before anything is done', async (t) => {
  const { pool, input, output } = setUp(t);
  const aborted = AbortSignal.abort(new Error('enough'));
  await t.throwsAsync(pool.mapArray('roots', input, output, { signal: aborted }), { message: 'enough' });
  using short = SharedArray.create(999);
  using scalar = SharedArray.create([]);
  await t.throwsAsync(pool.mapArray('roots', input, short), {
    code: 'ERR_OUT_OF_RANGE',
    message: /1000.*999/,
  });
  await t.throwsAsync(pool.mapArray('roots', scalar, scalar), { code: 'ERR_OUT_OF_RANGE' });
  await t.throwsAsync(pool.mapArray('roots', input, [] as never), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.throwsAsync(pool.mapArray('none', input, output), { code: 'ERR_SHM_METHOD' });
  await t.throwsAsync(pool.mapArray('roots', input, output, { chunk: 0 }), { code: 'ERR_OUT_OF_RANGE' });
  const closed = SharedArray.create(1000);
  closed.close();
  await t.throwsAsync(pool.mapArray('roots', input, closed), { code: 'ERR_SHM_CLOSED' });
  for (const array of [short, scalar, closed]) array.unlink();
  using none = SharedArray.create([0, 3]);
  await pool.mapArray('roots', none, none);
  none.unlink();
});

test('terminate() ends it, and no part is tried again', async (t) => {
  const { pool, input, output } = setUp(t);
  const mapped = t.throwsAsync(pool.mapArray('hangAt', input, output, { chunk: 100 }), {
    code: 'ERR_SHM_CLOSED',
    message: 'the pool was terminated',
  });
  await until('the part is reached', () => output.get(500) !== 0);
  await pool.terminate();
  await mapped;
  t.is(output.get(500), 1);
  t.deepEqual(segments().find(({ name }) => name === output.name)?.attached, [process.pid]);
  await t.throwsAsync(pool.mapArray('roots', input, output), { code: 'ERR_SHM_CLOSED' });
});
