/**
 * `actor.js NAME SEED writer ROW` publishes items at random, in every way there is, until it is killed or the broadcast has
 * ended. It counts them in its row of the state. `actor.js NAME SEED reader` reads items; `survivor` reads from the first to
 * the last and prints what it got. A fault ends the actor.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { SharedBroadcast, SharedMemory } from 'shmkit';

import { random } from '../../fixtures/random.js';
import { isWhole, write } from '../queues/rows.js';

const [name, seed, role, row] = process.argv.slice(2);
const below = random(Number(seed));
const state = new Int32Array(SharedMemory.attach(`${name}-state`).buffer);
const broadcast = SharedBroadcast.attach(name);
const drops = broadcast.onSlow === 'drop';
const scratch = new Uint32Array(broadcast.shape[0]);

function fault(why) {
  process.stderr.write(`${role} ${row ?? ''}: ${why}\n`);
  process.exit(3);
}

async function dawdle() {
  if (below(4) === 0) await sleep(below(3));
  for (let i = below(3) === 0 ? below(20_000) : 0; i > 0; i--) Atomics.load(state, 0);
}

const ignoreTimeout = (error) => {
  if (error.code !== 'ERR_SHM_TIMEOUT') throw error;
};

async function publish() {
  const me = Number(row);
  let next = 0;
  const published = () => Atomics.store(state, me, ++next);
  const item = () => (write(scratch, me, next), scratch);
  const ways = [
    () => broadcast.tryPublish(item()) && published(),
    () => (broadcast.publishSync(item()), published()),
    async () => (await broadcast.publish(item()), published()),
    () => broadcast.publish(item(), { timeout: below(3) }).then(published, ignoreTimeout),
  ];
  for (;;) {
    const way = ways[below(ways.length)];
    for (let i = 1 + below(50); i > 0; i--) await way();
    if (below(3) === 0) await dawdle();
  }
}

/** The number of items, a checksum, and the last item of each writer. */
const got = { count: 0, mixed: 0, last: [] };
let lost = 0;

function count(data, subscription) {
  const [from, seq] = data;
  if (!isWhole(data)) fault(`an item of ${from} is torn: ${data.slice(0, 8)}`);
  const before = got.last[from] ?? -1;
  const gap = seq - before - 1;
  if (gap < 0 || got.last.length > from + 1) fault(`item ${seq} of ${from} after ${before}`);
  if (gap > 0 && got.count > 0 && !(drops && subscription.lost >= lost + gap))
    fault(`item ${seq} of ${from} after ${before}, and ${subscription.lost - lost} lost`);
  lost = subscription.lost;
  got.last[from] = seq;
  got.count++;
  got.mixed = (Math.imul(got.mixed, 31) + from * 65_537 + seq) | 0;
}

async function read(subscription, many) {
  let over = false;
  const take = (data) => {
    if (data === undefined) over = broadcast.ended && subscription.length === 0;
    else count(data, subscription);
  };
  const ways = [
    () => take(subscription.tryNext()),
    () => (subscription.tryNextInto(scratch) ? take(scratch) : take(undefined)),
    () => take(subscription.nextSync()),
    async () => take(await subscription.next()),
    () => subscription.next({ timeout: below(3) }).then(take, ignoreTimeout),
  ];
  const goesOn = () => !over;
  for (let left = many; left > 0 && goesOn(); left--) {
    const way = ways[below(ways.length)];
    for (let i = 1 + below(50); i > 0 && goesOn(); i--) await way();
    if (below(3) === 0) await dawdle();
  }
  subscription.close();
}

process.on('uncaughtException', (error) => fault(error.stack));
const first = broadcast.subscribe({ from: 'oldest' });
if (role === 'writer') first.close();
process.stdout.write('ready\n');
try {
  if (role === 'writer') await publish();
  else if (role === 'survivor') {
    await read(first, Infinity);
    process.stdout.write(`${JSON.stringify({ ...got, lost: first.lost })}\n`);
  } else {
    for (let next = first; !broadcast.ended;) {
      await read(next, 1 + below(5));
      Object.assign(got, { count: 0, last: [] });
      lost = 0;
      next = broadcast.subscribe({ from: below(2) === 0 ? 'oldest' : 'latest' });
    }
  }
} catch (error) {
  if (error.code !== 'ERR_SHM_ENDED') fault(error.stack);
}
broadcast.close();
process.exit(0);
