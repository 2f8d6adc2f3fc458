import { types } from 'node:util';

import * as binding from '#binding';
import { checkBoolean, checkIndex, checkNamed, checkOptions } from '../../common/arguments.js';
import { checkType } from '../../array/dtype.js';
import type { DType, DTypes } from '../../array/dtype.js';
import { closedError, shmError, wrongType } from '../../common/errors.js';
import { warnWhereUntracked } from '../../ownership/housekeeping.js';
import {
  checkMatches,
  checkMatchesOptions,
  checkItem,
  describeItem,
  RING_OPTIONS,
  ringArguments,
  ringAttachment,
} from '../items.js';
import type { ItemClass, RingAttachOptions, RingOptions } from '../items.js';
import { WaitQueue } from '../wait-queue.js';
import { NOTHING, OVER, Ring } from './protocol.js';
import { Claimed, Taken } from './slot.js';
import type { ClaimedSlot, SlotHolder, TakenSlot } from './slot.js';
import { batchesOf, itemsOf } from '../stream.js';
import type { BatchOptions, Stream } from '../stream.js';
import { SegmentHandle, showHandle } from '../../common/handle.js';
import type { Inspection } from '../../common/handle.js';
import type { Descriptor } from '../../common/shared-object.js';
import { blockFor, Spinner, waitOptions } from '../../sync/waits.js';
import type { SyncWaitOptions, WaitOptions } from '../../sync/waits.js';

/** Options for creating a queue. */
export interface QueueOptions<D extends DType> extends RingOptions<D> {
  /**
   * Whether the queue is for one producer and one consumer, which is faster. Otherwise any number of threads
   * may push and take. Default false.
   */
  spsc?: boolean;
}

/** Options for attaching to a queue. What you say about its items must agree with them. */
export type QueueAttachOptions<D extends DType = DType> = RingAttachOptions<D>;

const OPTIONS = [...RING_OPTIONS, 'spsc'];
/** Views of slots are kept where there are no more than these. */
const FEW = 4096;

/**
 * A bounded queue of items of one size, between processes and threads. Items are written and read in place, a
 * full queue makes producers wait, and the queue goes on if a process dies.
 *
 * ```js
 * using frames = SharedQueue.create({ name: 'frames', slots: 8, dtype: 'uint8', shape: [1080, 1920, 3] });
 * using slot = await frames.claim(); // waits while it is full
 * camera.readInto(slot.data);
 * slot.commit();
 * // another process
 * for await (const frame of SharedQueue.attach('frames')) show(frame);
 * ```
 */
export class SharedQueue<D extends DType = DType> extends SegmentHandle implements AsyncIterable<DTypes[D]> {
  /** Number of slots, each of which holds one item. */
  readonly slots: number;
  /** Type of the elements, by numpy's name. */
  readonly dtype: D;
  /** Length of each dimension of an item, in elements; empty if none was given. */
  readonly shape: readonly number[];
  /** Whether the queue is for one producer and one consumer. */
  readonly spsc: boolean;
  readonly #native: binding.QueueHandle;
  readonly #buffer: ArrayBuffer;
  readonly #ring: Ring;
  readonly #items: WaitQueue;
  readonly #room: WaitQueue;
  readonly #itemSpinner = new Spinner();
  readonly #roomSpinner = new Spinner();
  readonly #Class: ItemClass<D>;
  /** Elements of an item. */
  readonly #length: number;
  /** Where in its slot an item is, in bytes. */
  readonly #itemAt: number;
  /** From bytes to elements. */
  readonly #shift: number;
  readonly #views: DTypes[D][] = [];
  readonly #stream: Stream<DTypes[D]> = {
    tryNext: () => (this.#items.isEmpty ? this.tryPop() : undefined),
    next: (options) => this.pop(options),
  };
  #all: DTypes[D];

