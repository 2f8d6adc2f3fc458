import { types } from 'node:util';

import * as binding from '#binding';
import { checkNamed, checkOptions } from '../../common/arguments.js';
import { checkType } from '../../array/dtype.js';
import type { DType, DTypes } from '../../array/dtype.js';
import { Memory, NOTHING } from './memory.js';
import { Publisher } from './publisher.js';
import { Reader } from './subscription.js';
import type { Subscription } from './subscription.js';
import { closedError, outOfRange, shmError, wrongType } from '../../common/errors.js';
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
import { SegmentHandle, showHandle } from '../../common/handle.js';
import type { Inspection } from '../../common/handle.js';
import type { Descriptor } from '../../common/shared-object.js';
import { blockFor, Spinner, waitOptions } from '../../sync/waits.js';
import type { SyncWaitOptions, WaitOptions } from '../../sync/waits.js';

/** Options for creating a broadcast. */
export interface BroadcastOptions<D extends DType> extends RingOptions<D> {
  /**
   * What happens if a reader is slower than the writer: the writer waits for it (`'block'`), or the reader
   * loses the items that are overwritten (`'drop'`). Default `'block'`.
   */
  onSlow?: 'block' | 'drop';
}

/** Options for attaching to a broadcast. What you say about its items must agree with them. */
export type BroadcastAttachOptions<D extends DType = DType> = RingAttachOptions<D>;

/** Options of `subscribe()`. */
export interface SubscribeOptions {
  /**
   * Where to start reading: at the next item that is published, or at the oldest one that is still there.
   * Default `'latest'`.
   */
  from?: 'latest' | 'oldest';
}

const OPTIONS = [...RING_OPTIONS, 'onSlow'];

/**
 * Items of one size from one writer to many readers, between processes and threads. Each reader gets every
 * item.
 *
 * ```js
 * using prices = SharedBroadcast.create({ name: 'prices', slots: 1000, shape: [4] });
 * await prices.publish(Float64Array.of(1, 2, 3, 4)); // waits for the slowest reader
 * // other processes
 * using subscription = SharedBroadcast.attach('prices').subscribe();
 * for await (const price of subscription) show(price);
 * ```
 */
export class SharedBroadcast<D extends DType = DType> extends SegmentHandle {
  /** Number of slots, each of which holds one item. */
  readonly slots: number;
  /** Type of the elements, by numpy's name. */
  readonly dtype: D;
  /** Length of each dimension of an item, in elements; empty if none was given. */
  readonly shape: readonly number[];
  /** What happens if a reader is slower than the writer, as in `create`. */
  readonly onSlow: 'block' | 'drop';
  readonly #native: binding.BroadcastHandle;
  readonly #memory: Memory<D>;
  readonly #publisher: Publisher<D>;
  readonly #readers = new Set<Reader<D>>();
  readonly #room: WaitQueue;
  readonly #spinner = new Spinner();

  private constructor(native: binding.BroadcastHandle) {
    if (!types.isExternal(native))
      throw wrongType('a SharedBroadcast', 'made by create() or attach()', native);
    const facts = binding.broadcastFacts(native);
    const { ring } = facts;
    super('broadcast', ring);
    this.#native = native;
    this.slots = ring.slots;
    this.dtype = ring.dtype as D;
    this.shape = Object.freeze(ring.shape);
    this.onSlow = facts.blocks ? 'block' : 'drop';
    this.#memory = new Memory(native, facts, checkType(ring.dtype).Class as ItemClass<D>);
    this.#publisher = new Publisher(this.#memory);
    this.#room = new WaitQueue(this.name, (threads, id) => binding.startBroadcastWait(threads, id, native));
  }

  /**
   * Creates a broadcast with no items.
   * @throws `ERR_OUT_OF_RANGE` or `ERR_INVALID_ARG_TYPE` for an invalid option; otherwise as
   * `SharedMemory.create` and `SharedMemory.buffer`. Nothing is left behind.
   */
  static create<D extends DType = 'float64'>(options: BroadcastOptions<D>): SharedBroadcast<D> {
    if (options === undefined) throw wrongType('options', 'an object with the number of slots', options);
    return SharedBroadcast.#made(checkOptions(options, OPTIONS) as BroadcastOptions<D>, false);
  }

  /**
   * Opens the broadcast of this name, or creates it. The first caller creates, the others attach, and all of
   * them own it.
   * @throws `ERR_SHM_MISMATCH` if the existing broadcast is not as the options say; otherwise as `create` (but
   * not `EEXIST`) and `attach`.
   */
  static createOrAttach<D extends DType = 'float64'>(
    name: string,
    options: BroadcastOptions<D>,
  ): SharedBroadcast<D> {
    return SharedBroadcast.#made(checkNamed(name, options, OPTIONS), true);
  }

