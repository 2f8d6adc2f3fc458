import { showHandle } from '../../common/handle.js';
import type { Inspection } from '../../common/handle.js';

import * as binding from '#binding';
import type { DType, DTypes } from '../../array/dtype.js';
import { closedError, shmError } from '../../common/errors.js';
import { fence, IN_ORDER, load, loadCount, storeCount } from '../../common/memory-order.js';
import { checkItem } from '../items.js';
import { WaitQueue } from '../wait-queue.js';
import { batchesOf, itemsOf } from '../stream.js';
import type { BatchOptions } from '../stream.js';
import { blockFor, Spinner, Suspect, waitOptions } from '../../sync/waits.js';
import type { SyncWaitOptions, WaitOptions } from '../../sync/waits.js';
import { LAYOUT, NOTHING, OVER } from './memory.js';
import type { Memory } from './memory.js';

const { claim: CLAIM, cursors: CURSORS, cursorStride: CURSOR, ended: ENDED, entries: ENTRIES } = LAYOUT;
const { entryStride: ENTRY, room: ROOM, waiters: WAITERS } = LAYOUT;

/** In place of why not: the next item is there. */
const THERE = 0;
/** Who is lapped so often in one attempt leaves it at that for now. */
const TRIES = 64;

/** A reader of a broadcast, with its own position. Disposing of it closes it. */
export interface Subscription<D extends DType = DType> extends AsyncIterable<DTypes[D]>, Disposable {
  /** Number of items that were overwritten before this reader got to them. Always 0 if the writer blocks. */
  readonly lost: number;
  /**
   * Number of items that this reader has not read yet.
   * @throws `ERR_SHM_CLOSED`.
   */
  readonly length: number;
  /** Whether `close()` was called, here or on its broadcast. */
  readonly closed: boolean;
  /**
   * Returns a fresh copy of the next item; undefined if there is none now.
   * @throws `ERR_SHM_LOST` if the writer blocks and this reader was believed dead, or its memory was
   * overwritten; `ERR_SHM_CORRUPT`, `ERR_SHM_CLOSED`.
   */
  tryNext(): DTypes[D] | undefined;
  /**
   * Copies the next item into `out`; returns false, with nothing of use in `out`, if there is none now.
   * @throws `ERR_INVALID_ARG_TYPE` if `out` is not a typed array of the broadcast's type; `ERR_OUT_OF_RANGE` if
   * it has another length; otherwise as `tryNext`.
   */
  tryNextInto(out: DTypes[D]): boolean;
  /**
   * Resolves to a fresh copy of the next item, when there is one; undefined once the broadcast has ended and
   * everything was read.
   * @throws `ERR_SHM_TIMEOUT`; the signal's reason; `ERR_OUT_OF_RANGE` or `ERR_INVALID_ARG_TYPE` for an invalid
   * option; otherwise as `tryNext`.
   */
  next(options?: WaitOptions): Promise<DTypes[D] | undefined>;
  /**
   * As `next`, but blocks the thread.
   * @throws `ERR_SHM_TIMEOUT`; `ERR_OUT_OF_RANGE` or `ERR_INVALID_ARG_TYPE` for an invalid option; otherwise as
   * `tryNext`.
   */
  nextSync(options?: SyncWaitOptions): DTypes[D] | undefined;
  /**
   * Iterates over the items as they come, in arrays of as many as there are, at most `max`. Ends when the
   * broadcast has ended and everything was read. A batch costs one turn of the event loop, however many items
   * it has. Leaving the loop closes the subscription.
   * @throws `ERR_OUT_OF_RANGE` or `ERR_INVALID_ARG_TYPE` for an invalid option. The iteration rejects with the
   * signal's reason, and as `tryNext`.
   */
  batches(options?: BatchOptions): AsyncGenerator<DTypes[D][], void, undefined>;
  /**
   * Iterates over the items as they come, until the broadcast has ended and everything was read. Leaving the
   * loop closes the subscription.
   * @throws The iteration rejects as `tryNext`.
   */
  [Symbol.asyncIterator](): AsyncGenerator<DTypes[D], void, undefined>;
  /** Stops reading: the writer no longer waits for this reader. Idempotent. */
  close(): void;
}