  private constructor(native: binding.QueueHandle) {
    if (!types.isExternal(native)) throw wrongType('a SharedQueue', 'made by create() or attach()', native);
    const facts = binding.queueFacts(native);
    const { ring } = facts;
    super('queue', ring);
    this.#native = native;
    this.slots = ring.slots;
    this.dtype = ring.dtype as D;
    this.shape = Object.freeze(ring.shape);
    this.spsc = facts.single;
    this.#Class = checkType(ring.dtype).Class as ItemClass<D>;
    this.#length = ring.elements;
    this.#buffer = binding.queueBuffer(native);
    this.#ring = new Ring(native, facts, this.#buffer);
    const waitQueue = (items: boolean): WaitQueue =>
      new WaitQueue(
        this.name,
        (threads, id) => binding.startQueueWait(threads, id, native, items),
        () => binding.queuePassOn(native, items),
      );
    this.#items = waitQueue(true);
    this.#room = waitQueue(false);
    const bytes = this.#Class.BYTES_PER_ELEMENT;
    this.#itemAt = ring.itemAt;
    this.#shift = Math.log2(bytes);
    this.#all = new this.#Class(this.#buffer, 0, Math.floor(this.#buffer.byteLength / bytes));
  }

  /**
   * Creates an empty queue.
   * @throws `ERR_OUT_OF_RANGE` or `ERR_INVALID_ARG_TYPE` for an invalid option; otherwise as
   * `SharedMemory.create` and `SharedMemory.buffer`. Nothing is left behind.
   */
  static create<D extends DType = 'float64'>(options: QueueOptions<D>): SharedQueue<D> {
    if (options === undefined) throw wrongType('options', 'an object with the number of slots', options);
    return SharedQueue.#made(checkOptions(options, OPTIONS) as QueueOptions<D>, false);
  }

  /**
   * Opens the queue of this name, or creates it. The first caller creates, the others attach, and all of them
   * own it.
   * @throws `ERR_SHM_MISMATCH` if the existing queue is not as the options say; otherwise as `create` (but not
   * `EEXIST`) and `attach`.
   */
  static createOrAttach<D extends DType = 'float64'>(name: string, options: QueueOptions<D>): SharedQueue<D> {
    return SharedQueue.#made(checkNamed(name, options, OPTIONS), true);
  }

