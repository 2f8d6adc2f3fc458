/**
 * `npx tsx examples/manager-dict/main.ts`: a pool of worker processes, each of which writes an entry under its pid into one
 * dict; the parent prints all of it. What `original.py` does with a `multiprocessing.Manager().dict()`.
 */
import { Pool, SharedDict } from 'shmkit';

const TASKS = 2000;

await using pool = new Pool(new URL('worker.ts', import.meta.url), { workers: 4 });
using dict = SharedDict.create<number>();
await pool.map(
  'work',
  Array.from({ length: 4 }, () => dict),
); // all of them are there

const began = performance.now();
await pool.map(
  'work',
  Array.from({ length: TASKS }, () => dict),
);
const time = performance.now() - began;

for (const [pid, count] of dict) console.log(`process ${pid} wrote ${count} times`);
let sum = 0;
for (const count of dict.values()) sum += count;
console.log(`${sum - 4} in ${time.toFixed(0)} ms`);
dict.unlink();