/** @internal The steps of who reads, as `crates/shmkit/src/ring/broadcast/protocol/` has them, in the same order. */
export class Reader<D extends DType> implements Subscription<D> {
  readonly #memory: Memory<D>;
  readonly #entry: binding.BroadcastReader;
  readonly #onClose: (reader: Reader<D>) => void;
  /** The next item, its slot, and that one's mark. */
  #next: number;
  #index: number;
  #mark: number;
  #lost = 0;
  /** So many more are skipped, since this one is not fast enough for the oldest. */
  #skip = 0;
  #closed = false;
  readonly #cursor: number;
  readonly #blocks: boolean;
  readonly #waitQueue: WaitQueue;
  readonly #spinner = new Spinner();
  readonly #suspect = new Suspect();

  constructor(memory: Memory<D>, oldest: boolean, onClose: (reader: Reader<D>) => void) {
    this.#memory = memory;
    this.#onClose = onClose;
    this.#entry = binding.broadcastSubscribe(memory.native, oldest);
    this.#next = this.#entry.next;
    this.#index = this.#next % memory.slots;
    this.#mark = memory.markOf(this.#index);
    this.#cursor = CURSORS + this.#entry.index * CURSOR;
    this.#blocks = memory.blocks;
    this.#waitQueue = new WaitQueue(memory.name, (threads, id) =>
      binding.startBroadcastWait(threads, id, memory.native, this.#next),
    );
  }

  get lost(): number {
    return this.#lost;
  }

