import { setImmediate as turn } from 'node:timers/promises';

import { checkBoolean, checkOptions } from '../common/arguments.js';
import { shmError } from '../common/errors.js';
import type { Hold } from '../sync/lock.js';
import { refusePromise } from '../sync/txn.js';
import type { Plain, TxnOptions, TxnSyncOptions } from '../sync/txn.js';
import { checkSignal, checkSpin, checkTimeout, SYNC_WAIT_OPTIONS, WAIT_OPTIONS } from '../sync/waits.js';
import type { Handle } from './handle.js';
import type { Reader } from './reader.js';
import { Overlay } from './txn.js';
import type { Change, DictTxn, TxnSource } from './txn.js';
import { checkBody, checkKey, copyOf, encode } from './values.js';
import { Views } from './views.js';
import type { Writer } from './writer.js';

const TXN_OPTIONS = [...WAIT_OPTIONS, 'readOnly'];
const TXN_SYNC_OPTIONS = [...SYNC_WAIT_OPTIONS, 'readOnly'];
/** How often a read-only body runs without the lock before it takes it. */
const TRIES = 3;

/** @internal Runs the bodies of a dict's txns. */
export class TxnRunner<V> {
  readonly #handle: Handle;
  readonly #reader: Reader;
  readonly #writer: Writer;

  constructor(handle: Handle, reader: Reader, writer: Writer) {
    this.#handle = handle;
    this.#reader = reader;
    this.#writer = writer;
  }

  /** As `SharedDict.txn`. */
  async run<T>(body: (txn: DictTxn<V>) => Plain<T>, options?: TxnOptions): Promise<T> {
    const given = checkOptions(options, TXN_OPTIONS);
    const timeout = checkTimeout(given.timeout);
    const signal = checkSignal(given.signal);
    const readOnly = checkBoolean('readOnly', given.readOnly, false);
    checkBody(body);
    const handle = this.#handle;
    handle.checkOpen();
    signal?.throwIfAborted();
    if (readOnly) {
      const until = performance.now() + (handle.readOnly ? Math.min(timeout, handle.lockTimeout) : 0);
      do {
        const result = this.#beside(body);
        if (result !== undefined) return result.value;
        await turn();
        signal?.throwIfAborted();
        handle.checkOpen();
      } while (performance.now() < until);
      if (handle.readOnly) throw this.#reader.busyError(Math.min(timeout, handle.lockTimeout));
    }
    const lock = this.#writer.lock();
    const hold = this.#writer.newHold();
    // Immediately if it is free: the caller's next statement may need it too.
    const ownerDied = !lock.tryTake(hold) && (await lock.wait(hold, true, timeout, signal));
    handle.checkOpen();
    try {
      return this.#writer.inLock(lock, hold, ownerDied, () => this.#runInLock(body, readOnly, hold));
    } finally {
      hold.left ??= 'inconsistent';
    }
  }

  /** As `SharedDict.txnSync`. */
  runSync<T>(body: (txn: DictTxn<V>) => Plain<T>, options?: TxnSyncOptions): T {
    const given = checkOptions(options, TXN_SYNC_OPTIONS);
    const readOnly = checkBoolean('readOnly', given.readOnly, false);
    checkBody(body);
    const handle = this.#handle;
    handle.checkOpen();
    if (readOnly) {
      const result = this.#beside(body);
      if (result !== undefined) return result.value;
      if (handle.readOnly) {
        const timeout = Math.min(checkTimeout(given.timeout), handle.lockTimeout);
        return this.#reader.retry(timeout, () => this.#beside(body));
      }
    }
    const lock = this.#writer.lock();
    const hold = this.#writer.newHold();
    const ownerDied = lock.lockSync(hold, checkTimeout(given.timeout), checkSpin(given.spin));
    try {
      return this.#writer.inLock(lock, hold, ownerDied, () => this.#runInLock(body, readOnly, hold));
    } finally {
      hold.left ??= 'inconsistent'; // if the stack overflowed before it began
    }
  }

  /** Runs a read-only body without the lock. Undefined if the body needs the lock, or if there was a write during each run. */
  #beside<T>(body: (txn: DictTxn<V>) => Plain<T>): { value: T } | undefined {
    const { name, readOnly, table } = this.#handle;
    let needsLock = false;
    const view = (key: string): unknown => {
      if (readOnly) return this.#reader.get(key);
      needsLock = true;
      throw shmError('ERR_SHM_BUSY', `'${key}' is looked at in place once this txn has the lock`, name);
    };
    for (let round = 0; round < TRIES; round++) {
      if (needsLock) return undefined;
      const { version } = table;
      if ((version & 1) !== 0) continue;
      const isSame = (): boolean => table.version === version && !needsLock;
      try {
        const value = this.#run(body, true, view);
        if (isSame()) return { value };
      } catch (error) {
        if (isSame()) throw error;
      }
    }
    return undefined;
  }

  #runInLock<T>(body: (txn: DictTxn<V>) => Plain<T>, readOnly: boolean, hold: Hold): T {
    const views = new Views(this.#handle.native);
    try {
      return this.#run(body, readOnly, (key) => views.view(key) ?? this.#reader.get(key), hold);
    } finally {
      views.end(this.#handle.closed);
    }
  }

  #run<T>(
    body: (txn: DictTxn<V>) => Plain<T>,
    readOnly: boolean,
    view: (key: string) => unknown,
    hold?: Hold,
  ): T {
    const txn = new Overlay<V>(this.#source(view), readOnly);
    let result: Plain<T>;
    let changes: Map<string, Change>;
    try {
      result = body(txn);
    } finally {
      changes = txn.end();
    }
    refusePromise(result, "the body of a dict's txn must not return a promise");
    this.#handle.checkOpen();
    if (hold === undefined || readOnly) return result;
    hold.left = 'inconsistent'; // the body is over, and the rest runs no code of the caller's
    this.#writer.commit(changes);
    return result;
  }

  #source(view: (key: string) => unknown): TxnSource<V> {
    return {
      name: this.#handle.name,
      size: () => this.#reader.size(),
      look: (key) => this.#reader.get(key) as V | undefined,
      view,
      has: (key) => this.#reader.has(key),
      keys: () => this.#reader.keys(),
      encode: (key, value) => (checkKey(key), encode(value)),
      copyOf: (change) => copyOf(change as NonNullable<Change>) as V,
    };
  }
}
