/**
 * `npx tsx examples/counter-board/main.ts`: four worker processes count events under many keys, and this one shows the
 * board while they do.
 */
import { setImmediate as turn } from 'node:timers/promises';

import Table from 'cli-table3';
import { Pool, SharedDict } from 'shmkit';

import { events, PATHS, STATUSES } from './events.js';

const WORKERS = [0, 1, 2, 3];
const EACH = 5000;
const ALL = WORKERS.length * EACH;

await using pool = new Pool(new URL('worker.ts', import.meta.url), { workers: WORKERS.length });
using board = SharedDict.create<number>();

/** All counters of one moment, while the others go on counting. */
function look(): { counts: Map<string, number>; total: number } {
  const counts = board.txnSync((txn) => new Map(txn.entries()), { readOnly: true });
  const total = counts.get('total') ?? 0;
  counts.delete('total');
  let sum = 0;
  for (const count of counts.values()) sum += count;
  if (sum !== total) throw new Error(`the sum of all counters is ${sum}, and the total ${total}`);
  return { counts, total };
}

function show({ counts, total }: ReturnType<typeof look>): void {
  const table = new Table({
    head: ['', ...STATUSES],
    colAligns: ['left', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  });
  for (const path of PATHS) {
    table.push([path, ...STATUSES.map((status) => counts.get(`${path} ${status}`) ?? 0)]);
  }
  console.log(table.toString());
  console.log(`the sum of all counters is the total, ${total}`);
}

const counting = Promise.all(WORKERS.map((worker) => pool.run('count', board, worker, EACH)));
for (const part of [0.25, 0.5, 0.75]) {
  let seen = look();
  for (; seen.total < part * ALL; seen = look()) await turn();
  show(seen);
}
await counting;
show(look());

// The same once more, in a Map of this process.
const expected = new Map<string, number>();
for (const worker of WORKERS) {
  for (const key of events(worker, EACH)) expected.set(key, (expected.get(key) ?? 0) + 1);
}
const exact = [...expected].every(([key, count]) => board.get(key) === count);
console.log(`every counter is ${exact ? 'exact' : 'WRONG'}`);
board.unlink();
