import fs from 'node:fs';
import { fileURLToPath } from 'node:url';

import test from 'ava';

import { SharedCache } from '../../../examples/cluster-cache/cache.js';
import { venvPython } from '../../fixtures/python.js';
import { run } from '../../fixtures/run.js';
import { TYPESCRIPT } from '../../fixtures/typescript.js';

const example = (file: string): string =>
  fileURLToPath(new URL(`../../../examples/${file}`, import.meta.url));
const node = (file: string, env?: NodeJS.ProcessEnv) =>
  run(process.execPath, [TYPESCRIPT, example(file)], 100, env);

test('txn.ts: what one process writes inside of a txn the other reads', async (t) => {
  const { code, output } = await node('txn.ts');
  t.is(code, 0, output);
  t.is(
    output,
    '[99] is 99, [0:10] is 0 1 2 3 4 5 6 7 8 9\n' +
      '[99] is 198, [0:10] is 0 2 4 6 8 10 12 14 16 18\n' +
      '[99] is 41, [0:10] is 0 3 6 9 12 15 18 21 24 27\n',
  );
});

test('manager-dict: four workers count under their pids, as in the Python original', async (t) => {
  const printed = /^(process \d+ wrote \d+ times\n){4}2000 in \d+ ms\n$/;
  const [ours, original] = await Promise.all([
    node('manager-dict/main.ts'),
    run(venvPython(), [example('manager-dict/original.py')]),
  ]);
  for (const { code, output } of [ours, original]) {
    t.is(code, 0, output);
    t.regex(output, printed);
  }
});

test('cluster-cache: each item is computed once, and a worker that is killed takes nothing with it', async (t) => {
  const { code, output } = await node('cluster-cache/main.ts');
  t.is(code, 0, output);
  t.is(
    output,
    '200 requests at once, for 10 items\n' +
      '  upstream was asked 10 times\n' +
      '  misses: 10, hits: 190\n' +
      '100 requests for one item, whose worker is killed\n' +
      '  upstream was asked 2 times\n' +
      '  misses: 1, hits: 99\n' +
      '40 requests, and the new worker serves too\n' +
      '  upstream was asked 0 times\n' +
      '  misses: 0, hits: 40\n' +
      '100 requests for 100 other items\n' +
      '  upstream was asked 100 times\n' +
      '  misses: 100, hits: 0\n' +
      '  50 entries, which is the maximum\n' +
      'left in /dev/shm: 0\n',
  );
});

test('cluster-cache/cache.ts: the first one goes for a new one, and an error is not kept', async (t) => {
  using cache = new SharedCache<string>(`first-${process.pid}`, {
    ttl: 60_000,
    maxEntries: 3,
    maxByteLength: 1e6,
  });
  let computed = '';
  const get = (key: string) =>
    cache.get(key, async () => {
      computed += key;
      return `value of ${key}`;
    });
  await t.throwsAsync(
    cache.get('a', async () => {
      throw new Error('not today');
    }),
    { message: 'not today' },
  );
  for (const key of 'abcaabcdbcdab') t.is(await get(key), `value of ${key}`);
  t.is(computed, 'abcdab');
  t.deepEqual(cache.stats(), { requests: 14, hits: 7, misses: 6, entries: 3 });
  const segments = fs.readdirSync('/dev/shm').filter((name) => name.startsWith(cache.name));
  t.deepEqual(
    segments.toSorted(),
    ['', '-counters', '-counters.lk', '.lk'].map((end) => cache.name + end),
  );
});

test('cluster-cache/cache.ts: what is too old is computed again, in its place', async (t) => {
  using cache = new SharedCache<number>(`old-${process.pid}`, {
    ttl: 5,
    maxEntries: 3,
    maxByteLength: 1e6,
  });
  let computed = 0;
  while ((await cache.get('key', async () => ++computed)) < 5);
  t.is(cache.stats().entries, 1);
  t.is(cache.stats().misses, 5);
});

test('cluster-cache/cache.ts: one that is full begins afresh', async (t) => {
  using cache = new SharedCache<string>(`full-${process.pid}`, {
    ttl: 60_000,
    maxEntries: 100,
    maxByteLength: 1e5,
  });
  for (let i = 0; i < 100; i++) {
    const value = String(i).repeat(5000);
    t.is(await cache.get(`key ${i}`, async () => value), value);
    t.is(await cache.get(`key ${i}`, async () => 'lost'), value);
  }
  const { requests, hits, misses, entries } = cache.stats();
  t.deepEqual({ requests, hits, misses }, { requests: 200, hits: 100, misses: 100 });
  t.true(entries > 0 && entries < 20, `${entries} entries`);
});

test('frames: numpy finds the ball in every frame of the queue', async (t) => {
  const { code, output } = await node('frames/main.ts', { ...process.env, PYTHON: venvPython() });
  t.is(code, 0, output);
  t.regex(output, /^200 frames of 1280 × 720, the ball found in 200\n\d+ frames a second, \d+ MB\/s\n$/);
});

test('ticks: each reader has its own place in the stream, and knows what it lost', async (t) => {
  const { code, output } = await node('ticks/main.ts');
  t.is(code, 0, output);
  const readers = [...output.matchAll(/^ {2}(\w+): (\d+) seen, (\d+) lost; /gm)];
  t.deepEqual(
    readers.map(([, name]) => name),
    ['average', 'candles', 'slow'],
    output,
  );
  for (const [, , seen, lost] of readers) t.is(Number(seen) + Number(lost), 1_000_000, output);
});

test('counter-board: every board is of one moment, and nothing is lost', async (t) => {
  const { code, output } = await node('counter-board/main.ts');
  t.is(code, 0, output);
  const boards = output.split(/^┌.*┐\n/m).slice(1);
  const totals = boards.map((board, i) => {
    const [, total] = /^the sum of all counters is the total, (\d+)$/m.exec(board) ?? [];
    const cells = [...board.matchAll(/ (\d+) (?=│)/g)].map(([, cell]) => Number(cell)).slice(4);
    t.is(cells.length, 16, board);
    t.is(String(cells.reduce((a, b) => a + b)), total!, board);
    t.true(Number(total) >= (i + 1) * 5000, board);
    return Number(total);
  });
  t.is(totals.length, 4, output);
  t.deepEqual(
    totals,
    totals.toSorted((a, b) => a - b),
  );
  t.is(totals.at(-1), 20_000);
  t.true(output.endsWith('\nevery counter is exact\n'), output);
});
