import { types } from 'node:util';
import type { InspectOptions } from 'node:util';

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
import { UNCLONEABLE } from '../../common/shared-object.js';
import type { Descriptor, SharedObject } from '../../common/shared-object.js';
import { blockFor, Spinner, waitOptions } from '../../sync/waits.js';
import type { SyncWaitOptions, WaitOptions } from '../../sync/waits.js';

/** How to make a queue. */
export interface QueueOptions<D extends DType> extends RingOptions<D> {
  /**
   * Whether the queue is for one producer and one consumer, which is faster. Otherwise any number of threads may push and
   * take. Default false.
   */
  spsc?: boolean;
}

/** How to attach to a queue. What you say of its items must agree with it. */
export type QueueAttachOptions<D extends DType = DType> = RingAttachOptions<D>;

const OPTIONS = [...RING_OPTIONS, 'spsc'];
/** Views of slots are kept where there are no more than these. */
const FEW = 4096;

/**
 * A bounded queue of items of one size between processes and threads: written and read in place, with back-pressure, and
 * going on after every death.
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
export class SharedQueue<D extends DType = DType> implements SharedObject, AsyncIterable<DTypes[D]> {
  readonly name: string;
  /** Number of slots, each of which holds one item. */
  readonly slots: number;
  /** Type of the elements. */
  readonly dtype: D;
  /** Dimensions of an item. */
  readonly shape: readonly number[];
  /** Whether the queue is for one producer and one consumer. */
  readonly spsc: boolean;
  /** @internal */
  readonly uncloneable = UNCLONEABLE;
  readonly #native: binding.QueueHandle;
  readonly #id: string;
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
  #closed = false;

  private constructor(native: binding.QueueHandle) {
    if (!types.isExternal(native)) throw wrongType('a SharedQueue', 'made by create() or attach()', native);
    this.#native = native;
    const facts = binding.queueFacts(native);
    const { ring } = facts;
    this.name = ring.name;
    this.slots = ring.slots;
    this.dtype = ring.dtype as D;
    this.shape = Object.freeze(ring.shape);
    this.spsc = facts.single;
    this.#id = ring.id;
    this.#Class = checkType(ring.dtype).Class as ItemClass<D>;
    this.#length = ring.elements;
    this.#buffer = binding.queueBuffer(native);
    this.#ring = new Ring(native, facts, this.#buffer);
    const line = (items: boolean): WaitQueue =>
      new WaitQueue(
        this.name,
        (threads, id) => binding.startQueueWait(threads, id, native, items),
        () => binding.queuePassOn(native, items),
      );
    this.#items = line(true);
    this.#room = line(false);
    const bytes = this.#Class.BYTES_PER_ELEMENT;
    this.#itemAt = ring.itemAt;
    this.#shift = Math.log2(bytes);
    this.#all = new this.#Class(this.#buffer, 0, Math.floor(this.#buffer.byteLength / bytes));
  }

  /**
   * Makes an empty queue.
   * @throws `EEXIST`, `ENOSPC`, `ENOMEM`, `ERR_SHM_NAME`, `ERR_OUT_OF_RANGE`; nothing is left behind then.
   */
  static create<D extends DType = 'float64'>(options: QueueOptions<D>): SharedQueue<D> {
    if (options === undefined) throw wrongType('options', 'an object with the number of slots', options);
    return SharedQueue.#made(checkOptions(options, OPTIONS) as QueueOptions<D>, false);
  }

  /**
   * Opens the queue of this name, or makes it: whoever comes first creates, the others attach, and all of them own it.
   * @throws `ERR_SHM_MISMATCH` where the existing one is not as the options say; else as `create` and `attach`.
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
   * @throws `ENOENT`, `ERR_SHM_NOT_A_QUEUE`, `ERR_SHM_MISMATCH` (its items are not what the options say),
   * `ERR_SHM_VERSION`, `ERR_SHM_FOREIGN`, `ERR_SHM_UNLINKED`, `ERR_SHM_CORRUPT`, `ERR_SHM_TOO_MANY` (255 threads have it
   * open), `EACCES`.
   */
  static attach<D extends DType = DType>(
    target: string | Descriptor,
    options?: QueueAttachOptions<D>,
  ): SharedQueue<D> {
    const { name, foreign, id, wanted } = ringAttachment('queue', target, options);
    return checkMatches(new SharedQueue<D>(binding.attachQueue(name, foreign, id)), 'queue', wanted);
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Whether `end()` was called, by anybody. */
  get ended(): boolean {
    return this.#ring.ended;
  }

  /** How many items there are, those included that are just being written. */
  get length(): number {
    return this.#ring.length;
  }

  /** How many claimed or taken slots were lost with a thread that died. */
  get lost(): number {
    return this.#ring.lost;
  }

  /**
   * The slots that are claimed or taken at this moment: their number, and the holders of the first `limit` of them, the
   * oldest first. Default 100.
   * @throws `ERR_SHM_CLOSED`, `ERR_OUT_OF_RANGE`.
   */
  holders(limit = 100): { count: number; holders: SlotHolder[] } {
    return this.#ring.holders(checkIndex('limit', limit, 2 ** 32));
  }

  // ---- items, copied

  /**
   * Pushes a copy of the item; false where the queue is full.
   * @throws `ERR_SHM_ENDED`, `ERR_INVALID_ARG_TYPE`, `ERR_SHM_TOO_MANY` (of an spsc queue there is another producer),
   * `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`.
   */
  tryPush(item: DTypes[D]): boolean {
    if (!(item instanceof this.#Class) || item.length !== this.#length) this.#checkItem(item);
    const slot = this.#ring.claim();
    if (slot < 0) return this.#mayPush(slot);
    this.#write(slot, item);
    return true;
  }

  /**
   * Pushes a copy of the item as it is now, when there is room.
   * @throws `ERR_SHM_ENDED`, `ERR_SHM_TIMEOUT`, the signal's reason; else as `tryPush`.
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
   * Blocks the thread until the item is pushed.
   * @throws `ERR_SHM_ENDED`, `ERR_SHM_TIMEOUT`; else as `tryPush`.
   */
  pushSync(item: DTypes[D], options?: SyncWaitOptions): void {
    if (this.tryPush(item)) return;
    this.#write(this.#claimSync(options), item);
  }

  /**
   * A fresh copy of the next item; undefined where there is none now.
   * @throws `ERR_SHM_TOO_MANY` (of an spsc queue there is another consumer), `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`.
   */
  tryPop(): DTypes[D] | undefined {
    const slot = this.#ring.take();
    return slot < 0 ? undefined : this.#read(slot);
  }

  /** Copies the next item into `out`; false where there is none now. Throws as `tryPop`. */
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
   * The next item, when there is one; undefined once the queue has ended and everything was taken.
   * @throws `ERR_SHM_TIMEOUT`, the signal's reason; else as `tryPop`.
   */
  async pop(options?: WaitOptions): Promise<DTypes[D] | undefined> {
    return this.#takeLater(options, (slot) => this.#read(slot));
  }

  /** Blocks the thread for the same. */
  popSync(options?: SyncWaitOptions): DTypes[D] | undefined {
    const slot = this.#takeSync(options);
    return slot < 0 ? undefined : this.#read(slot);
  }

  // ---- items, in place

  /**
   * A slot to write the next item to, when there is room. Nobody sees an item, nor any that was claimed after it, until it is
   * committed.
   * @throws As `push`.
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

  /** Blocks the thread for the same. */
  claimSync(options?: SyncWaitOptions): ClaimedSlot<D> {
    return this.tryClaim() ?? this.#claimed(this.#claimSync(options));
  }

  /** A slot to write the next item to; undefined where the queue is full. Throws as `tryPush`. */
  tryClaim(): ClaimedSlot<D> | undefined {
    const slot = this.#ring.claim();
    return slot < 0 ? (this.#mayPush(slot), undefined) : this.#claimed(slot);
  }

  /**
   * The slot of the next item, to be read in place until it is released; undefined once the queue has ended and everything
   * was taken.
   * @throws As `pop`.
   */
  async take(options?: WaitOptions): Promise<TakenSlot<D> | undefined> {
    return this.#takeLater(options, (slot) => this.#taken(slot));
  }

  /** Blocks the thread for the same. */
  takeSync(options?: SyncWaitOptions): TakenSlot<D> | undefined {
    const slot = this.#takeSync(options);
    return slot < 0 ? undefined : this.#taken(slot);
  }

  /** The slot of the next item; undefined where there is none now. Throws as `tryPop`. */
  tryTake(): TakenSlot<D> | undefined {
    const slot = this.#ring.take();
    return slot < 0 ? undefined : this.#taken(slot);
  }

  // ---- all that comes

  /**
   * Items as they come, so many at a time as there are; ends when the queue has. A batch costs one turn of the event loop,
   * however many items there are in it.
   */
  batches(options?: BatchOptions): AsyncGenerator<DTypes[D][], void, undefined> {
    return batchesOf(this.#stream, options);
  }

  /** Items as they come, until the queue has ended and everything was taken. */
  [Symbol.asyncIterator](): AsyncGenerator<DTypes[D], void, undefined> {
    return itemsOf(this.#stream);
  }

  /** Nothing is pushed any more: producers are told, consumers take what there is, and then are. */
  end(): void {
    this.#ring.checkOpen();
    binding.queueEnd(this.#native);
  }

  /** Makes this process an owner. */
  adopt(): void {
    this.#ring.checkOpen();
    binding.adoptQueue(this.#native);
  }

  /** Lets go of it in this handle, and of the slots that it has; who waits through it does not any more. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ring.close();
    this.#items.close();
    this.#room.close();
    this.#views.length = 0;
    this.#all = new this.#Class(0);
    binding.closeQueue(this.#native, this.#buffer);
  }

  /** Removes the name. Whoever is attached goes on with it. */
  unlink(): void {
    binding.unlinkQueue(this.#native);
  }

  /** What `attach()` takes in another process or thread. */
  toJSON(): Descriptor {
    return { kind: 'queue', name: this.name, id: this.#id };
  }

  /** `close()` */
  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.for('nodejs.util.inspect.custom')](
    _depth: number,
    options: InspectOptions & { stylize(text: string, style: string): string },
  ): string {
    const what = describeItem(this.dtype, this.shape);
    const state = this.#closed ? 'closed' : `${this.length} of ${this.slots}`;
    return `SharedQueue(${options.stylize(`'${this.name}'`, 'string')}, ${what}, ${state})`;
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
    if (this.#closed) throw closedError(this.name);
    checkItem(this.name, this.#Class, this.#length, item);
  }
}

/** In a message: what a queue is for. */
function sides(spsc: boolean): string {
  return spsc ? 'for one producer and one consumer (spsc)' : 'for any number of both (not spsc)';
}
