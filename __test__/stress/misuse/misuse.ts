/**
 * `misuse.ts SEED ROUNDS`: every misuse that we know, `ROUNDS` times each, in an order that the seed gives. Each must
 * succeed or fail with an error that has a `code`. Anything else is a fault, above all a crash. It runs in a `/dev/shm` of its
 * own of 512 MB, beside ./neighbour.js, which writes random bytes into everything.
 */
import { elements } from './elements.js';
import { lifetime } from './lifetime.js';
import { locks } from './locks.js';
import { segments } from './segments.js';
import { streams } from './streams.js';
import { isRoot, random, seed, turn } from './tools.js';

const rounds = Number(process.argv[3]);
const misuses = { ...segments, ...lifetime, ...elements, ...locks, ...streams };

const order = Object.keys(misuses).flatMap((name) => Array.from({ length: rounds }, () => name));
let done = 0;
for (const name of random.shuffle(order)) {
  try {
    await misuses[name]!();
  } catch (error) {
    console.error(`seed ${seed}, after ${done} misuses: ${name}`);
    throw error;
  }
  done++;
  if (done % 100 === 0) await turn();
}
const without = isRoot ? '' : ' (not root: no segments of other users)';
console.log(`${done} misuses of ${Object.keys(misuses).length} kinds, seed ${seed}${without}`);
process.exit(0);
