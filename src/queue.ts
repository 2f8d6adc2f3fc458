import { setImmediate as turn } from 'node:timers/promises';
import { types } from 'node:util';
import type { InspectOptions } from 'node:util';

import * as binding from '#binding';
import { checkBoolean, checkCount, checkMode, checkName, checkOptions, checkTarget } from './arguments.js';
import { checkType } from './array/dtype.js';
import type { DType, DTypes, TypedClass } from './array/dtype.js';
import { closedError, outOfRange, shmError, wrongType } from './errors.js';
import { warnWhereUntracked } from './housekeeping.js';
import type { CreateOptions } from './memory.js';
import { Line } from './queue/line.js';
import { NOTHING, OVER, Ring } from './queue/ring.js';
import { HeldSlot } from './queue/slot.js';
import type { Slot } from './queue/slot.js';
import { UNCLONEABLE } from './shared-object.js';
import type { Descriptor, SharedObject } from './shared-object.js';
import {
  block,
  checkSignal,
  checkSpin,
  checkTimeout,
  Looks,
  SYNC_WAIT_OPTIONS,
  timeoutError,
  waitOptions,
} from './waits.js';
import type { SyncWaitOptions, WaitOptions } from './waits.js';

/** What makes typed arrays of the queue's type. */
interface ItemClass<D extends DType> extends TypedClass {
  new (buffer: ArrayBuffer, byteOffset?: number, length?: number): DTypes[D];
  new (length: number): DTypes[D];
}

/** How to make a ring of items of one size. */
export interface RingOptions<D extends DType> extends Omit<CreateOptions, 'mode' | 'reserve'> {
  /** Room for so many items. */
  slots: number;
  /** Dimensions of an item, whose product is its length. Default: one element. */
  shape?: readonly number[];
  /** Type of the elements, by numpy's name. Default `float64`. */
  dtype?: D;
  /** Permission bits, set exactly. Who takes part must be allowed to read and to write. Default `0o600`. */
  permissions?: number;
}

/** How to make a queue. */
export interface QueueOptions<D extends DType> extends RingOptions<D> {
  /** Any number on both sides, or one producer and one consumer, which is faster. Default `mpmc`. */
  mode?: 'spsc' | 'mpmc';
}

/** How to attach to a queue. */
export interface QueueAttachOptions {
  /** Allow one of another user. Default false. */
  foreign?: boolean;
}

/** What `batches()` gives. */
export interface BatchOptions {
  /** Items in a batch at most. Default 256. */
  max?: number;
  /** Ends the iteration with its reason. */
  signal?: AbortSignal;
}

