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

/** @internal Writes to a dict, while it holds the lock. */
export class Writer {
  readonly #handle: Handle;
  readonly #table: LocalTable;
  readonly #number: number;
  readonly #owner: Owner = { readers: 0, closed: false };
  /** The hold of operations that run no code of the caller's. */
  readonly #hold: Hold = this.newHold();
  #lock: Lock | undefined;
  /** Still true if a script was terminated during a commit: no slot refers to what it staged, so recovery frees that. */
  #isStaging = false;

  constructor(handle: Handle) {
    this.#handle = handle;
    this.#table = handle.table;
    this.#number = handle.number;
  }

  /** Sets one value. */
  set(key: string, value: unknown): void {
    const isShort = typeof value === 'number' || typeof value === 'string';
    // Before the lock is taken: getters of the value may run.
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

  /** The value; undefined if the key is missing. */
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

  /** Applies all changes as one commit. */
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

  /** The lock. @throws `ERR_SHM_READ_ONLY`, `ERR_SHM_CLOSED`. */
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
   * For operations that run no code of the caller's. A script may be terminated at any point, by a time limit or in the REPL, and
   * neither `catch` nor `finally` runs then. So the state of the lock is recorded beforehand, for the next holder in this environment.
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

  /** Runs `act` with the lock. If it runs code of the caller's, it needs a hold of its own. */
  withLock<T>(act: () => T, hold = this.#ourHold()): T {
    const lock = this.lock();
    this.#begin(lock, hold);
    try {
      return this.inLock(lock, hold, false, act);
    } finally {
      hold.left ??= 'inconsistent'; // if the stack overflowed before it began
    }
  }

  /** Runs `act` with the lock, which is taken already, and unlocks it. */
  inLock<T>(lock: Lock, hold: Hold, ownerDied: boolean, act: () => T): T {
    this.#recover(lock, hold, ownerDied);
    try {
      return act();
    } finally {
      hold.left = 'inconsistent'; // in case the stack overflows in `#leave`
      this.#leave(lock, hold);
    }
  }

  /** Unlocks. If a damaged dict or a stack overflow broke off a commit, the next holder must recover. */
  #leave(lock: Lock, hold: Hold): void {
    const isWhole = (this.#table.version & 1) === 0 && !this.#isStaging;
    const left = isWhole || this.#handle.closed ? 'consistent' : 'inconsistent';
    hold.left = left;
    lock.unlock(hold, left);
  }

  /** Recovers after a writer died. If that fails, the next holder has to. */
  #recover(lock: Lock, hold: Hold, ownerDied: boolean): void {
    if (!ownerDied) return;
    try {
      binding.dictRecover(this.#handle.native);
    } catch (error) {
      lock.unlock(hold, 'as-found');
      throw error;
    }
  }

  /** Opens the lock by its name before the name is unlinked. */
  getReady(): void {
    try {
      this.lock();
    } catch {
      // The name belongs to another dict by now, or there can be no lock: then this handle cannot write.
    }
  }

  close(): void {
    this.#lock?.close(this.#owner);
  }
}
