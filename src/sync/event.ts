import { types } from 'node:util';

import * as binding from '#binding';
import { checkName, checkOptions } from '../common/arguments.js';
import { closedError, wrongType } from '../common/errors.js';
import { warnWhereUntracked } from '../ownership/housekeeping.js';
import { lockAttachment, lockCreation } from './mutex.js';
import type { LockAttachOptions, LockOptions } from './mutex.js';
import { SegmentHandle, showHandle } from '../common/handle.js';
import type { Inspection } from '../common/handle.js';
import type { Descriptor } from '../common/shared-object.js';
import {
  block,
  checkSpin,
  checkTimeout,
  Spinner,
  settleWait,
  startWait,
  SYNC_WAIT_OPTIONS,
  timeoutError,
  Waiter,
  waitOptions,
} from './waits.js';
import type { SyncWaitOptions, WaitOptions } from './waits.js';

const { word: WORD, set: SET, waiters: WAITERS, generation: GENERATION } = binding.lockConstants();

/**
 * A flag that any number of processes and threads can set, clear and wait for: Python's
 * `multiprocessing.Event`, by name.
 *
 * ```js
 * using ready = SharedEvent.createOrAttach('ready');
 * await ready.wait({ timeout: 1000 }); // another process: ready.set()
 * ```
 */
export class SharedEvent extends SegmentHandle {
  readonly #native: binding.LockHandle;
  readonly #buffer: ArrayBuffer;
  #words: Int32Array;
  readonly #spinner = new Spinner();
  readonly #waiters = new Map<Waiter<void>, number>();

  private constructor(native: binding.LockHandle) {
    if (!types.isExternal(native))
      throw wrongType('a SharedEvent', 'made by createOrAttach() or attach()', native);
    super('event', binding.lockFacts(native));
    this.#native = native;
    this.#buffer = binding.lockBuffer(native);
    this.#words = new Int32Array(this.#buffer);
  }

  /**
   * Opens the event of this name, or creates one that is not set. All callers own it.
   * @throws `ERR_SHM_NOT_A_LOCK` if the name belongs to something else; otherwise as `SharedMemory.create` (but
   * not `EEXIST`) and `attach`.
   */
  static createOrAttach(name: string, options?: LockOptions): SharedEvent {
    const [mode, track] = lockCreation(options);
    const native = binding.createOrAttachEvent(checkName(name), mode, track);
    if (track) warnWhereUntracked();
    return new SharedEvent(native);
  }

  /**
   * Opens an existing event, by its name or its descriptor.
   * @throws `ERR_SHM_NOT_A_LOCK` if the segment is something else; `ERR_SHM_VERSION` if a newer shmkit made it;
   * `ERR_SHM_CORRUPT`; otherwise as `SharedMemory.attach` and `SharedMemory.buffer`.
   */
  static attach(target: string | Descriptor, options?: LockAttachOptions): SharedEvent {
    return new SharedEvent(binding.attachEvent(...lockAttachment('event', target, options)));
  }

  /**
   * Whether the event is set.
   * @throws `ERR_SHM_CLOSED`.
   */
  get isSet(): boolean {
    return (this.#load() & SET) !== 0;
  }

  /**
   * Sets the event: all waits end, and later ones return immediately.
   * @throws `ERR_SHM_CLOSED`.
   */
  set(): void {
    let seen = this.#load();
    while ((seen & SET) === 0) {
      const was = Atomics.compareExchange(this.#words, WORD, seen, (seen | SET) & ~WAITERS);
      if (was === seen) {
        if (seen & WAITERS) binding.wakeEvent(this.#native);
        return;
      }
      seen = was;
    }
  }

  /**
   * Clears the event. Waits that were pending when it was set still end.
   * @throws `ERR_SHM_CLOSED`.
   */
  clear(): void {
    let seen = this.#load();
    while ((seen & SET) !== 0) {
      const was = Atomics.compareExchange(this.#words, WORD, seen, ((seen & ~SET) + GENERATION) | 0);
      if (was === seen) return;
      seen = was;
    }
  }

  /**
   * Resolves when the event is set.
   * @throws `ERR_SHM_TIMEOUT`, the signal's reason, `ERR_SHM_CLOSED`; `ERR_OUT_OF_RANGE` or
   * `ERR_INVALID_ARG_TYPE` for an invalid option.
   */
  async wait(options?: WaitOptions): Promise<void> {
    const seen = this.#load();
    const { timeout, signal } = waitOptions(options);
    signal?.throwIfAborted();
    if ((seen & SET) !== 0) return;
    if (timeout === 0) throw timeoutError(this.name, 0);
    const settle = (): void => {
      settleWait(id);
      this.#waiters.delete(waiter);
    };
    const id = startWait(
      (threads, number) => binding.startEventWait(threads, number, this.#native, seen >>> 0),
      () => {
        try {
          settle();
          waiter.resolve();
        } catch (error) {
          waiter.reject(error);
        }
      },
    );
    const waiter = new Waiter<void>(this.name, timeout, signal, settle);
    this.#waiters.set(waiter, id);
    return waiter.promise;
  }

  /**
   * Blocks the thread until the event is set.
   * @throws `ERR_SHM_TIMEOUT`, `ERR_SHM_CLOSED`; `ERR_OUT_OF_RANGE` or `ERR_INVALID_ARG_TYPE` for an invalid
   * option.
   */
  waitSync(options?: SyncWaitOptions): void {
    const seen = this.#load();
    if ((seen & SET) !== 0) return;
    const given = checkOptions(options, SYNC_WAIT_OPTIONS);
    const timeout = checkTimeout(given.timeout);
    const spin = checkSpin(given.spin);
    const words = this.#words;
    // The bit of those who sleep comes and goes without a meaning for us.
    const isOver = (): boolean => ((Atomics.load(words, WORD) ^ seen) & ~WAITERS) !== 0;
    if (timeout > 0 && this.#spinner.spin(spin, isOver)) return;
    const slice = (milliseconds: number): true | undefined =>
      binding.waitEvent(this.#native, seen >>> 0, milliseconds) || undefined;
    if (block(timeout, slice) === undefined) throw timeoutError(this.name, timeout);
  }

  /** Closes this handle. Waits through it fail with `ERR_SHM_CLOSED`. Idempotent. */
  override close(): void {
    if (!this.markClosed()) return;
    for (const [waiter, id] of this.#waiters) {
      try {
        settleWait(id);
      } catch {
        // It is over either way.
      }
      waiter.reject(closedError(this.name));
    }
    this.#waiters.clear();
    binding.closeLock(this.#native, this.#buffer);
  }

  [Symbol.for('nodejs.util.inspect.custom')](_depth: number, options: Inspection): string {
    const state = this.closed ? 'closed' : this.isSet ? 'set' : '';
    return showHandle('SharedEvent', this.name, options, state);
  }

  #load(): number {
    if (this.closed) throw closedError(this.name);
    return Atomics.load(this.#words, WORD);
  }
}
