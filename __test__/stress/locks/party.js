/**
 * `party.js NAME PARTY MODE COUNT`: one of two processes that hand something to each other, `COUNT` times in all. It prints
 * how many wake-ups it missed.
 */
import { SharedEvent, SharedMemory, SharedMutex, SharedQueue } from 'shmkit';

import { lateWaits } from '../../../binding.js';

const [name, partyText, mode, countText] = process.argv.slice(2);
const party = Number(partyText);
const count = Number(countText);
const state = SharedMemory.attach(`${name}-state`);
/** 0 hand-overs of the mutex, 2 parties that have started. */
const words = new Int32Array(state.buffer);

/** Each sets the event of the other party and waits for its own. */
async function events(wait) {
  const [mine, theirs] = [`${name}-${party}`, `${name}-${1 - party}`].map((it) => SharedEvent.attach(it));
  for (let turn = party; turn < count; turn += 2) {
    if (turn > 0) {
      const woken = wait(mine);
      if (woken !== undefined) await woken;
      mine.clear();
    }
    theirs.set();
  }
}

/** Spins until the condition holds, and lets the event loop run now and then. */
async function until(condition) {
  for (let i = 1; !condition(); i++) {
    if (i % 1000 === 0) await new Promise(setImmediate);
  }
}

/** The holder of the mutex keeps it until the other party sleeps for it, so each hand-over is a wake-up. */
async function mutexes(lock) {
  const mutex = SharedMutex.attach(`${name}-mutex`);
  const look = SharedMemory.attach(`${name}-mutex`);
  const word = new Int32Array(look.buffer);
  const turn = () => Atomics.load(words, 0);
  await until(() => turn() % 2 === party);
  for (;;) {
    const taken = lock(mutex);
    const guard = taken instanceof Promise ? await taken : taken;
    const now = Atomics.add(words, 0, 1) + 1;
    if (now < count) await until(() => Atomics.load(word, 16) < 0);
    guard.unlock();
    if (now >= count - 1) return;
    await until(() => turn() > now);
  }
}

/** One pushes and the other pops, through a single slot, so that each waits for the other all the time. */
async function slots(push, pop) {
  const queue = SharedQueue.attach(`${name}-queue`);
  const item = Float64Array.of(0);
  for (let i = 0; i < count; i++) {
    const done = party === 0 ? push(queue, item) : pop(queue);
    if (done instanceof Promise) await done;
  }
}

Atomics.add(words, 2, 1);
while (Atomics.load(words, 2) < 2) await new Promise(setImmediate);
await {
  'events, blocking, without spins': () => events((event) => event.waitSync({ spin: 0 })),
  'events, blocking, with spins': () => events((event) => event.waitSync()),
  'events, promised': () => events((event) => event.wait()),
  'mutex, blocking, without spins': () => mutexes((mutex) => mutex.lockSync({ spin: 0 })),
  'mutex, blocking, with spins': () => mutexes((mutex) => mutex.lockSync()),
  'mutex, promised': () => mutexes((mutex) => mutex.lock()),
  'queue, blocking, without spins': () =>
    slots(
      (queue, item) => queue.pushSync(item, { spin: 0 }),
      (queue) => queue.popSync({ spin: 0 }),
    ),
  'queue, blocking, with spins': () =>
    slots(
      (queue, item) => queue.pushSync(item),
      (queue) => queue.popSync(),
    ),
  'queue, promised': () =>
    slots(
      (queue, item) => queue.push(item),
      (queue) => queue.pop(),
    ),
}[mode]();
process.stdout.write(`${lateWaits()}\n`);
