import { showHandle } from '../../common/handle.js';
import type { Inspection } from '../../common/handle.js';

import type { DType, DTypes } from '../../array/dtype.js';
import { shmError } from '../../common/errors.js';
import type { Ring } from './protocol.js';

/** A slot of a queue that is held, and its holder. */
export interface SlotHolder {
  /** Index of the slot, from 0. */
  slot: number;
  /** Whether a producer has claimed it or a consumer has taken it. */
  state: 'claimed' | 'taken';
  /** The process id of the holder, in its own PID namespace; 0 if unknown. */
  pid: number;
  /** Whether the holder has died. The slot then goes to the next thread that needs it. */
  died: boolean;
}

/** A slot of a queue that this thread holds. Disposing of it gives it back. */
export interface Slot<D extends DType = DType> extends Disposable {
  /**
   * The item in place, a flat typed array. Do not use it after the slot is given back: the memory may then
   * belong to the next holder.
   * @throws `ERR_SHM_CLOSED` if the slot was given back or the queue was closed; `ERR_SHM_DETACHED` if the
   * queue's buffer was transferred.
   */
  readonly data: DTypes[D];
}

/** A claimed slot, to write the next item to. Disposing of it abandons the item, unless it was committed. */
export interface ClaimedSlot<D extends DType = DType> extends Slot<D> {
  /**
   * Publishes the item. Idempotent.
   * @throws `ERR_SHM_CLOSED` if the slot was abandoned or the queue was closed; `ERR_SHM_LOST` if another
   * thread took the slot from this one; `ERR_SHM_DETACHED`.
   */
  commit(): void;
}

/** A taken slot, to read an item in place. Disposing of it releases it. */
export interface TakenSlot<D extends DType = DType> extends Slot<D> {
  /**
   * Gives the slot back: its memory is free for the next item. Idempotent.
   * @throws `ERR_SHM_CLOSED` if the queue was closed; `ERR_SHM_LOST` if another thread took the slot from this
   * one; `ERR_SHM_DETACHED`.
   */
  release(): void;
}

abstract class HeldSlot<D extends DType> implements Slot<D> {
  protected readonly ring: Ring;
  protected readonly at: number;
  protected readonly lap: number;
  protected isHeld = true;
  protected abstract readonly state: string;
  readonly #view: DTypes[D];

  /** Of the slot that the ring has just claimed or taken. */
  constructor(ring: Ring, at: number, view: DTypes[D]) {
    this.ring = ring;
    this.at = at;
    this.lap = ring.lap;
    this.#view = view;
  }

  get data(): DTypes[D] {
    if (!this.isHeld) throw goneError();
    this.ring.checkOpen();
    return this.#view;
  }

  abstract [Symbol.dispose](): void;

  [Symbol.for('nodejs.util.inspect.custom')](_depth: number, options: Inspection): string {
    const { name, item, isClosed } = this.ring;
    const state = !this.isHeld || isClosed ? 'given back' : this.state;
    return showHandle('Slot', name, options, item, state);
  }
}

/** @internal */
export class Claimed<D extends DType> extends HeldSlot<D> implements ClaimedSlot<D> {
  protected override readonly state = 'claimed';
  #isCommitted = false;

  commit(): void {
    if (this.#isCommitted) return;
    if (!this.isHeld) throw goneError();
    this.isHeld = false;
    this.#isCommitted = true;
    this.ring.commit(this.at, this.lap);
  }

  override [Symbol.dispose](): void {
    if (!this.isHeld) return;
    this.isHeld = false;
    if (!this.ring.isClosed) this.ring.abandon(this.at, this.lap); // close() gave it back
  }
}

/** @internal */
export class Taken<D extends DType> extends HeldSlot<D> implements TakenSlot<D> {
  protected override readonly state = 'taken';

  release(): void {
    if (!this.isHeld) return;
    this.isHeld = false;
    this.ring.free(this.at, this.lap);
  }

  override [Symbol.dispose](): void {
    if (!this.isHeld) return;
    this.isHeld = false;
    if (!this.ring.isClosed) this.ring.free(this.at, this.lap); // close() gave it back
  }
}

function goneError(): Error {
  return shmError(
    'ERR_SHM_CLOSED',
    'this slot was given back, and its memory may belong to the next holder by now',
  );
}
