import { SharedMemory, SharedMutex } from 'shmkit';
import type { TxnSyncOptions } from 'shmkit';

import type { Context } from '../context.js';
import { timed } from '../harness.js';
import type { Peer, Row, Run, Target } from '../harness.js';
import { letReadOnce } from '../pair.js';

const SIZE = 4096;
const READ_ONLY: TxnSyncOptions = { readOnly: true };

/** A lock that nobody else wants, against CPython's. */
export function uncontendedRows({ prefix, python, cleanup }: Context): Row[] {
  const row = (
    name: string,
    body: (mutex: SharedMutex, n: number) => unknown,
    blocking: boolean,
    target?: Target,
  ): Row => ({
    name,
    open() {
      const mutex = ownMutex({ prefix, cleanup });
      return {
        shmkit: timedOrAwaited((n) => body(mutex, n)),
        peers: [
          ...(python ? [python.peer('lock.cycle', { blocking }, target)] : []),
          { name: 'two plain compareExchange', run: timed(exchange) },
        ],
      };
    },
  });
  return [
    row('lockSync, unlock', lockSync, true, { faster: 1.5 }),
    row('tryLock, unlock', tryLock, false),
    row('await lock, unlock', lockAsync, true),
  ];
}

/** A txn of one byte, against a lock alone. */
export function txnRows({ prefix, cleanup }: Context): Row[] {
  const row = (
    name: string,
    body: (shm: SharedMemory, n: number) => unknown,
    readBefore: boolean,
    target?: Target,
  ): Row => ({
    name: `${name}${readBefore ? ', somebody has read before' : ''}`,
    async open() {
      const mutex = ownMutex({ prefix, cleanup });
      const shm = SharedMemory.create(SIZE, { name: `${prefix}-txn` });
      cleanup.defer(() => {
        shm.close();
        shm.unlink();
      });
      if (readBefore) await letReadOnce(cleanup, shm);
      const peer: Peer = {
        name: 'lockSync, unlock of a mutex',
        run: timed((n) => lockSync(mutex, n)),
        ...(target && { target }),
      };
      return { shmkit: timed((n) => body(shm, n)), peers: [peer] };
    },
  });
  const within: Target = { time: 5 };
  return [
    row('txnSync, one write', write, false, within),
    row('txnSync, one write', write, true, within),
    row('txnSync, one read, readOnly', read, false),
    row('txnSync, one read, readOnly', read, true),
  ];
}

function ownMutex({ prefix, cleanup }: Pick<Context, 'prefix' | 'cleanup'>): SharedMutex {
  const mutex = SharedMutex.createOrAttach(`${prefix}-mutex`);
  cleanup.defer(() => {
    mutex.close();
    mutex.unlink();
  });
  return mutex;
}

function timedOrAwaited(body: (n: number) => unknown): Run {
  return async (iterations) => {
    const start = process.hrtime.bigint();
    const result = body(iterations);
    // To await what is no promise would be a turn of the queue, and no more.
    if (result instanceof Promise) await result;
    return Number(process.hrtime.bigint() - start);
  };
}

function lockSync(mutex: SharedMutex, n: number): void {
  for (let i = 0; i < n; i++) mutex.lockSync().unlock();
}

function tryLock(mutex: SharedMutex, n: number): void {
  for (let i = 0; i < n; i++) mutex.tryLock()!.unlock();
}

async function lockAsync(mutex: SharedMutex, n: number): Promise<void> {
  for (let i = 0; i < n; i++) (await mutex.lock()).unlock();
}

const plain = new Int32Array(16);

/** What the processor asks for a lock that is taken and let go of. */
function exchange(n: number): number {
  let seen = 0;
  for (let i = 0; i < n; i++) {
    seen += Atomics.compareExchange(plain, 0, 0, 1);
    seen += Atomics.compareExchange(plain, 0, 1, 0);
  }
  return seen;
}

function write(shm: SharedMemory, n: number): void {
  for (let i = 0; i < n; i++) shm.txnSync((txn) => txn.set(0, 1));
}

function read(shm: SharedMemory, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += shm.txnSync((txn) => txn.get(0), READ_ONLY);
  return sum;
}
