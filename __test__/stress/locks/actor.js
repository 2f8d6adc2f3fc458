/**
 * `actor.js NAME SEED`, as a process or (with its arguments as `workerData`) as a worker thread: takes a mutex and the
 * txns of a segment at random, in every way there is, until it is killed. Each lock guards two counters, which are equal
 * when it is free, and the id of its holder. A fault is counted and ends the actor.
 *
 * State, in 32-bit words: 0 the holder of the mutex, 1 and 2 its counters, 3 how often it was locked; 4 to 7 the same for
 * the txns; 8 and 9 how often an actor was told that a holder died; 10 the faults; 11 reads; 13 one of the readers.
 */
import { parentPort, threadId, workerData } from 'node:worker_threads';

import { SharedMemory, SharedMutex } from 'shmkit';

import { random } from '../../fixtures/random.js';

const [name, seed] = parentPort === null ? process.argv.slice(2) : workerData;
const below = random(Number(seed));
const me = (process.pid % 1_000_000) * 1000 + (threadId % 1000);
const state = SharedMemory.attach(`${name}-state`);
const words = new Int32Array(state.buffer);
const mutex = SharedMutex.attach(`${name}-mutex`);
const shm = SharedMemory.attach(`${name}-txn`);

function fault(why) {
  Atomics.add(words, 10, 1);
  process.stderr.write(`${me}: ${why}\n`);
  process.exit(3);
}

/** Takes long enough for other actors to come, or no time. */
function dawdle() {
  for (let i = below(4) === 0 ? below(20_000) : 0; i > 0; i--) Atomics.load(words, 12);
}

/** Holds a lock whose words begin at `at`. */
function inside(at, ownerDied) {
  const before = Atomics.load(words, at);
  if (ownerDied) {
    Atomics.add(words, at === 0 ? 8 : 9, 1);
    Atomics.store(words, at + 2, Atomics.load(words, at + 1));
  } else if (before !== 0) {
    fault(`${before} is inside as well`);
  } else if (Atomics.load(words, at + 1) !== Atomics.load(words, at + 2)) {
    fault('a holder died, and ownerDied is false');
  }
  Atomics.store(words, at, me);
  Atomics.store(words, at + 1, Atomics.load(words, at + 1) + 1);
  dawdle();
  Atomics.store(words, at + 2, Atomics.load(words, at + 2) + 1);
  if (Atomics.load(words, at) !== me) fault(`${Atomics.load(words, at)} came inside as well`);
  Atomics.store(words, at, 0);
  Atomics.add(words, at + 3, 1);
}

function reads(ownerDied) {
  Atomics.store(words, 13, me);
  const count = Atomics.load(words, 5);
  if (!ownerDied && (Atomics.load(words, 4) !== 0 || count !== Atomics.load(words, 6)))
    fault('a writer is inside');
  dawdle();
  if (count !== Atomics.load(words, 5)) fault('a writer wrote during a read');
  Atomics.compareExchange(words, 13, me, 0);
  Atomics.add(words, 11, 1);
}

const promised = [
  async () => {
    guarded(await mutex.lock(), (guard) => inside(0, guard.ownerDied));
  },
  () => shm.txn((txn) => inside(4, txn.ownerDied)),
  () => shm.txn((txn) => reads(txn.ownerDied), { readOnly: true }),
  async () => {
    // A wait that is cancelled at any moment leaves no trace.
    const signal = AbortSignal.timeout(below(3));
    const timeout = below(3);
    await shm
      .txn((txn) => inside(4, txn.ownerDied), below(2) === 0 ? { signal } : { timeout })
      .catch(ignoreTimeout);
    await mutex
      .lock({ timeout })
      .then((guard) => guarded(guard, () => inside(0, guard.ownerDied)), ignoreTimeout);
  },
];
const blocking = [
  () => guarded(mutex.lockSync({ spin: below(2) * 2000 }), (guard) => inside(0, guard.ownerDied)),
  () => guarded(mutex.tryLock(), (guard) => inside(0, guard.ownerDied)),
  () => shm.txnSync((txn) => inside(4, txn.ownerDied), { spin: below(2) * 2000 }),
  () => shm.txnSync((txn) => reads(txn.ownerDied), { readOnly: true }),
  () => {
    try {
      shm.txnSync((txn) => inside(4, txn.ownerDied), { timeout: below(3) });
    } catch (error) {
      ignoreTimeout(error);
    }
  },
];

/** Node 20 has no `using`. */
function guarded(guard, body) {
  if (guard === undefined) return;
  try {
    body(guard);
  } finally {
    guard.unlock();
  }
}

function ignoreTimeout(error) {
  if (error.code !== 'ERR_SHM_TIMEOUT' && error.name !== 'TimeoutError') throw error;
}

process.on('uncaughtException', (error) => fault(error.stack));
if (parentPort === null) process.stdout.write('ready\n');
else parentPort.postMessage('ready');
for (;;) {
  // Several promises at a time, so that they queue, and blocking calls beside them.
  const waiting = Promise.all(Array.from({ length: 1 + below(3) }, () => promised[below(promised.length)]()));
  if (below(2) === 0) await waiting;
  for (let i = below(20); i > 0; i--) {
    try {
      blocking[below(blocking.length)]();
    } catch (error) {
      // A promise of this thread holds it already.
      if (error.code !== 'ERR_SHM_DEADLOCK') throw error;
    }
  }
  await waiting;
}
