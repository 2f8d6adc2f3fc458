import { Buffer } from 'node:buffer';
import { types } from 'node:util';

import { checkOptions } from '../common/arguments.js';
import { closedError, outOfRange, shmError, wrongType } from '../common/errors.js';
import type { Hold, Left, Lock, Owner } from './lock.js';
import { checkSpin, checkTimeout, SYNC_WAIT_OPTIONS, WAIT_OPTIONS, checkSignal } from './waits.js';
import type { SyncWaitOptions, WaitOptions } from './waits.js';

/** The result of a synchronous body: any type but a promise. */
export type Plain<T> = T extends PromiseLike<unknown> ? never : T;
/** Options of a txn that does not block the thread. */
export type TxnOptions = WaitOptions & {
  /** Only read, beside other readers. Default false. */
  readOnly?: boolean | undefined;
};
/** Options of a txn that blocks the thread. */
export type TxnSyncOptions = SyncWaitOptions & {
  /** Only read, beside other readers. Default false. */
  readOnly?: boolean | undefined;
};

/** Exclusive (or, with `readOnly`, shared) access to a segment's bytes. Disposing of it ends it. */
export interface Txn extends Disposable {
  /** Whether this txn only reads. */
  readonly readOnly: boolean;
  /** Whether a holder died or threw inside its txn, and no later txn has ended well since: check the data. */
  readonly ownerDied: boolean;
  /**
   * The bytes in place, for `bytes[i] = x`. With `readOnly` a view: writes to it reach no other process.
   * @throws `ERR_SHM_TXN_ENDED`; otherwise as `SharedMemory.buf`.
   */
  readonly bytes: Buffer;
  /**
   * Returns the byte at `index`; a negative index counts from the end.
   * @throws `ERR_OUT_OF_RANGE`, `ERR_SHM_TXN_ENDED`; otherwise as `SharedMemory.buf`.
   */
  get(index: number): number;
  /**
   * Sets the byte at `index` to a number from 0 to 255; a negative index counts from the end.
   * @throws `ERR_OUT_OF_RANGE`, `ERR_SHM_READ_ONLY`, `ERR_SHM_TXN_ENDED`; otherwise as `SharedMemory.buf`.
   */
  set(index: number, byte: number): void;
  /**
   * Returns a copy of the bytes from `start` (default 0) to before `end` (default: the end), as
   * `Array.prototype.slice`.
   * @throws `ERR_SHM_TXN_ENDED`; otherwise as `SharedMemory.buf`.
   */
  slice(start?: number, end?: number): Buffer;
  /**
   * Copies all of `bytes` to byte `offset`, by default 0.
   * @throws `ERR_OUT_OF_RANGE` if they do not fit, `ERR_INVALID_ARG_TYPE`, `ERR_SHM_READ_ONLY`,
   * `ERR_SHM_TXN_ENDED`; otherwise as `SharedMemory.buf`.
   */
  write(bytes: Uint8Array, offset?: number): void;
  /**
   * Ends the txn and confirms that the data is consistent, as disposing of it does. Idempotent.
   * @throws `ERR_SHM_LOCK_LOST` if another process took this one for dead, or overwrote the lock.
   */
  end(): void;
}

/** @internal What a txn is on. */
export interface TxnTarget extends Owner {
  readonly name: string;
  readonly readOnly: boolean;
  /** The bytes in place. */
  bytes(): Buffer;
  /** Opens the lock where it is not open yet. */
  lock(): Lock;
  /** Lets what only reads see what the segment holds now. */
  refresh(): void;
  /** The bytes for one who only reads. */
  view(): Buffer;
}

/** @internal */
export class SegmentTxn implements Txn, Hold {
  readonly owner: TxnTarget;
  readonly readOnly: boolean;
  ownerDied = false;
  reading = false;
  left: Left | undefined = undefined;
  /** Undefined once it has ended. */
  #lock: Lock | undefined;
  #view: Buffer | undefined;

  constructor(target: TxnTarget, readOnly: boolean) {
    this.owner = target;
    this.readOnly = readOnly;
  }

  /** Once it has the lock. */
  begin(lock: Lock, ownerDied: boolean): this {
    this.#lock = lock;
    this.ownerDied = ownerDied;
    if (this.readOnly && this.owner.readOnly) this.owner.refresh();
    return this;
  }

  finish(left: Left): void {
    const lock = this.#lock;
    if (lock === undefined) return;
    this.left = left;
    this.#lock = undefined;
    if (this.readOnly) lock.unlockRead(this);
    else lock.unlock(this, left);
  }

