import * as binding from '#binding';
import { shmError } from '../common/errors.js';
import { Lock } from '../sync/lock.js';
import type { Hold, Owner } from '../sync/lock.js';
import { calls, packed, SHORT, stage, stageBytes, stagePacked, UNHASHED } from './call-buffer.js';
import type { Handle } from './handle.js';
import { MESSAGE_PACK } from './kinds.js';
import type { LocalTable } from './local-table.js';
import { Unsure } from './lookup.js';
import type { Change } from './txn.js';
import { decode, encode, scratch } from './values.js';
import type { Encoded } from './values.js';

/** @internal Writes to a dict, with its lock, which one has at a time. */
export class Writer {
  readonly #handle: Handle;
  readonly #table: LocalTable;
  readonly #number: number;
  readonly #owner: Owner = { readers: 0, closed: false };
  /** Of whatever runs no code of the caller's. */
  readonly #hold: Hold = this.newHold();
  #lock: Lock | undefined;
  /** Or it was when a script or the stack ended: what was staged is not known to any slot, and free once the dict is in order. */
  #isStaging = false;

  constructor(handle: Handle) {
    this.#handle = handle;
    this.#table = handle.table;
    this.#number = handle.number;
  }

  /** Sets a value, by itself. */
  set(key: string, value: unknown): void {
    const isShort = typeof value === 'number' || typeof value === 'string';
    // Getters run without the lock.
    const encoded = isShort ? undefined : encode(value, 'staged');
    const lock = this.lock();
    const hold = this.#ourHold();
    this.#begin(lock, hold);
    try {
      if (encoded === undefined) this.put(key, value);
      else this.putEncoded(key, encoded);
    } catch (error) {
      this.#leave(lock, hold);
      throw error;
    }
    hold.left = 'consistent';
    lock.unlock(hold, 'consistent');
  }

  // ---- with the lock

  /** The value; undefined where there is none. */
  now(key: string): unknown {
    const value = this.#table.get(key);
    if (value !== Unsure) return value;
    return this.#handle.settled(decode(calls.get(this.#number, key, scratch)));
  }

  put(key: string, value: unknown): void {
    if (typeof value === 'number' && this.#table.overwrite(key, value)) return;
    if (typeof value === 'string' && value.length > SHORT && this.#table.replaceText(key, value)) return;
    const hash = stage(this.#number, key, value);
    if (hash === UNHASHED) this.putEncoded(key, encode(value, 'staged'));
    else this.#putStaged(hash);
  }

  putEncoded(key: string, { value, kind }: Encoded): void {
    if (kind === MESSAGE_PACK && typeof value === 'number') {
      const hash = stagePacked(this.#number, key, value);
      if (hash === UNHASHED) calls.set(this.#number, key, packed.subarray(0, value), kind);
      else this.#putStaged(hash);
    } else if (kind === 0 || !this.#table.replaceBytes(key, kind, value as Uint8Array)) {
      calls.set(this.#number, key, value, kind);
    }
  }

  #putStaged(hash: number): void {
    if (!this.#table.replace(hash)) calls.set_staged();
  }

  /** All changes at once. */
  commit(changes: Map<string, Change>): void {
    if (changes.size === 0) return;
    const { native } = this.#handle;
    if (this.#isStaging) binding.dictRollBack(native, true);
    this.#isStaging = true;
    try {
      for (const [key, change] of changes) {
        if (change === undefined) calls.add_delete(this.#number, key);
        else if (this.#stageChange(key, change) !== UNHASHED) calls.add_staged();
        else calls.add(this.#number, key, change.value, change.kind);
      }
      binding.dictCommit(native);
    } catch (error) {
      binding.dictRollBack(native, false);
      this.#isStaging = false;
      throw error;
    }
    this.#isStaging = false;
  }

  #stageChange(key: string, { value, kind }: Encoded): number {
    if (kind === 0) return stage(this.#number, key, value);
    return stageBytes(this.#number, key, kind, value as Uint8Array);
  }

  // ---- the lock

  /** The lock, which the dict's name leads to. Throws if this handle only reads. */
  lock(): Lock {
    const { native, name, readOnly } = this.#handle;
    this.#handle.checkOpen();
    if (readOnly) {
      throw shmError('ERR_SHM_READ_ONLY', `'${name}' is attached read-only in this handle`, name);
    }
    return (this.#lock ??= Lock.of(binding.dictLock(native), name));
  }

  newHold(): Hold {
    return { owner: this.#owner, reading: false, left: undefined };
  }

  /**
   * For what runs no code of the caller's: a script may be ended in the middle, by its time limit or in the REPL, and neither
   * `catch` nor `finally` runs then. So it is said beforehand how the lock is left, for whoever comes next to see that this is over.
   */
  #ourHold(): Hold {
    this.#hold.left = 'inconsistent';
    return this.#hold;
  }

  #begin(lock: Lock, hold: Hold): void {
    if (!lock.tryTake(hold)) {
      this.#recover(lock, hold, lock.lockSync(hold, this.#handle.lockTimeout, undefined));
    }
  }

  /** Does something with the lock. What runs code of the caller's needs a hold of its own. */
  withLock<T>(act: () => T, hold = this.#ourHold()): T {
    const lock = this.lock();
    this.#begin(lock, hold);
    try {
      return this.inLock(lock, hold, false, act);
    } finally {
      hold.left ??= 'inconsistent'; // where there was no stack to begin
    }
  }

  /** Does something with a lock that was taken, and gives it back. */
  inLock<T>(lock: Lock, hold: Hold, ownerDied: boolean, act: () => T): T {
    this.#recover(lock, hold, ownerDied);
    try {
      return act();
    } finally {
      hold.left = 'inconsistent'; // where there is no stack for a look
      this.#leave(lock, hold);
    }
  }

  /** Where a damaged dict or the end of the stack has ended a commit in the middle, somebody has to put it in order. */
  #leave(lock: Lock, hold: Hold): void {
    const isWhole = (this.#table.version & 1) === 0 && !this.#isStaging;
    const left = isWhole || this.#handle.closed ? 'consistent' : 'inconsistent';
    hold.left = left;
    lock.unlock(hold, left);
  }

  /** After the death of one who wrote; where that fails the next one has to. */
  #recover(lock: Lock, hold: Hold, ownerDied: boolean): void {
    if (!ownerDied) return;
    try {
      binding.dictRecover(this.#handle.native);
    } catch (error) {
      lock.unlock(hold, 'as-found');
      throw error;
    }
  }

  /** Before the name goes, by which the lock is found. */
  getReady(): void {
    try {
      this.lock();
    } catch {
      // It is another's by now, or there can be none: then nobody writes through this handle.
    }
  }

  close(): void {
    this.#lock?.close(this.#owner);
  }
}
