/**
 * `actor.js NAME SEED ROLE ROW`: pushes (`producer`) or takes (`consumer`) items at random, in every way there is, until it
 * is killed or the queue has ended. It writes what it is doing into its row of the state, which tells the harness what may be
 * lost with it. It counts each item that it takes in the segment NAME-got. A fault is counted and ends it.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { SharedMemory, SharedQueue } from 'shmkit';

import { random } from '../../fixtures/random.js';
import {
  areaAt,
  DONE,
  FAULTS,
  GOT,
  HOLDS,
  isWhole,
  limitOf,
  OUTSIDE,
  RELEASES,
  rowAt,
  TRIES,
  write,
} from './rows.js';

const [name, seed, role, row] = process.argv.slice(2);
const me = Number(row);
const below = random(Number(seed));
const state = new Int32Array(SharedMemory.attach(`${name}-state`).buffer);
const got = new Uint8Array(SharedMemory.attach(`${name}-got`).buffer);
const queue = SharedQueue.attach(name);
const at = rowAt(me);

function say(what) {
  Atomics.store(state, at, what);
}

function fault(why) {
  Atomics.add(state, FAULTS, 1);
  process.stderr.write(`${role} ${row}: ${why}\n`);
  process.exit(3);
}

async function dawdle() {
  if (below(4) === 0) await sleep(below(3));
  for (let i = below(3) === 0 ? below(20_000) : 0; i > 0; i--) Atomics.load(state, 0);
}

const limit = limitOf(me);
const scratch = new Uint32Array(queue.shape[0]);
let next = 0;

function pushed() {
  Atomics.store(state, at + DONE, ++next);
  say(OUTSIDE);
}

async function inPlace(slot) {
  if (slot === undefined) return say(OUTSIDE);
  say(HOLDS);
  write(slot.data, me, next);
  await dawdle();
  say(RELEASES);
  if (below(8) === 0) {
    slot[Symbol.dispose]();
    return say(OUTSIDE);
  }
  slot.commit();
  pushed();
}

const item = () => (write(scratch, me, next), scratch);
const produce = [
  () => (queue.tryPush(item()) ? pushed() : say(OUTSIDE)),
  () => (queue.pushSync(item()), pushed()),
  async () => (await queue.push(item()), pushed()),
  () => queue.push(item(), { timeout: below(3) }).then(pushed, ignoreTimeout),
  () => inPlace(queue.tryClaim()),
  () => inPlace(queue.claimSync()),
  async () => inPlace(await queue.claim()),
];

function ignoreTimeout(error) {
  if (error.code !== 'ERR_SHM_TIMEOUT') throw error;
  say(OUTSIDE);
}

let over = false;
const goesOn = () => !over && next < limit;

/** From here on the item counts as taken. */
function count(data) {
  const [from, seq] = data;
  if (!isWhole(data)) fault(`an item of ${from} is torn: ${data.slice(0, 8)}`);
  if (Atomics.add(got, areaAt(from) + seq, 1) !== 0) fault(`item ${seq} of ${from} came twice`);
  Atomics.add(state, GOT, 1);
}

function popped(data) {
  if (data === undefined) over = queue.ended && queue.length === 0;
  else count(data);
  say(OUTSIDE);
}

async function readInPlace(slot) {
  if (slot === undefined) return popped(undefined);
  say(HOLDS);
  if (below(2) === 0) await dawdle();
  count(slot.data);
  if (below(2) === 0) await dawdle();
  say(RELEASES);
  slot[Symbol.dispose]();
  say(OUTSIDE);
}

const consume = [
  () => popped(queue.tryPop()),
  () => popped(queue.popSync()),
  async () => popped(await queue.pop()),
  () => queue.pop({ timeout: below(3) }).then(popped, ignoreTimeout),
  () => (queue.tryPopInto(scratch) ? popped(scratch) : popped(undefined)),
  () => readInPlace(queue.tryTake()),
  () => readInPlace(queue.takeSync()),
  async () => readInPlace(await queue.take()),
];

process.on('uncaughtException', (error) => fault(error.stack));
process.stdout.write('ready\n');
const ways = role === 'producer' ? produce : consume;
try {
  while (goesOn()) {
    // The same way for a while, or the fast ways would wait for the slow ones all the time.
    const way = ways[below(ways.length)];
    for (let i = 1 + below(50); i > 0 && goesOn(); i--) {
      say(TRIES);
      await way();
      // The number of items that can be counted is limited, and the kills may take long.
      if (next > limit / 2) await sleep(1);
    }
  }
} catch (error) {
  if (error.code !== 'ERR_SHM_ENDED') fault(error.stack);
}
say(OUTSIDE);
queue.close();
process.exit(0);
