import * as binding from '#binding';
import { checkBoolean, checkMode, checkName, checkOptions, checkTarget } from '../common/arguments.js';
import { closedError, wrongType } from '../common/errors.js';
import { warnWhereUntracked } from '../ownership/housekeeping.js';
import { Lock } from './lock.js';
import type { Left, Owner } from './lock.js';
import { SegmentHandle, showHandle } from '../common/handle.js';
import type { Inspection } from '../common/handle.js';
import type { Descriptor } from '../common/shared-object.js';
import { checkSpin, checkTimeout, SYNC_WAIT_OPTIONS, waitOptions } from './waits.js';
import type { SyncWaitOptions, WaitOptions } from './waits.js';

/** Options for creating a mutex or an event. */
export interface LockOptions {
  /**
   * POSIX permission bits, 0 to `0o777`, set exactly: the umask has no effect. A process needs read and write
   * permission to take part. Default `0o600`.
   */
  mode?: number;
  /**
   * Unlink it when its last owner dies. Owners are the processes that called `createOrAttach()` or `adopt()`.
   * Default true.
   */
  track?: boolean;
}

/** Options for attaching to a mutex or an event. */
export interface LockAttachOptions {
  /** Allow one of another user. Default false. */
  foreign?: boolean;
}

/** @internal The options of a creation, checked, in the order in which the binding takes them. */
export function lockCreation(options: LockOptions | undefined): [mode: number, track: boolean] {
  const { mode, track } = checkOptions(options, ['mode', 'track']);
  return [checkMode(mode), checkBoolean('track', track, true)];
}

/** @internal */
export function lockAttachment(
  kind: string,
  target: string | Descriptor,
  options: LockAttachOptions | undefined,
): [name: string, foreign: boolean, id: string | undefined] {
  const { name, id } = checkTarget(target, kind);
  const { foreign } = checkOptions(options, ['foreign']);
  return [name, checkBoolean('foreign', foreign, false), id];
}

/** One acquisition of a mutex. Disposing of it unlocks the mutex. */
export class Guard implements Disposable {
  /**
   * Whether a holder died or failed with the lock, and no later holder has unlocked it since: check what it
   * guards.
   */
  readonly ownerDied: boolean = false;
  /** @internal */
  readonly owner: Owner;
  /** @internal */
  reading = false;
  /** @internal */
  left: Left | undefined = undefined;
  readonly #lock: Lock;

  /** @internal */
  constructor(lock: Lock, owner: Owner) {
    this.#lock = lock;
    this.owner = owner;
  }

  /** @internal Once it has the lock. */
  had(ownerDied: boolean): this {
    (this as { ownerDied: boolean }).ownerDied = ownerDied;
    return this;
  }

  /**
   * Unlocks the mutex and confirms that what it guards is consistent. Idempotent; it never frees another
   * holder's lock.
   * @throws `ERR_SHM_LOCK_LOST` if another process took this one for dead, or overwrote the lock.
   */
  unlock(): void {
    this.left = 'consistent';
    this.#lock.unlock(this, 'consistent');
  }

  /**
   * Calls `unlock()`.
   * @throws As `unlock`.
   */
  [Symbol.dispose](): void {
    this.unlock();
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `Guard('${this.#lock.name}'${this.ownerDied ? ', owner died' : ''})`;
  }
}

/**
 * A lock that any number of processes and threads share by its name. If a holder dies, the next one gets the
 * lock and is told (`ownerDied`).
 *
 * ```js
 * using mutex = SharedMutex.createOrAttach('ledger');
 * {
 *   using guard = await mutex.lock({ timeout: 1000 });
 *   if (guard.ownerDied) repair();
 * }
 * ```
 */
export class SharedMutex extends SegmentHandle {
  readonly #lock: Lock;
  readonly #owner: Owner = { readers: 0, closed: false };

  private constructor(lock: Lock) {
    if (!(lock instanceof Lock))
      throw wrongType('a SharedMutex', 'made by createOrAttach() or attach()', lock);
    super('mutex', lock);
    this.#lock = lock;
  }

  /**
   * Opens the mutex of this name, or creates it. All callers own it.
   * @throws `ERR_SHM_NOT_A_LOCK` if the name belongs to something else; otherwise as `SharedMemory.create` (but
   * not `EEXIST`) and `attach`.
   */
  static createOrAttach(name: string, options?: LockOptions): SharedMutex {
    const [mode, track] = lockCreation(options);
    const native = binding.createOrAttachMutex(checkName(name), mode, track);
    if (track) warnWhereUntracked();
    return new SharedMutex(Lock.of(native));
  }

  /**
   * Opens an existing mutex, by its name or its descriptor.
   * @throws `ERR_SHM_NOT_A_LOCK` if the segment is something else; `ERR_SHM_VERSION` if a newer shmkit made it;
   * `ERR_SHM_CORRUPT`; `ERR_SHM_TOO_MANY` (4095 threads have it open); otherwise as `SharedMemory.attach` and
   * `SharedMemory.buffer`.
   */
  static attach(target: string | Descriptor, options?: LockAttachOptions): SharedMutex {
    return new SharedMutex(Lock.of(binding.attachMutex(...lockAttachment('mutex', target, options))));
  }

  /**
   * Resolves to the lock when it is available. Callers of one thread are served first come, first served. A
   * wait that fails leaves no trace.
   * @throws `ERR_SHM_TIMEOUT`, the signal's reason, `ERR_SHM_CLOSED`; `ERR_OUT_OF_RANGE` or
   * `ERR_INVALID_ARG_TYPE` for an invalid option.
   */
  async lock(options?: WaitOptions): Promise<Guard> {
    if (this.closed) throw closedError(this.name);
    const { timeout, signal } = waitOptions(options);
    const guard = new Guard(this.#lock, this.#owner);
    const ownerDied = await this.#lock.wait(guard, true, timeout, signal);
    if (this.closed) throw closedError(this.name); // and so it was let go of
    return guard.had(ownerDied);
  }

  /**
   * Blocks the thread until it has the lock.
   * @throws `ERR_SHM_DEADLOCK` if this thread has the lock already; `ERR_SHM_TIMEOUT`, `ERR_SHM_CLOSED`;
   * `ERR_OUT_OF_RANGE` or `ERR_INVALID_ARG_TYPE` for an invalid option.
   */
  lockSync(options?: SyncWaitOptions): Guard {
    if (this.closed) throw closedError(this.name);
    const guard = new Guard(this.#lock, this.#owner);
    if (options === undefined && this.#lock.tryTake(guard)) return guard;
    const { timeout, spin } = checkOptions(options, SYNC_WAIT_OPTIONS);
    return guard.had(this.#lock.lockSync(guard, checkTimeout(timeout), checkSpin(spin)));
  }

  /**
   * Returns the lock if it is available immediately; undefined if it is held, by this thread or any other.
   * @throws `ERR_SHM_CLOSED`.
   */
  tryLock(): Guard | undefined {
    if (this.closed) throw closedError(this.name);
    const guard = new Guard(this.#lock, this.#owner);
    const ownerDied = this.#lock.tryLock(guard);
    return ownerDied === undefined ? undefined : guard.had(ownerDied);
  }

  /**
   * Closes this handle. A lock that was taken through it is released as if its holder had died, and waits
   * through it fail with `ERR_SHM_CLOSED`. Idempotent.
   */
  override close(): void {
    if (!this.markClosed()) return;
    this.#lock.close(this.#owner);
  }

  [Symbol.for('nodejs.util.inspect.custom')](_depth: number, options: Inspection): string {
    return showHandle('SharedMutex', this.name, options, this.closed ? 'closed' : '');
  }
}
