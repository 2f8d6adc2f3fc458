import * as binding from '#binding';
import { closedError, detachedError, shmError } from '../../common/errors.js';
import { IN_ORDER, load } from '../../common/memory-order.js';
import { Suspect } from '../../sync/waits.js';
import { describeItem } from '../items.js';
import type { SlotHolder } from './slot.js';

const {
  tail: TAIL,
  head: HEAD,
  ended: ENDED,
  items: ITEMS,
  room: ROOM,
  lost: LOST,
  slots: SLOTS,
  waiters: WAITERS,
  lapAt: LAP_AT,
  ownerAt: OWNER_AT,
  claimed: CLAIMED,
  full: FULL,
  taken: TAKEN,
  skip: SKIP,
} = binding.queueConstants();
const FREE = 0;
const STATE = (1 << OWNER_AT) - 1;
/** A step that fails so often finds the ring damaged: each of them fails because somebody else's succeeded. */
const TRIES = 65_536;

/** In place of a slot: there is none now. */
export const NOTHING = -1;
/** In place of a slot: the queue has ended, and for consumers everything was taken. */
export const OVER = -2;

/** What the words of a closed queue are: they lead to where it is seen that it is closed. */
const CLOSED = new Int32Array(SLOTS);
CLOSED[ENDED] = 1;

/**
 * The quick steps on a queue's memory, as `crates/shmkit/src/ring/queue/protocol/` has them, in the same order. A slot is named
 * by where its word is; `lap` says the rest of it, until the next step.
 */
export class Ring {
  words: Int32Array;
  /** Of the slot that was claimed or taken last: its word when it is free. */
  lap = 0;
  readonly name: string;
  /** What its items are. */
  readonly #facts: binding.RingFacts;
  readonly #native: binding.QueueHandle;
  readonly #slots: number;
  readonly #stride: number;
  readonly #indexBits: number;
  readonly #indexMask: number;
  readonly #lapMask: number;
  readonly #claimed: number;
  readonly #taken: number;
  /** Nobody else takes, so that only what others wait for has to be atomic. */
  readonly #single: boolean;
  #isProducer: boolean;
  #isConsumer: boolean;
  readonly #suspect = new Suspect();

  constructor(native: binding.QueueHandle, facts: binding.QueueFacts, buffer: ArrayBuffer) {
    this.#native = native;
    this.name = facts.ring.name;
    this.#facts = facts.ring;
    this.words = new Int32Array(buffer);
    this.#slots = facts.ring.slots;
    this.#stride = facts.ring.stride / 4;
    this.#indexBits = facts.indexBits;
    this.#indexMask = (1 << facts.indexBits) - 1;
    this.#lapMask = facts.lapMask;
    this.#claimed = (facts.me << OWNER_AT) | CLAIMED;
    this.#taken = (facts.me << OWNER_AT) | TAKEN;
    this.#single = facts.single && IN_ORDER;
    this.#isProducer = this.#isConsumer = !facts.single;
  }

  get ended(): boolean {
    this.checkOpen();
    return Atomics.load(this.words, ENDED) !== 0;
  }

  get lost(): number {
    this.checkOpen();
    return Atomics.load(this.words, LOST) >>> 0;
  }

  /** How many items there are, those included that are being written. */
  get length(): number {
    this.checkOpen();
    const bits = this.#indexBits;
    const head = Atomics.load(this.words, HEAD);
    const tail = Atomics.load(this.words, TAIL);
    const laps = ((tail >>> bits) - (head >>> bits)) & (-1 >>> bits);
    const length = laps * this.#slots + (tail & this.#indexMask) - (head & this.#indexMask);
    return length >= 0 && length <= this.#slots ? length : 0;
  }

