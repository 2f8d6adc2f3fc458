import type { InspectOptions } from 'node:util';

import * as binding from '#binding';
import { checkBoolean, checkMode, checkName, checkOptions, checkTarget } from '../common/arguments.js';
import { closedError, wrongType } from '../common/errors.js';
import { warnWhereUntracked } from '../ownership/housekeeping.js';
import { Lock } from './lock.js';
import type { Left, Owner } from './lock.js';
import { UNCLONEABLE } from '../common/shared-object.js';
import type { Descriptor, SharedObject } from '../common/shared-object.js';
import { checkSpin, checkTimeout, SYNC_WAIT_OPTIONS, waitOptions } from './waits.js';
import type { SyncWaitOptions, WaitOptions } from './waits.js';

/** How to make a lock or an event. */
export interface LockOptions {
  /** Permission bits, set exactly. Who may lock must be allowed to read and to write. Default `0o600`. */
  mode?: number;
  /** Unlinked when its last owner dies: each process that called createOrAttach() or adopt(). Default true. */
  track?: boolean;
}

/** How to attach to a lock or an event. */
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

/** One acquisition of a mutex. */
export class Guard implements Disposable {
  /** A holder died, or failed, with the lock: check what it guards. */
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
   * Lets go of the lock, and says that what it guards is in order. Idempotent; never frees somebody else's.
   * @throws `ERR_SHM_LOCK_LOST` where another process took this one for dead, or overwrote the lock.
   */
  unlock(): void {
    this.left = 'consistent';
    this.#lock.unlock(this, 'consistent');
  }

  /** `unlock()` */
  [Symbol.dispose](): void {
    this.unlock();
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `Guard('${this.#lock.name}'${this.ownerDied ? ', owner died' : ''})`;
  }
}

/**
 * A lock that any number of processes and threads share by its name, and that outlives whoever dies with it: the next
 * one gets it and is told (`ownerDied`).
 *
 * ```js
 * using mutex = SharedMutex.createOrAttach('ledger');
 * {
 *   using guard = await mutex.lock({ timeout: 1000 });
 *   if (guard.ownerDied) repair();
 * }
 * ```
 */
export class SharedMutex implements SharedObject {
  readonly name: string;
  /** @internal */
  readonly uncloneable = UNCLONEABLE;
  readonly #lock: Lock;
  readonly #owner: Owner = { readers: 0, closed: false };
  #closed = false;

  private constructor(lock: Lock) {
    if (!(lock instanceof Lock))
      throw wrongType('a SharedMutex', 'made by createOrAttach() or attach()', lock);
    this.#lock = lock;
    this.name = lock.name;
  }

  /**
   * Opens the mutex of this name, or makes it; all who call this own it.
   * @throws `ERR_SHM_NOT_A_LOCK` (the name belongs to something else), `ERR_SHM_NAME`, `ERR_SHM_FOREIGN`, `EACCES`,
   * `ENOSPC`.
   */
  static createOrAttach(name: string, options?: LockOptions): SharedMutex {
    const [mode, track] = lockCreation(options);
    const native = binding.createOrAttachMutex(checkName(name), mode, track);
    if (track) warnWhereUntracked();
    return new SharedMutex(Lock.of(native));
  }

  /**
   * Opens an existing mutex, by its name or its descriptor.
   * @throws `ENOENT`, `ERR_SHM_NOT_A_LOCK`, `ERR_SHM_FOREIGN`, `ERR_SHM_UNLINKED`, `ERR_SHM_TOO_MANY` (4095 threads have
   * it open), `EACCES`.
   */
  static attach(target: string | Descriptor, options?: LockAttachOptions): SharedMutex {
    return new SharedMutex(Lock.of(binding.attachMutex(...lockAttachment('mutex', target, options))));
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * The lock, when it is to be had; first come, first served among the callers of this thread.
   * @throws `ERR_SHM_TIMEOUT`, the signal's reason, `ERR_SHM_CLOSED`. A wait that ends so leaves no trace.
   */
  async lock(options?: WaitOptions): Promise<Guard> {
    this.#checkOpen();
    const { timeout, signal } = waitOptions(options);
    const guard = new Guard(this.#lock, this.#owner);
    const ownerDied = await this.#lock.wait(guard, true, timeout, signal);
    if (this.#closed) throw closedError(this.name); // and so it was let go of
    return guard.had(ownerDied);
  }

  /**
   * Blocks the thread until it has the lock.
   * @throws `ERR_SHM_DEADLOCK` where this thread has it already, `ERR_SHM_TIMEOUT`, `ERR_SHM_CLOSED`.
   */
  lockSync(options?: SyncWaitOptions): Guard {
    if (this.#closed) throw closedError(this.name);
    const guard = new Guard(this.#lock, this.#owner);
    if (options === undefined && this.#lock.tryTake(guard)) return guard;
    const { timeout, spin } = checkOptions(options, SYNC_WAIT_OPTIONS);
    return guard.had(this.#lock.lockSync(guard, checkTimeout(timeout), checkSpin(spin)));
  }

  /**
   * The lock if nobody has it, this thread included; else undefined.
   * @throws `ERR_SHM_CLOSED`.
   */
  tryLock(): Guard | undefined {
    this.#checkOpen();
    const guard = new Guard(this.#lock, this.#owner);
    const ownerDied = this.#lock.tryLock(guard);
    return ownerDied === undefined ? undefined : guard.had(ownerDied);
  }

  /** Makes this process an owner. */
  adopt(): void {
    this.#checkOpen();
    binding.adoptLock(this.#lock.native);
  }

  /** Lets go of the lock if it was taken through this handle, as if its holder had died. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#lock.close(this.#owner);
  }

  /** Removes the name. Whoever is attached goes on with it. */
  unlink(): void {
    binding.unlinkLock(this.#lock.native);
  }

  /** What `attach()` takes in another process or thread. */
  toJSON(): Descriptor {
    return { kind: 'mutex', name: this.name, id: this.#lock.id };
  }

  /** `close()` */
  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.for('nodejs.util.inspect.custom')](
    _depth: number,
    options: InspectOptions & { stylize(text: string, style: string): string },
  ): string {
    return `SharedMutex(${options.stylize(`'${this.name}'`, 'string')}${this.#closed ? ', closed' : ''})`;
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError(this.name);
  }
}