  get length(): number {
    this.#checkOpen();
    return Math.min(Math.max(this.#memory.head() - this.#next, 0), this.#memory.slots);
  }

  get closed(): boolean {
    return this.#closed;
  }

  tryNext(): DTypes[D] | undefined {
    const memory = this.#memory;
    for (let tries = 0; tries < TRIES; tries++) {
      if (loadCount(memory.counts, this.#mark) !== this.#next + 1 && this.#find() !== THERE) return undefined;
      const item = new memory.Class(memory.length);
      item.set(memory.view(this.#index) as never);
      if (this.#confirm()) return item;
    }
    return undefined;
  }

  tryNextInto(out: DTypes[D]): boolean {
    const memory = this.#memory;
    if (!(out instanceof memory.Class) || out.length !== memory.length) this.#checkItem(out);
    for (let tries = 0; tries < TRIES; tries++) {
      if (loadCount(memory.counts, this.#mark) !== this.#next + 1 && this.#find() !== THERE) return false;
      out.set(memory.view(this.#index) as never);
      if (this.#confirm()) return true;
    }
    return false;
  }

  async next(options?: WaitOptions): Promise<DTypes[D] | undefined> {
    const { timeout, signal } = waitOptions(options);
    signal?.throwIfAborted();
    const attempt = (): { value: DTypes[D] | undefined } | undefined => {
      const value = this.tryNext();
      return value !== undefined || this.#find() === OVER ? { value } : undefined;
    };
    const now = this.#waitQueue.isEmpty ? attempt() : undefined;
    return now === undefined ? this.#waitQueue.wait(attempt, timeout, signal) : now.value;
  }

  nextSync(options?: SyncWaitOptions): DTypes[D] | undefined {
    const now = this.tryNext();
    if (now !== undefined) return now;
    let item: DTypes[D] | undefined;
    blockFor(
      this.#memory.name,
      options,
      this.#spinner,
      () => (item = this.tryNext()) !== undefined || this.#find() === OVER,
      (milliseconds) => binding.broadcastWait(this.#memory.native, this.#next, milliseconds),
    );
    return item;
  }

  batches(options?: BatchOptions): AsyncGenerator<DTypes[D][], void, undefined> {
    return closing(this, batchesOf(this.#stream, options));
  }

  [Symbol.asyncIterator](): AsyncGenerator<DTypes[D], void, undefined> {
    return closing(this, itemsOf(this.#stream));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose(this);
    this.#next = NaN; // which no mark is
    this.#waitQueue.close();
    binding.broadcastUnsubscribe(this.#memory.native, this.#entry.index, this.#entry.seen);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.for('nodejs.util.inspect.custom')](_depth: number, options: Inspection): string {
    const { name, item } = this.#memory;
    const lost = this.#lost > 0 ? `, ${this.#lost} lost` : '';
    const state = this.#closed ? 'closed' : `${this.length} to read${lost}`;
    return showHandle('Subscription', name, options, item, state);
  }

  // ---- steps

  get #stream(): {
    tryNext: () => DTypes[D] | undefined;
    next: (options?: WaitOptions) => Promise<DTypes[D] | undefined>;
  } {
    return {
      tryNext: () => (this.#waitQueue.isEmpty ? this.tryNext() : undefined),
      next: (options) => this.next(options),
    };
  }

  /** Finds the next item. Where the writer does not wait that may be a later one, and those before it are lost. */
  #find(): number {
    const { words, counts, slots } = this.#memory;
    for (let tries = 0; tries < TRIES; tries++) {
      const next = this.#next;
      const ended = load(words, ENDED); // first
      if (ended !== 0) fence();
      const claim = loadCount(counts, CLAIM); // before the mark
      const seen = loadCount(counts, this.#mark);
      if (seen === next + 1) return THERE;
      if (seen === -(next + 1) || seen === 0 || seen === next - slots + 1) {
        this.#checkKnown();
        if (ended === 0) return NOTHING;
        if (claim !== next + 1) return OVER;
        if (!this.#suspect.isDue(0, ended) || !binding.broadcastSettle(this.#memory.native)) return NOTHING;
        continue;
      }
      const there = Math.abs(seen) - 1;
      // Nor is it where it is no number, as of one that is closed.
      if (!(there > next && (there - next) % slots === 0)) throw this.#damaged();
      if (this.#blocks) throw this.#forgotten();
      this.#skipTo(there);
    }
    return NOTHING;
  }

  /** This later item is where the next one was, so that one is lost. */
  #skipTo(there: number): void {
    const { counts, slots } = this.#memory;
    const head = this.#memory.head();
    if (head < 0) throw this.#damaged();
    const claimed =
      loadCount(counts, CLAIM) === head + 1 ||
      loadCount(counts, this.#memory.markOf(head % slots)) === -(head + 1);
    const oldest = head - slots + (claimed ? 1 : 0);
    if (Math.abs(loadCount(counts, this.#mark)) !== there + 1) return; // once more lapped meanwhile
    if (head < there || head > there + slots) throw this.#damaged();
    const next = Math.max(Math.min(oldest + this.#skip, head), this.#next + 1);
    this.#lost += next - this.#next;
    this.#next = next;
    this.#index = next % slots;
    this.#mark = this.#memory.markOf(this.#index);
  }

  /** The item was copied; false where it was overwritten meanwhile. */
  #confirm(): boolean {
    if (!IN_ORDER) fence();
    const { words, counts, slots } = this.#memory;
    const next = this.#next + 1;
    if (loadCount(counts, this.#mark) !== next) {
      if (this.#blocks) throw this.#forgotten();
      this.#skip = Math.min(2 * this.#skip + 1, slots - 1);
      return false;
    }
    this.#skip = 0;
    this.#next = next;
    this.#index = this.#index + 1 < slots ? this.#index + 1 : 0;
    this.#mark = this.#memory.markOf(this.#index);
    if (this.#blocks) {
      storeCount(counts, this.#cursor, next);
      fence();
      if ((load(words, ROOM) & WAITERS) !== 0) binding.broadcastNotify(this.#memory.native, false);
    }
    return true;
  }

  // ---- what is refused

  #checkOpen(): void {
    if (this.#closed) throw closedError(this.#memory.name);
    this.#memory.checkOpen();
  }

  /** The writer waits for it. */
  #checkKnown(): void {
    const { index, seen } = this.#entry;
    if (load(this.#memory.words, ENTRIES + index * ENTRY) === (seen | 0)) return;
    throw this.#forgotten();
  }

  #damaged(): Error {
    this.#checkOpen();
    return this.#memory.damaged();
  }

  #forgotten(): Error {
    this.#checkOpen();
    return shmError(
      'ERR_SHM_LOST',
      `this reader of '${this.#memory.name}' was believed to be dead, or somebody overwrote what it reads`,
      this.#memory.name,
    );
  }

  #checkItem(item: unknown): void {
    this.#checkOpen();
    checkItem(this.#memory.name, this.#memory.Class, this.#memory.length, item);
  }
}

/** Who leaves a loop wants no more. */
async function* closing<T>(
  subscription: Disposable,
  items: AsyncGenerator<T, void, undefined>,
): AsyncGenerator<T, void, undefined> {
  try {
    yield* items;
  } finally {
    subscription[Symbol.dispose]();
  }
}
