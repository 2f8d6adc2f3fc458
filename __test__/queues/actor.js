/**
 * `actor.js NAME SEED ROLE ROW`: pushes (`producer`) or takes (`consumer`) items at random, in every way there is, until it
 * is killed or the queue has ended. It says what it is about in its row of the state, so that whoever kills it knows what
 * may be lost; an item that it was given is counted in the segment of those that were got. A fault ends it.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { SharedMemory, SharedQueue } from 'shmkit';

import { random } from '../helpers/random.js';
import {
  ABOUT,
  areaAt,
  DONE,
  FAULTS,
  GIVES,
  GOT,
  HAS,
  isWhole,
  limitOf,
  OUTSIDE,
  rowAt,
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
  say(HAS);
  write(slot.data, me, next);
  await dawdle();
  say(GIVES);
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
  () => queue.push(item(), { timeout: below(3) }).then(pushed, calledOff),
  () => inPlace(queue.tryClaim()),
  () => inPlace(queue.claimSync()),
  async () => inPlace(await queue.claim()),
];

function calledOff(error) {
  if (error.code !== 'ERR_SHM_TIMEOUT') throw error;
  say(OUTSIDE);
}

let over = false;
const goesOn = () => !over && next < limit;

/** What it was given counts as got from here on. */
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
  say(HAS);
  if (below(2) === 0) await dawdle();
  count(slot.data);
  if (below(2) === 0) await dawdle();
  say(GIVES);
  slot[Symbol.dispose]();
  say(OUTSIDE);
}

const consume = [
  () => popped(queue.tryPop()),
  () => popped(queue.popSync()),
  async () => popped(await queue.pop()),
  () => queue.pop({ timeout: below(3) }).then(popped, calledOff),
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
    // The same way for a while, or the quick ones would all be waiting for the slow ones.
    const way = ways[below(ways.length)];
    for (let i = 1 + below(50); i > 0 && goesOn(); i--) {
      say(ABOUT);
      await way();
      // There is room for so many items only, and the kills take as long as they do.
      if (next > limit / 2) await sleep(1);
    }
  }
} catch (error) {
  if (error.code !== 'ERR_SHM_ENDED') fault(error.stack);
}
say(OUTSIDE);
queue.close();
process.exit(0);
