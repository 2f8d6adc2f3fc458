/** `host.js NAME SEED COUNT`: runs `actor.js` in that many worker threads, and terminates each at a random point. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import { random } from '../../fixtures/random.js';

const [name, seed, count] = process.argv.slice(2);
const below = random(Number(seed));
const actor = new URL('actor.js', import.meta.url);
let left = Number(count);
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
    const randomMoment = below(20);
    await sleep(randomMoment);
    const began = performance.now();
    await worker.terminate();
    longest = Math.max(longest, performance.now() - began);
  }
}

process.stdout.write('ready\n');
await Promise.all([lane(), lane()]);
process.stdout.write(`${JSON.stringify({ longest })}\n`);