  static #made<D extends DType>(options: BroadcastOptions<D>, attach: boolean): SharedBroadcast<D> {
    const { onSlow = 'block' } = options;
    if (onSlow !== 'block' && onSlow !== 'drop') throw outOfRange('onSlow', "'block' or 'drop'", onSlow);
    const given = ringArguments(options);
    const { slots, dtype, shape, name, mode, populate, track } = given;
    const blocks = onSlow === 'block';
    const native = binding.createBroadcast(
      { slots, dtype, shape },
      blocks,
      name,
      mode,
      populate,
      track,
      attach,
    );
    if (track) warnWhereUntracked();
    const broadcast = new SharedBroadcast<D>(native);
    return attach
      ? checkMatchesOptions(broadcast, 'broadcast', given, [`'${broadcast.onSlow}'`, `'${onSlow}'`])
      : broadcast;
  }

  /**
   * Opens an existing broadcast, by its name or its descriptor.
   * @throws `ERR_SHM_NOT_A_BROADCAST` if the segment is something else; `ERR_SHM_MISMATCH` if its items are not
   * what the options say; `ERR_SHM_VERSION` if a newer shmkit made it; `ERR_SHM_CORRUPT`; `ERR_SHM_TOO_MANY`
   * (255 threads have it open); `ERR_OUT_OF_RANGE`; otherwise as `SharedMemory.attach` and
   * `SharedMemory.buffer`.
   */
  static attach<D extends DType = DType>(
    target: string | Descriptor,
    options?: BroadcastAttachOptions<D>,
  ): SharedBroadcast<D> {
    const { name, foreign, id, expected } = ringAttachment('broadcast', target, options);
    return checkMatches(
      new SharedBroadcast<D>(binding.attachBroadcast(name, foreign, id)),
      'broadcast',
      expected,
    );
  }

  /**
   * Whether `end()` was called, in any process.
   * @throws `ERR_SHM_CLOSED`.
   */
  get ended(): boolean {
    return this.#memory.ended;
  }

  /**
   * Number of items that were published, by all writers.
   * @throws `ERR_SHM_CLOSED`.
   */
  get published(): number {
    return this.#memory.published;
  }

  /**
   * Number of subscriptions in all processes. One whose process died counts until the writer notices.
   * @throws `ERR_SHM_CLOSED`.
   */
  get subscribers(): number {
    return this.#memory.readers;
  }

  // ---- the writer

  /**
   * Publishes a copy of the item; returns false if the slowest reader has not read what it would overwrite. The
   * first thread that publishes is the writer.
   * @throws `ERR_SHM_ENDED` after `end()`; `ERR_INVALID_ARG_TYPE` for an item that is not a typed array of the
   * broadcast's type; `ERR_OUT_OF_RANGE` for an item of another length; `ERR_SHM_TOO_MANY` if there is another
   * writer; `ERR_SHM_CORRUPT`, `ERR_SHM_CLOSED`.
   */
  tryPublish(item: DTypes[D]): boolean {
    const memory = this.#memory;
    if (!(item instanceof memory.Class) || item.length !== memory.length) this.#checkItem(item);
    const mark = this.#publisher.claim();
    if (mark < 0) return this.#mayPublish(mark);
    memory.write(mark, item);
    this.#publisher.commit(mark);
    return true;
  }

  /**
   * Publishes a copy of the item, made at the call, as soon as there is room.
   * @throws `ERR_SHM_TIMEOUT`; the signal's reason; otherwise as `tryPublish`.
   */
  async publish(item: DTypes[D], options?: WaitOptions): Promise<void> {
    const { timeout, signal } = waitOptions(options);
    signal?.throwIfAborted();
    this.#checkItem(item);
    if (this.#room.isEmpty && this.tryPublish(item)) return;
    const copy = item.slice() as DTypes[D];
    return this.#room.wait(() => (this.tryPublish(copy) ? { value: undefined } : undefined), timeout, signal);
  }

  /**
   * Publishes a copy of the item. Blocks the thread until there is room.
   * @throws `ERR_SHM_TIMEOUT`; otherwise as `tryPublish`.
   */
  publishSync(item: DTypes[D], options?: SyncWaitOptions): void {
    if (this.tryPublish(item)) return;
    blockFor(
      this.name,
      options,
      this.#spinner,
      () => this.tryPublish(item),
      (milliseconds) => binding.broadcastWait(this.#native, undefined, milliseconds),
    );
  }

  /**
   * Ends the broadcast: later publishing fails with `ERR_SHM_ENDED`. Readers read the items that are left and
   * then get undefined. Idempotent.
   * @throws `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`.
   */
  end(): void {
    this.checkOpen();
    binding.broadcastEnd(this.#native);
  }

  // ---- readers

  /**
   * Starts reading: every item that is published from now on is for this reader, and with `from: 'oldest'` also
   * those that are still there. A writer that blocks waits for this reader until it is closed.
   * @throws `ERR_SHM_TOO_MANY` (255 subscriptions), `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`,
   * `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`.
   */
  subscribe(options?: SubscribeOptions): Subscription<D> {
    const { from } = checkOptions(options, ['from']);
    if (from !== undefined && from !== 'latest' && from !== 'oldest')
      throw outOfRange('from', "'latest' or 'oldest'", from);
    this.checkOpen();
    const reader = new Reader(this.#memory, from === 'oldest', (closed) => this.#readers.delete(closed));
    this.#readers.add(reader);
    return reader;
  }

  /** Closes this handle and its subscriptions. Waits through it fail with `ERR_SHM_CLOSED`. Idempotent. */
  override close(): void {
    if (!this.markClosed()) return;
    for (const reader of this.#readers) reader.close();
    this.#room.close();
    this.#memory.close();
  }

  [Symbol.for('nodejs.util.inspect.custom')](_depth: number, options: Inspection): string {
    const what = describeItem(this.dtype, this.shape);
    const state = this.closed ? 'closed' : `${this.subscribers} subscribers`;
    return showHandle('SharedBroadcast', this.name, options, what, state);
  }

  /** @internal */
  protected override checkOpen(): void {
    this.#memory.checkOpen();
  }

  #mayPublish(why: number): false {
    if (why === NOTHING) return false;
    throw shmError('ERR_SHM_ENDED', `'${this.name}' has ended: nothing is published any more`, this.name);
  }

  #checkItem(item: unknown): void {
    if (this.closed) throw closedError(this.name);
    checkItem(this.name, this.#memory.Class, this.#memory.length, item);
  }
}
