import * as binding from '#binding';
import type { DType } from '../../array/dtype.js';
import { fence, IN_ORDER, load, loadCount, storeCount } from '../../common/memory-order.js';
import { Suspect } from '../../sync/waits.js';
import { LAYOUT, NOTHING, OVER } from './memory.js';
import type { Memory } from './memory.js';

const { active: ACTIVE, claim: CLAIM, cursors: CURSORS, cursorStride: CURSOR, ended: ENDED } = LAYOUT;
const {
  entries: ENTRIES,
  entryStride: ENTRY,
  epoch: EPOCH,
  head: HEAD,
  items: ITEMS,
  waiters: WAITERS,
} = LAYOUT;

/** In place of why not. */
const ROOM = 0;

/** @internal The steps of who publishes, as `crates/shmkit/src/ring/broadcast/protocol/` has them, in the same order. */
export class Publisher<D extends DType> {
  readonly #memory: Memory<D>;
  /** The next item, and its slot. -1 as long as this one is not the writer. */
  #next = -1;
  #index = 0;
  /** Before this item no reader is in the way. */
  #limit = -1;
  #epoch = 0;
  readonly #suspect = new Suspect();

  constructor(memory: Memory<D>) {
    this.#memory = memory;
  }

  /** Claims the slot of the next item: where its mark is, or `NOTHING`, or `OVER`. */
  claim(): number {
    const memory = this.#memory;
    if (this.#next >= this.#limit) {
      const why = this.#begin();
      if (why !== ROOM) return why;
    }
    const { words, counts } = memory;
    const next = this.#next;
    storeCount(counts, CLAIM, next + 1);
    fence();
    if (load(words, ENDED) !== 0 || load(words, EPOCH) !== this.#epoch) {
      const why = this.#reconsider();
      if (why !== ROOM) return why;
    }
    const mark = memory.markOf(this.#index);
    storeCount(counts, mark, -(next + 1));
    if (!IN_ORDER) fence();
    return mark;
  }

  /** The item that was claimed is there. */
  commit(mark: number): void {
    const { words, counts, native, slots } = this.#memory;
    const next = this.#next + 1;
    storeCount(counts, mark, next);
    storeCount(counts, HEAD, next);
    this.#next = next;
    this.#index = this.#index + 1 < slots ? this.#index + 1 : 0;
    fence();
    if ((load(words, ITEMS) & WAITERS) !== 0) binding.broadcastNotify(native, true);
  }

  /** What is to be done before the first item, and where a reader may be in the way. */
  #begin(): number {
    this.#memory.checkOpen();
    if (this.#next < 0) {
      const next = binding.broadcastEnlist(this.#memory.native);
      this.#index = next % this.#memory.slots;
      this.#next = next;
      this.#limit = this.#memory.blocks ? next : Infinity;
    }
    if (load(this.#memory.words, ENDED) !== 0) return OVER;
    return this.#measure();
  }

  /** It was ended, or somebody began to read. */
  #reconsider(): number {
    const memory = this.#memory;
    memory.checkOpen();
    const why = load(memory.words, ENDED) !== 0 ? OVER : this.#measure();
    if (why === ROOM) return why;
    storeCount(memory.counts, CLAIM, this.#next);
    // Who waits for what becomes of the claim.
    if (why === OVER) binding.broadcastNotify(memory.native, true);
    return why;
  }

  /** Sees how far the writer may go. */
  #measure(): number {
    for (;;) {
      const { words, counts, slots, blocks } = this.#memory;
      this.#epoch = load(words, EPOCH); // before the readers are looked at
      if (!blocks) return ROOM;
      const next = this.#next;
      let limit = next + slots;
      let slowest = 0;
      let seen = 0;
      const used = this.#memory.used;
      for (let index = 0; index < used; index++) {
        const entry = load(words, ENTRIES + index * ENTRY);
        if ((entry & ACTIVE) === 0) continue;
        const cursor = loadCount(counts, CURSORS + index * CURSOR);
        if (!(cursor >= 0 && cursor <= next)) throw this.#memory.damaged();
        if (cursor + slots >= limit) continue;
        limit = cursor + slots;
        slowest = index;
        seen = entry;
      }
      this.#limit = limit;
      if (next < limit) return ROOM;
      if (!this.#suspect.isDue(slowest, seen)) return NOTHING;
      if (!binding.broadcastRecover(this.#memory.native, slowest, seen >>> 0)) return NOTHING;
    }
  }
}