  static #made<D extends DType>(options: QueueOptions<D>, attach: boolean): SharedQueue<D> {
    const spsc = checkBoolean('spsc', options.spsc, false);
    const given = ringArguments(options);
    const { slots, dtype, shape, name, mode, populate, track } = given;
    const native = binding.createQueue({ slots, dtype, shape }, spsc, name, mode, populate, track, attach);
    if (track) warnWhereUntracked();
    const queue = new SharedQueue<D>(native);
    return attach ? checkMatchesOptions(queue, 'queue', given, [sides(queue.spsc), sides(spsc)]) : queue;
  }

  /**
   * Opens an existing queue, by its name or its descriptor.
   * @throws `ERR_SHM_NOT_A_QUEUE` if the segment is something else; `ERR_SHM_MISMATCH` if its items are not
   * what the options say; `ERR_SHM_VERSION` if a newer shmkit made it; `ERR_SHM_CORRUPT`; `ERR_SHM_TOO_MANY`
   * (255 threads have it open); `ERR_OUT_OF_RANGE`; otherwise as `SharedMemory.attach` and
   * `SharedMemory.buffer`.
   */
  static attach<D extends DType = DType>(
    target: string | Descriptor,
    options?: QueueAttachOptions<D>,
  ): SharedQueue<D> {
    const { name, foreign, id, expected } = ringAttachment('queue', target, options);
    return checkMatches(new SharedQueue<D>(binding.attachQueue(name, foreign, id)), 'queue', expected);
  }

  /**
   * Whether `end()` was called, in any process.
   * @throws `ERR_SHM_CLOSED`; `ERR_SHM_DETACHED` if the queue's buffer was transferred.
   */
  get ended(): boolean {
    return this.#ring.ended;
  }

  /**
   * Number of items, including those that are being written.
   * @throws `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
   */
  get length(): number {
    return this.#ring.length;
  }

  /**
   * Number of claimed or taken slots that were lost because the thread that held them died.
   * @throws `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
   */
  get lost(): number {
    return this.#ring.lost;
  }

  /**
   * Returns the number of slots that are claimed or taken now, and the holders of the first `limit` of them
   * (default 100), the oldest first.
   * @throws `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`, `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`.
   */
  holders(limit = 100): {
    /** Number of slots that are held. */
    count: number;
    /** The holders of the first of them. */
    holders: SlotHolder[];
  } {
    return this.#ring.holders(checkIndex('limit', limit, 2 ** 32));
  }

  // ---- items, copied

  /**
   * Pushes a copy of the item; returns false if the queue is full.
   * @throws `ERR_SHM_ENDED` after `end()`; `ERR_INVALID_ARG_TYPE` for an item that is not a typed array of the
   * queue's type; `ERR_OUT_OF_RANGE` for an item of another length; `ERR_SHM_TOO_MANY` if the queue is `spsc`
   * and has another producer; `ERR_SHM_LOST` if another thread took the slot from this one; `ERR_SHM_CORRUPT`,
   * `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
   */
  tryPush(item: DTypes[D]): boolean {
    if (!(item instanceof this.#Class) || item.length !== this.#length) this.#checkItem(item);
    const slot = this.#ring.claim();
    if (slot < 0) return this.#mayPush(slot);
    this.#write(slot, item);
    return true;
  }

  /**
   * Pushes a copy of the item, made at the call, as soon as there is room.
   * @throws `ERR_SHM_TIMEOUT`; the signal's reason; otherwise as `tryPush`.
   */
  async push(item: DTypes[D], options?: WaitOptions): Promise<void> {
    const { timeout, signal } = waitOptions(options);
    signal?.throwIfAborted();
    this.#checkItem(item);
    if (this.#room.isEmpty && this.tryPush(item)) return;
    const copy = item.slice() as DTypes[D];
    return this.#room.wait(() => (this.tryPush(copy) ? { value: undefined } : undefined), timeout, signal);
  }

  /**
   * Pushes a copy of the item. Blocks the thread until there is room.
   * @throws `ERR_SHM_TIMEOUT`; otherwise as `tryPush`.
   */
  pushSync(item: DTypes[D], options?: SyncWaitOptions): void {
    if (this.tryPush(item)) return;
    this.#write(this.#claimSync(options), item);
  }

  /**
   * Returns a fresh copy of the next item; undefined if there is none now.
   * @throws `ERR_SHM_TOO_MANY` if the queue is `spsc` and has another consumer; `ERR_SHM_LOST` if another
   * thread took the slot from this one; `ERR_SHM_CORRUPT`, `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`.
   */
  tryPop(): DTypes[D] | undefined {
    const slot = this.#ring.take();
    return slot < 0 ? undefined : this.#read(slot);
  }

  /**
   * Copies the next item into `out`; returns false if there is none now.
   * @throws `ERR_INVALID_ARG_TYPE` if `out` is not a typed array of the queue's type; `ERR_OUT_OF_RANGE` if it
   * has another length; otherwise as `tryPop`.
   */
  tryPopInto(out: DTypes[D]): boolean {
    if (!(out instanceof this.#Class) || out.length !== this.#length) this.#checkItem(out);
    const slot = this.#ring.take();
    if (slot < 0) return false;
    const { lap } = this.#ring;
    out.set(this.#view(slot) as never);
    this.#ring.free(slot, lap);
    return true;
  }

  /**
   * Resolves to a fresh copy of the next item, when there is one; undefined once the queue has ended and is
   * empty.
   * @throws `ERR_SHM_TIMEOUT`; the signal's reason; `ERR_OUT_OF_RANGE` or `ERR_INVALID_ARG_TYPE` for an invalid
   * option; otherwise as `tryPop`.
   */
  async pop(options?: WaitOptions): Promise<DTypes[D] | undefined> {
    return this.#takeLater(options, (slot) => this.#read(slot));
  }

  /**
   * As `pop`, but blocks the thread.
   * @throws `ERR_SHM_TIMEOUT`; `ERR_OUT_OF_RANGE` or `ERR_INVALID_ARG_TYPE` for an invalid option; otherwise as
   * `tryPop`.
   */
  popSync(options?: SyncWaitOptions): DTypes[D] | undefined {
    const slot = this.#takeSync(options);
    return slot < 0 ? undefined : this.#read(slot);
  }

  // ---- items, in place

  /**
   * Resolves to a slot to write the next item to, when there is room. Consumers do not see the item, nor any
   * claimed after it, until it is committed.
   * @throws As `push`, without the errors about items.
   */
  async claim(options?: WaitOptions): Promise<ClaimedSlot<D>> {
    const { timeout, signal } = waitOptions(options);
    signal?.throwIfAborted();
    const attempt = (): { value: ClaimedSlot<D> } | undefined => {
      const value = this.tryClaim();
      return value && { value };
    };
    const now = this.#room.isEmpty ? attempt() : undefined;
    return now === undefined ? this.#room.wait(attempt, timeout, signal) : now.value;
  }

  /**
   * As `claim`, but blocks the thread.
   * @throws As `pushSync`, without the errors about items.
   */
  claimSync(options?: SyncWaitOptions): ClaimedSlot<D> {
    return this.tryClaim() ?? this.#claimed(this.#claimSync(options));
  }

  /**
   * Returns a slot to write the next item to; undefined if the queue is full.
   * @throws As `tryPush`, without the errors about items.
   */
  tryClaim(): ClaimedSlot<D> | undefined {
    const slot = this.#ring.claim();
    return slot < 0 ? (this.#mayPush(slot), undefined) : this.#claimed(slot);
  }

  /**
   * Resolves to the slot of the next item, to read it in place until the slot is released; undefined once the
   * queue has ended and is empty.
   * @throws As `pop`.
   */
  async take(options?: WaitOptions): Promise<TakenSlot<D> | undefined> {
    return this.#takeLater(options, (slot) => this.#taken(slot));
  }

  /**
   * As `take`, but blocks the thread.
   * @throws As `popSync`.
   */
  takeSync(options?: SyncWaitOptions): TakenSlot<D> | undefined {
    const slot = this.#takeSync(options);
    return slot < 0 ? undefined : this.#taken(slot);
  }

  /**
   * Returns the slot of the next item; undefined if there is none now.
   * @throws As `tryPop`.
   */
  tryTake(): TakenSlot<D> | undefined {
    const slot = this.#ring.take();
    return slot < 0 ? undefined : this.#taken(slot);
  }

  // ---- all that comes

  /**
   * Iterates over the items as they come, in arrays of as many as there are, at most `max`. Ends when the queue
   * has ended and is empty. A batch costs one turn of the event loop, however many items it has.
   * @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE` for an invalid option. The iteration rejects with the signal's
   * reason, and as `tryPop`.
   */
  batches(options?: BatchOptions): AsyncGenerator<DTypes[D][], void, undefined> {
    return batchesOf(this.#stream, options);
  }

  /**
   * Iterates over the items as they come, until the queue has ended and is empty.
   * @throws The iteration rejects as `tryPop`.
   */
  [Symbol.asyncIterator](): AsyncGenerator<DTypes[D], void, undefined> {
    return itemsOf(this.#stream);
  }

  /**
   * Ends the queue: later pushes and waiting producers fail with `ERR_SHM_ENDED`. Consumers take the items that
   * are left and then get undefined. Idempotent.
   * @throws `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`, `ERR_SHM_CORRUPT`.
   */
  end(): void {
    this.checkOpen();
    binding.queueEnd(this.#native);
  }

  /**
   * Closes this handle and gives back the slots that it holds. Waits through it fail with `ERR_SHM_CLOSED`.
   * Idempotent.
   */
  override close(): void {
    if (!this.markClosed()) return;
    this.#ring.close();
    this.#items.close();
    this.#room.close();
    this.#views.length = 0;
    this.#all = new this.#Class(0);
    binding.closeQueue(this.#native, this.#buffer);
  }

  [Symbol.for('nodejs.util.inspect.custom')](_depth: number, options: Inspection): string {
    const what = describeItem(this.dtype, this.shape);
    const state = this.closed ? 'closed' : `${this.length} of ${this.slots}`;
    return showHandle('SharedQueue', this.name, options, what, state);
  }

  /** @internal */
  protected override checkOpen(): void {
    this.#ring.checkOpen();
  }

  // ---- slots

  /** The item of a slot, in place. */
  #view(slot: number): DTypes[D] {
    const index = this.#ring.indexOf(slot);
    const known = this.#views[index];
    if (known !== undefined) return known;
    const view = new this.#Class(this.#buffer, slot * 4 + this.#itemAt, this.#length);
    if (this.slots <= FEW) this.#views[index] = view;
    return view;
  }

  #claimed(slot: number): ClaimedSlot<D> {
    return new Claimed<D>(this.#ring, slot, this.#view(slot));
  }

  #taken(slot: number): TakenSlot<D> {
    return new Taken<D>(this.#ring, slot, this.#view(slot));
  }

  #write(slot: number, item: DTypes[D]): void {
    const { lap } = this.#ring;
    this.#all.set(item as never, (slot * 4 + this.#itemAt) >>> this.#shift);
    this.#ring.commit(slot, lap);
  }

  #read(slot: number): DTypes[D] {
    const { lap } = this.#ring;
    const item = new this.#Class(this.#length);
    item.set(this.#view(slot) as never);
    this.#ring.free(slot, lap);
    return item;
  }

  // ---- waiting

  #mayPush(slot: number): false {
    if (slot === NOTHING) return false;
    throw shmError('ERR_SHM_ENDED', `'${this.name}' has ended: nothing is pushed any more`, this.name);
  }

  #claimSync(options: SyncWaitOptions | undefined): number {
    const slot = this.#blockFor(options, false, this.#roomSpinner);
    if (slot < 0) this.#mayPush(slot);
    return slot;
  }

  #takeSync(options: SyncWaitOptions | undefined): number {
    const slot = this.#ring.take();
    return slot === NOTHING ? this.#blockFor(options, true, this.#itemSpinner) : slot;
  }

  /** Blocks until there is a slot, or never will be. */
  #blockFor(options: SyncWaitOptions | undefined, items: boolean, spinner: Spinner): number {
    const ring = this.#ring;
    let slot = NOTHING;
    blockFor(
      this.name,
      options,
      spinner,
      () => (slot = items ? ring.take() : ring.claim()) !== NOTHING,
      (milliseconds) => binding.queueWait(this.#native, items, milliseconds),
    );
    return slot;
  }

  #takeLater<T>(options: WaitOptions | undefined, use: (slot: number) => T): Promise<T | undefined> {
    const { timeout, signal } = waitOptions(options);
    signal?.throwIfAborted();
    const attempt = (): { value: T | undefined } | undefined => {
      const slot = this.#ring.take();
      if (slot >= 0) return { value: use(slot) };
      return slot === OVER ? { value: undefined } : undefined;
    };
    const now = this.#items.isEmpty ? attempt() : undefined;
    return now === undefined ? this.#items.wait(attempt, timeout, signal) : Promise.resolve(now.value);
  }

  #checkItem(item: unknown): void {
    if (this.closed) throw closedError(this.name);
    checkItem(this.name, this.#Class, this.#length, item);
  }
}

/** In a message: what a queue is for. */
function sides(spsc: boolean): string {
  return spsc ? 'for one producer and one consumer (spsc)' : 'for any number of both (not spsc)';
}
