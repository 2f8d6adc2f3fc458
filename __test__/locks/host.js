/** `host.js NAME SEED LIVES`: worker threads that do what `actor.js` does, each terminated at a random point. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import { random } from '../helpers/random.js';

const [name, seed, lives] = process.argv.slice(2);
const below = random(Number(seed));
const actor = new URL('actor.js', import.meta.url);
let left = Number(lives);
let last = Number(seed);
let longest = 0;

async function lane() {
  while (left-- > 0) {
    const worker = new Worker(actor, { workerData: [name, ++last] });
    worker.on('error', (error) => {
      console.error(error);
      process.exit(1);
    });
    await once(worker, 'message');
    await sleep(below(20));
    const began = performance.now();
    await worker.terminate();
    longest = Math.max(longest, performance.now() - began);
  }
}

await Promise.all([lane(), lane()]);
process.stdout.write(`${JSON.stringify({ longest })}\n`);