const OPTIONS = ['name', 'permissions', 'populate', 'track', 'slots', 'shape', 'dtype', 'mode'];
/** Views of slots are kept where there are no more than these. */
const FEW = 4096;
const BATCH = 256;
/** After so many items without a wait the event loop has its turn. */
const GREEDY = 1024;

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
  /** Room for so many items. */
  readonly capacity: number;
  /** Type of the elements. */
  readonly dtype: D;
  /** Dimensions of an item. */
  readonly shape: readonly number[];
  /** @internal */
  readonly uncloneable = UNCLONEABLE;
  readonly #native: binding.QueueHandle;
  readonly #id: string;
  readonly #buffer: ArrayBuffer;
  readonly #ring: Ring;
  readonly #items: Line;
  readonly #room: Line;
  readonly #itemLooks = new Looks();
  readonly #roomLooks = new Looks();
  readonly #Class: ItemClass<D>;
  /** Elements of an item. */
  readonly #length: number;
  /** Where in its slot an item is, in bytes. */
  readonly #itemAt: number;
  /** From bytes to elements. */
  readonly #shift: number;
  readonly #views: DTypes[D][] = [];
  #all: DTypes[D];
  #closed = false;

  private constructor(native: binding.QueueHandle) {
    if (!types.isExternal(native)) throw wrongType('a SharedQueue', 'made by create() or attach()', native);
    this.#native = native;
    const facts = binding.queueFacts(native);
    this.name = facts.name;
    this.capacity = facts.slots;
    this.dtype = facts.dtype as D;
    this.shape = Object.freeze(facts.shape);
    this.#id = facts.id;
    this.#Class = checkType(facts.dtype).Class as ItemClass<D>;
    this.#length = facts.elements;
    this.#buffer = binding.queueBuffer(native);
    this.#ring = new Ring(native, facts, this.#buffer);
    this.#items = new Line(native, this.name, true);
    this.#room = new Line(native, this.name, false);
    const bytes = this.#Class.BYTES_PER_ELEMENT;
    this.#itemAt = facts.itemAt;
    this.#shift = Math.log2(bytes);
    this.#all = new this.#Class(this.#buffer, 0, Math.floor(this.#buffer.byteLength / bytes));
  }

  /**
   * Makes an empty queue.
   * @throws `EEXIST`, `ENOSPC`, `ENOMEM`, `ERR_SHM_NAME`, `ERR_OUT_OF_RANGE`; nothing is left behind then.
   */
  static create<D extends DType = 'float64'>(options: QueueOptions<D>): SharedQueue<D> {
    if (options === undefined) throw wrongType('options', 'an object with the number of slots', options);
    const { name, permissions, populate, track, slots, shape, dtype, mode } = checkOptions(
      options,
      OPTIONS,
    ) as QueueOptions<D>;
    if (mode !== undefined && mode !== 'spsc' && mode !== 'mpmc')
      throw outOfRange('mode', "'spsc' or 'mpmc'; permission bits are the option permissions", mode);
    const tracked = checkBoolean('track', track, true);
    const native = binding.createQueue(
      checkSlots(slots),
      dtype === undefined ? 'float64' : checkType(dtype).name,
      checkShape(shape),
      mode === 'spsc',
      name === undefined ? undefined : checkName(name),
      checkMode(permissions),
      checkBoolean('populate', populate, false),
      tracked,
    );
    if (tracked) warnWhereUntracked();
    return new SharedQueue<D>(native);
  }

  /**
   * Opens an existing queue, by its name or its descriptor.
   * @throws `ENOENT`, `ERR_SHM_NOT_A_QUEUE`, `ERR_SHM_VERSION`, `ERR_SHM_FOREIGN`, `ERR_SHM_UNLINKED`, `ERR_SHM_CORRUPT`,
   * `ERR_SHM_TOO_MANY` (255 threads have it open), `EACCES`.
   */
  static attach<D extends DType = DType>(
    target: string | Descriptor,
    options?: QueueAttachOptions,
  ): SharedQueue<D> {
    const { name, id } = checkTarget(target, 'queue');
    const { foreign } = checkOptions(options, ['foreign']);
    return new SharedQueue<D>(binding.attachQueue(name, checkBoolean('foreign', foreign, false), id));
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
  async claim(options?: WaitOptions): Promise<Slot<D>> {
    const { timeout, signal } = waitOptions(options);
    signal?.throwIfAborted();
    const attempt = (): { value: Slot<D> } | undefined => {
      const value = this.tryClaim();
      return value && { value };
    };
    const now = this.#room.isEmpty ? attempt() : undefined;
    return now === undefined ? this.#room.wait(attempt, timeout, signal) : now.value;
  }

  /** Blocks the thread for the same. */
  claimSync(options?: SyncWaitOptions): Slot<D> {
    return this.tryClaim() ?? this.#slot(this.#claimSync(options), true);
  }

  /** A slot to write the next item to; undefined where the queue is full. Throws as `tryPush`. */
  tryClaim(): Slot<D> | undefined {
    const slot = this.#ring.claim();
    return slot < 0 ? (this.#mayPush(slot), undefined) : this.#slot(slot, true);
  }

  /**
   * The slot of the next item, to be read in place until it is disposed; undefined once the queue has ended and everything
   * was taken.
   * @throws As `pop`.
   */
  async take(options?: WaitOptions): Promise<Slot<D> | undefined> {
    return this.#takeLater(options, (slot) => this.#slot(slot, false));
  }

  /** Blocks the thread for the same. */
  takeSync(options?: SyncWaitOptions): Slot<D> | undefined {
    const slot = this.#takeSync(options);
    return slot < 0 ? undefined : this.#slot(slot, false);
  }

  /** The slot of the next item; undefined where there is none now. Throws as `tryPop`. */
  tryTake(): Slot<D> | undefined {
    const slot = this.#ring.take();
    return slot < 0 ? undefined : this.#slot(slot, false);
  }

  // ---- all that comes

  /**
   * Items as they come, so many at a time as there are; ends when the queue has. A batch costs one turn of the event loop,
   * however many items there are in it.
   */
  async *batches(options?: BatchOptions): AsyncGenerator<DTypes[D][], void, undefined> {
    const given = checkOptions(options, ['max', 'signal']);
    const max = given.max === undefined ? BATCH : checkCount('max', given.max);
    const signal = checkSignal(given.signal);
    for (let popped = 0; ;) {
      signal?.throwIfAborted();
      const first = await this.pop(signal && { signal });
      if (first === undefined) return;
      const batch = [first];
      for (let next; batch.length < max && (next = this.tryPop()) !== undefined;) batch.push(next);
      popped += batch.length;
      yield batch;
      if (popped >= GREEDY) {
        popped = 0;
        await turn();
      }
    }
  }

  /** Items as they come, until the queue has ended and everything was taken. */
  async *[Symbol.asyncIterator](): AsyncGenerator<DTypes[D], void, undefined> {
    for (let popped = 1; ; popped++) {
      const item = (this.#items.isEmpty ? this.tryPop() : undefined) ?? (await this.pop());
      if (item === undefined) return;
      yield item;
      if (popped % GREEDY === 0) await turn();
    }
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
    const what = `${this.dtype}${this.shape.length > 0 ? `[${this.shape.join(', ')}]` : ''}`;
    const state = this.#closed ? 'closed' : `${this.length} of ${this.capacity}`;
    return `SharedQueue(${options.stylize(`'${this.name}'`, 'string')}, ${what}, ${state})`;
  }

  // ---- slots

  /** The item of a slot, in place. */
  #view(slot: number): DTypes[D] {
    const index = this.#ring.indexOf(slot);
    const known = this.#views[index];
    if (known !== undefined) return known;
    const view = new this.#Class(this.#buffer, slot * 4 + this.#itemAt, this.#length);
    if (this.capacity <= FEW) this.#views[index] = view;
    return view;
  }

  #slot(slot: number, claimed: boolean): Slot<D> {
    return new HeldSlot<D>(this.#ring, slot, this.#view(slot), claimed);
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
    const slot = this.#blockFor(options, false, this.#roomLooks);
    if (slot < 0) this.#mayPush(slot);
    return slot;
  }

  #takeSync(options: SyncWaitOptions | undefined): number {
    const slot = this.#ring.take();
    return slot === NOTHING ? this.#blockFor(options, true, this.#itemLooks) : slot;
  }

  /** Blocks until there is a slot, or never will be. */
  #blockFor(options: SyncWaitOptions | undefined, items: boolean, looks: Looks): number {
    const given = checkOptions(options, SYNC_WAIT_OPTIONS);
    const timeout = checkTimeout(given.timeout);
    const spin = checkSpin(given.spin);
    const ring = this.#ring;
    let slot = NOTHING;
    const look = (): boolean => (slot = items ? ring.take() : ring.claim()) !== NOTHING;
    if (timeout > 0 && looks.around(spin, look)) return slot;
    const slice = (milliseconds: number): true | undefined => {
      binding.queueWait(this.#native, items, milliseconds);
      return look() || undefined;
    };
    if (block(timeout, slice) === undefined) throw timeoutError(this.name, timeout);
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
    // By its name: one of another realm (a vm's context, Jest's) is as good.
    if (!types.isTypedArray(item) || item[Symbol.toStringTag] !== this.#Class.name)
      throw wrongType(`an item of '${this.name}'`, `a ${this.#Class.name} of length ${this.#length}`, item);
    if (item.length !== this.#length)
      throw outOfRange('the length of an item', `${this.#length}`, item.length);
  }
}

function checkSlots(slots: unknown): number {
  const count = checkCount('slots', slots);
  if (count >= 2 ** 32) throw outOfRange('slots', 'far less', slots);
  return count;
}

function checkShape(shape: unknown): number[] {
  if (shape === undefined) return [];
  if (!Array.isArray(shape)) throw wrongType('shape', 'an array of numbers', shape);
  return Array.from(shape, (length, index) => checkCount(`shape[${index}]`, length));
}
