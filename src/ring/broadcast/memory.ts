import * as binding from '#binding';
import type { DType, DTypes } from '../../array/dtype.js';
import { closedError, detachedError, shmError } from '../../common/errors.js';
import { load, loadCount } from '../../common/memory-order.js';
import { describeItem } from '../items.js';
import type { ItemClass } from '../items.js';

/** @internal Where the words and the counts are: see `crates/shmkit/src/ring/broadcast/layout.rs`. */
export const LAYOUT = binding.broadcastConstants();

const {
  active: ACTIVE,
  ended: ENDED,
  entries: ENTRIES,
  entryStride: ENTRY,
  head: HEAD,
  marks: MARKS,
} = LAYOUT;
const { readers: READERS, used: USED } = LAYOUT;
/** Views of slots are kept where there are no more than these. */
const FEW = 4096;

/** What is to be seen of a closed broadcast: it leads to where it is seen that it is closed. */
const CLOSED = new Int32Array(ENTRIES);
CLOSED[ENDED] = 1;
const NO_COUNTS = new Float64Array(0);

/** @internal In place of a slot: there is none now. */
export const NOTHING = -1;
/** @internal In place of a slot: the broadcast has ended, and for readers everything was read. */
export const OVER = -2;

/** @internal A handle's view of a broadcast's memory, until it is closed. */
export class Memory<D extends DType> {
  words: Int32Array;
  counts: Float64Array;
  readonly native: binding.BroadcastHandle;
  readonly name: string;
  readonly blocks: boolean;
  readonly slots: number;
  /** From mark to mark, in counts. */
  readonly stride: number;
  readonly Class: ItemClass<D>;
  /** Elements of an item. */
  readonly length: number;
  /** Where in its slot an item is, in bytes. */
  readonly #itemAt: number;
  /** From bytes to elements. */
  readonly #shift: number;
  readonly #facts: binding.RingFacts;
  readonly #buffer: ArrayBuffer;
  readonly #views: DTypes[D][] = [];
  #all: DTypes[D];

  constructor(native: binding.BroadcastHandle, facts: binding.BroadcastFacts, Class: ItemClass<D>) {
    this.native = native;
    this.name = facts.ring.name;
    this.#facts = facts.ring;
    this.blocks = facts.blocks;
    this.slots = facts.ring.slots;
    this.stride = facts.ring.stride / 8;
    this.Class = Class;
    this.length = facts.ring.elements;
    this.#itemAt = facts.ring.itemAt;
    this.#shift = Math.log2(Class.BYTES_PER_ELEMENT);
    this.#buffer = binding.broadcastBuffer(native);
    this.words = new Int32Array(this.#buffer);
    this.counts = new Float64Array(this.#buffer);
    this.#all = new Class(this.#buffer, 0, Math.floor(this.#buffer.byteLength / Class.BYTES_PER_ELEMENT));
  }

  /** Its items, as `Subscription(…)` shows them. */
  get item(): string {
    return describeItem(this.#facts.dtype, this.#facts.shape);
  }

  /** The mark of a slot. */
  markOf(index: number): number {
    return MARKS + index * this.stride;
  }

  /** The item of a slot, in place. */
  view(index: number): DTypes[D] {
    const known = this.#views[index];
    if (known !== undefined) return known;
    const view = new this.Class(this.#buffer, this.markOf(index) * 8 + this.#itemAt, this.length);
    if (this.slots <= FEW) this.#views[index] = view;
    return view;
  }

  /** Writes the item to the slot that has this mark. */
  write(mark: number, item: DTypes[D]): void {
    this.#all.set(item as never, (mark * 8 + this.#itemAt) >>> this.#shift);
  }

  get ended(): boolean {
    this.checkOpen();
    return Atomics.load(this.words, ENDED) !== 0;
  }

  /** How many items were published. */
  get published(): number {
    this.checkOpen();
    return Math.max(this.head(), 0);
  }

  /** The next item to be published, -1 where that makes no sense. */
  head(): number {
    const head = loadCount(this.counts, HEAD);
    if (!(Number.isSafeInteger(head) && head >= 0)) return -1;
    // Where its writer was killed it may be one behind.
    return loadCount(this.counts, this.markOf(head % this.slots)) === head + 1 ? head + 1 : head;
  }

  /** No reader has an entry from here on. */
  get used(): number {
    return Math.min(load(this.words, USED) >>> 0, READERS);
  }

  get readers(): number {
    this.checkOpen();
    let count = 0;
    for (let index = this.used - 1; index >= 0; index--) {
      if ((load(this.words, ENTRIES + index * ENTRY) & ACTIVE) !== 0) count++;
    }
    return count;
  }

  /** @throws Where it is closed, or its buffer is gone. */
  checkOpen(): void {
    if (this.words === CLOSED) throw closedError(this.name);
    if (this.words.length === 0) throw detachedError(this.name);
  }

  damaged(): Error {
    this.checkOpen();
    return shmError(
      'ERR_SHM_CORRUPT',
      `'${this.name}' was damaged by another process: its counts make no sense`,
      this.name,
    );
  }

  close(): void {
    this.words = CLOSED;
    this.counts = NO_COUNTS;
    this.#views.length = 0;
    this.#all = new this.Class(0);
    binding.closeBroadcast(this.native, this.#buffer);
  }
}