  /** The number of slots that are held, and the holders of the first `limit` of them, the oldest position first. */
  holders(limit: number): { count: number; holders: SlotHolder[] } {
    this.checkOpen();
    const words = this.words;
    const oldest = load(words, TAIL) & this.#indexMask; // as the next one to be claimed was, a lap ago
    const holders: SlotHolder[] = [];
    let count = 0;
    for (let i = 0; i < this.#slots; i++) {
      const slot = (oldest + i) % this.#slots;
      const word = load(words, SLOTS + slot * this.#stride);
      const state = word & STATE;
      if (state !== CLAIMED && state !== TAKEN) continue;
      if (++count > limit) continue;
      const owner = (word & ((1 << LAP_AT) - 1)) >> OWNER_AT;
      holders.push({
        slot,
        state: state === CLAIMED ? 'claimed' : 'taken',
        ...binding.queueHolder(this.#native, owner),
      });
    }
    return { count, holders };
  }

  /** Its items, as `Slot(…)` shows them. */
  get item(): string {
    return describeItem(this.#facts.dtype, this.#facts.shape);
  }

  /** Which slot it is whose word is there. */
  indexOf(slot: number): number {
    return (slot - SLOTS) / this.#stride;
  }

  // ---- producers

  /** The next free slot, to be written to. */
  claim(): number {
    const words = this.words;
    if (!this.#isProducer) this.#enlist(false);
    for (let tries = 0; tries < TRIES; tries++) {
      if (load(words, ENDED) !== 0) return this.#over();
      const tail = load(words, TAIL);
      const slot = SLOTS + (tail & this.#indexMask) * this.#stride;
      const lap = ((tail >>> this.#indexBits) & this.#lapMask) << LAP_AT;
      const seen = load(words, slot);
      if (seen === lap) {
        if (Atomics.compareExchange(words, slot, lap, lap | this.#claimed) !== lap) continue;
        this.#advance(TAIL, tail);
        this.lap = lap;
        if (load(words, ENDED) !== 0) {
          this.abandon(slot, lap);
          continue;
        }
        if ((load(words, ROOM) & WAITERS) !== 0) binding.queuePassOn(this.#native, false);
        return slot;
      }
      switch (this.#compare(lap, seen)) {
        case 0:
        case 1:
          this.#advance(TAIL, tail);
          continue;
        case -1:
          if ((seen & STATE) === FREE) throw this.#damaged();
          if ((seen & STATE) === TAKEN && this.#isGone(slot, seen)) continue;
          return NOTHING;
      }
      if (load(words, TAIL) === tail) throw this.#damaged();
    }
    throw this.#damaged();
  }

  /** There is an item in the slot from now on. */
  commit(slot: number, lap: number): void {
    this.#pass(slot, lap | this.#claimed, lap | FULL);
    if ((load(this.words, ITEMS) & WAITERS) !== 0) binding.queueNotify(this.#native, true);
  }

  /** Nothing comes of the claim. */
  abandon(slot: number, lap: number): void {
    this.#pass(slot, lap | this.#claimed, lap | SKIP);
    if ((load(this.words, ITEMS) & WAITERS) !== 0) binding.queueNotify(this.#native, true);
  }

  // ---- consumers

  /** The next item's slot, to be read. */
  take(): number {
    const words = this.words;
    if (!this.#isConsumer) this.#enlist(true);
    for (let tries = 0; tries < TRIES; tries++) {
      const ended = load(words, ENDED); // before the slot is looked at
      const head = load(words, HEAD);
      const slot = SLOTS + (head & this.#indexMask) * this.#stride;
      const lap = ((head >>> this.#indexBits) & this.#lapMask) << LAP_AT;
      const seen = load(words, slot);
      if (seen === (lap | FULL)) {
        if (!this.#swap(slot, seen, lap | this.#taken)) continue;
        this.#advance(HEAD, head);
        this.lap = lap;
        if ((load(words, ITEMS) & WAITERS) !== 0) binding.queuePassOn(this.#native, true);
        return slot;
      }
      if (seen === lap) return ended === 0 ? NOTHING : this.#over();
      switch (this.#compare(lap, seen)) {
        case 0:
          if ((seen & STATE) === CLAIMED) {
            if (this.#isGone(slot, seen)) continue;
            return NOTHING;
          }
          if ((seen & STATE) === SKIP) this.#passOver(slot, seen);
          else if ((seen & STATE) !== TAKEN) throw this.#damaged();
          this.#advance(HEAD, head);
          continue;
        case 1:
          this.#advance(HEAD, head);
          continue;
        case -1: // a consumer has had it for a whole lap
          return ended === 0 ? NOTHING : this.#over();
      }
      if (load(words, HEAD) === head) throw this.#damaged();
    }
    throw this.#damaged();
  }

  /** The item is not needed any more. */
  free(slot: number, lap: number): void {
    this.#pass(slot, lap | this.#taken, (lap + (1 << LAP_AT)) & (this.#lapMask << LAP_AT));
    if ((load(this.words, ROOM) & WAITERS) !== 0) binding.queueNotify(this.#native, false);
  }

  #passOver(slot: number, seen: number): void {
    const next = ((seen & ~STATE) + (1 << LAP_AT)) & (this.#lapMask << LAP_AT);
    if (Atomics.compareExchange(this.words, slot, seen, next) !== seen) return;
    if ((load(this.words, ROOM) & WAITERS) !== 0) binding.queueNotify(this.#native, false);
  }

  // ---- both

  /** From one state to the next; everything before can be seen by whoever sees it. */
  #pass(slot: number, from: number, to: number): void {
    const words = this.words;
    if (slot >= words.length) this.checkOpen();
    if (Atomics.compareExchange(words, slot, from, to) === from) return;
    throw shmError(
      'ERR_SHM_LOST',
      `a slot of '${this.name}' was taken from this thread, which was believed to be dead, or somebody overwrote it`,
      this.name,
    );
  }

  #swap(at: number, seen: number, next: number): boolean {
    const words = this.words;
    if (!this.#single) return Atomics.compareExchange(words, at, seen, next) === seen;
    if (words[at] !== seen) return false;
    words[at] = next;
    return true;
  }

  #advance(at: number, position: number): void {
    const next =
      (position & this.#indexMask) + 1 < this.#slots
        ? position + 1
        : ((position >>> this.#indexBits) + 1) << this.#indexBits;
    this.#swap(at, position, next | 0);
  }

  /** How a slot's word lies to a lap: 0 of that, 1 of the next one, -1 of the one before; else anything. */
  #compare(lap: number, seen: number): number {
    const far = ((seen >>> LAP_AT) - (lap >>> LAP_AT)) & this.#lapMask;
    return far === this.#lapMask ? -1 : far;
  }

  /** Whether one who is in the way for some time was dead, and is not in the way any more. */
  #isGone(slot: number, seen: number): boolean {
    if (!this.#suspect.isDue(slot, seen)) return false;
    return binding.queueRecover(this.#native, this.indexOf(slot), seen >>> 0);
  }

  #enlist(consumer: boolean): void {
    this.checkOpen();
    binding.queueEnlist(this.#native, consumer);
    if (consumer) this.#isConsumer = true;
    else this.#isProducer = true;
  }

  #over(): typeof OVER {
    this.checkOpen();
    return OVER;
  }

  #damaged(): Error {
    this.checkOpen();
    return shmError(
      'ERR_SHM_CORRUPT',
      `'${this.name}' was damaged by another process: its ring makes no sense`,
      this.name,
    );
  }

  /** @throws Where it is closed, or its buffer is gone. */
  checkOpen(): void {
    if (this.words === CLOSED) throw closedError(this.name);
    if (this.words.length === 0) throw detachedError(this.name);
  }

  get isClosed(): boolean {
    return this.words === CLOSED;
  }

  close(): void {
    this.words = CLOSED;
  }
}
