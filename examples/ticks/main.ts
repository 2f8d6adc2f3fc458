/**
 * `npx tsx examples/ticks/main.ts`: one stream of prices, broadcast to three readers in processes of their own. Each has
 * its own place in the stream; the one that is too slow loses ticks, and knows how many.
 */
import { setImmediate as turn } from 'node:timers/promises';

import { Pool, SharedBroadcast } from 'shmkit';

import type { Report } from './readers.js';

const TICKS = 1_000_000;
const READERS = ['average', 'candles', 'slow'];

await using pool = new Pool(new URL('readers.ts', import.meta.url), { workers: READERS.length });
using ticks = SharedBroadcast.create({ slots: 8192, shape: [2], dtype: 'float64', onSlow: 'drop' });

const reading = READERS.map((reader) => pool.run<Report>(reader, ticks));
while (ticks.subscribers < READERS.length) await turn();

const start = performance.now();
const tick = new Float64Array(2); // the price, and how many were sold
for (let i = 0; i < TICKS; i++) {
  tick[0] = 100 + 10 * Math.sin(i / 10_000);
  tick[1] = 1 + (i % 7);
  ticks.publishSync(tick); // waits for nobody
}
ticks.end();
const seconds = (performance.now() - start) / 1000;

console.log(`${TICKS} ticks, ${(TICKS / seconds / 1e6).toFixed(1)} million a second`);
for (const [i, { seen, lost, result }] of (await Promise.all(reading)).entries()) {
  const complete = seen + lost === TICKS ? '' : ', WRONG';
  console.log(`  ${READERS[i]}: ${seen} seen, ${lost} lost${complete}; ${result}`);
}