  get bytes(): Buffer {
    if (!this.readOnly) return this.#buf();
    this.#checkOpen();
    return (this.#view ??= this.owner.view());
  }

  get(index: number): number {
    const buf = this.#buf();
    return buf[this.#at(index, buf.length)] as number;
  }

  set(index: number, byte: number): void {
    const buf = this.#writable();
    if ((byte & 0xff) !== byte) throw outOfRange('byte', 'a whole number from 0 to 255', byte);
    buf[this.#at(index, buf.length)] = byte;
  }

  slice(start?: number, end?: number): Buffer {
    return Buffer.from(this.#buf().subarray(start, end));
  }

  write(bytes: Uint8Array, offset = 0): void {
    const buf = this.#writable();
    if (!types.isUint8Array(bytes)) throw wrongType('bytes', 'a Uint8Array or Buffer', bytes);
    if (!Number.isInteger(offset) || offset < 0 || offset > buf.length - bytes.length) {
      throw outOfRange(
        'offset',
        `such that the ${bytes.length} bytes fit into the ${buf.length} that there are`,
        offset,
      );
    }
    buf.set(bytes, offset);
  }

  end(): void {
    this.finish('consistent');
  }

  [Symbol.dispose](): void {
    this.finish('consistent');
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    const state = this.#lock === undefined ? ', ended' : '';
    return `Txn('${this.owner.name}'${this.readOnly ? ', read-only' : ''}${this.ownerDied ? ', owner died' : ''}${state})`;
  }

  #at(index: number, length: number): number {
    const at = index < 0 ? index + length : index;
    if (!(at >= 0 && at < length && Number.isInteger(at))) {
      throw outOfRange('index', `a whole number from ${-length} to ${length - 1}`, index);
    }
    return at;
  }

  #buf(): Buffer {
    this.#checkOpen();
    return this.owner.bytes();
  }

  #writable(): Buffer {
    const buf = this.#buf();
    if (this.readOnly) {
      throw shmError('ERR_SHM_READ_ONLY', `this txn of '${this.owner.name}' only reads`, this.owner.name);
    }
    return buf;
  }

  #checkOpen(): void {
    if (this.#lock === undefined) {
      const message = `this txn of '${this.owner.name}' has ended; its data belongs to others now`;
      throw shmError('ERR_SHM_TXN_ENDED', message, this.owner.name);
    }
  }
}

const TXN_OPTIONS = [...WAIT_OPTIONS, 'readOnly'];
const TXN_SYNC_OPTIONS = [...SYNC_WAIT_OPTIONS, 'readOnly'];

function txnOf(target: TxnTarget, readOnly: unknown): SegmentTxn {
  if (readOnly !== undefined && typeof readOnly !== 'boolean') {
    throw wrongType('readOnly', 'true or false', readOnly);
  }
  if (target.readOnly && readOnly !== true) {
    const message = `'${target.name}' is attached read-only in this handle: pass { readOnly: true }`;
    throw shmError('ERR_SHM_READ_ONLY', message, target.name);
  }
  return new SegmentTxn(target, readOnly === true);
}

/** @internal */
export function beginSync(target: TxnTarget, options: TxnSyncOptions | undefined): SegmentTxn {
  const { timeout, spin, readOnly } = checkOptions(options, TXN_SYNC_OPTIONS);
  const txn = txnOf(target, readOnly);
  const lock = target.lock();
  const limit = checkTimeout(timeout);
  const spins = checkSpin(spin);
  return txn.begin(lock, txn.readOnly ? lock.readSync(txn, limit, spins) : lock.lockSync(txn, limit, spins));
}

/** @internal */
export async function begin(target: TxnTarget, options: TxnOptions | undefined): Promise<SegmentTxn> {
  const { timeout, signal, readOnly } = checkOptions(options, TXN_OPTIONS);
  const limit = checkTimeout(timeout);
  checkSignal(signal);
  const txn = txnOf(target, readOnly);
  const lock = target.lock();
  const ownerDied = await lock.wait(txn, !txn.readOnly, limit, signal);
  if (target.closed) throw closedError(target.name); // and so it was let go of
  return txn.begin(lock, ownerDied);
}

/** @internal Runs a body, which leaves the data in order by returning. */
export function runSync<T>(txn: SegmentTxn, body: (txn: Txn) => Plain<T>): T {
  let left: Left = 'inconsistent';
  try {
    const result = body(txn);
    refusePromise(result, 'the body of txnSync() must not return a promise: use txn()');
    left = 'consistent';
    return result;
  } finally {
    txn.left = left; // before the call, for which there may be no stack
    txn.finish(left);
  }
}

/** @internal */
export async function run<T>(txn: SegmentTxn, body: (txn: Txn) => T | Promise<T>): Promise<T> {
  let left: Left = 'inconsistent';
  try {
    const result = await body(txn);
    left = 'consistent';
    return result;
  } finally {
    txn.finish(left);
  }
}

/** @internal A body that goes on after its txn is refused; what becomes of it is nobody's affair then. */
export function refusePromise(result: unknown, message: string): void {
  if (typeof result !== 'object' || result === null || !('then' in result)) return;
  if (typeof result.then !== 'function') return;
  (result as PromiseLike<unknown>).then(undefined, () => {});
  throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_RETURN_VALUE' });
}
