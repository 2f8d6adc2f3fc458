import type { InspectOptions } from 'node:util';

import type { DType, DTypes } from '../../array/dtype.js';
import { shmError } from '../../common/errors.js';
import type { Ring } from './protocol.js';

/** A slot that this thread has: to write to once it is claimed, to read from once it is taken. */
export interface Slot<D extends DType = DType> extends Disposable {
  /**
   * The item, in place. It must not be used once the slot is given back: the memory is the next one's by then.
   * @throws `ERR_SHM_CLOSED` once the slot was given back.
   */
  readonly data: DTypes[D];
  /**
   * Of a claimed slot: the item is there for others from now on. Of a taken one: it is not needed any more. Idempotent.
   * @throws `ERR_SHM_CLOSED` where it was abandoned before; `ERR_SHM_LOST` where it was taken from this thread.
   */
  commit(): void;
  /** Abandons a claimed slot that was not committed; frees a taken one. Idempotent. */
  [Symbol.dispose](): void;
}

const HELD = 0;
const COMMITTED = 1;
const ABANDONED = 2;

/** @internal */
export class HeldSlot<D extends DType> implements Slot<D> {
  readonly #ring: Ring;
  readonly #view: DTypes[D];
  readonly #at: number;
  readonly #lap: number;
  readonly #claimed: boolean;
  #state = HELD;

  /** What the ring has just claimed or taken. */
  constructor(ring: Ring, at: number, view: DTypes[D], claimed: boolean) {
    this.#ring = ring;
    this.#at = at;
    this.#lap = ring.lap;
    this.#view = view;
    this.#claimed = claimed;
  }

  get data(): DTypes[D] {
    if (this.#state !== HELD) throw this.#gone();
    this.#ring.checkOpen();
    return this.#view;
  }

  commit(): void {
    if (this.#state === COMMITTED) return;
    if (this.#state === ABANDONED) throw this.#gone();
    this.#state = COMMITTED;
    if (this.#claimed) this.#ring.commit(this.#at, this.#lap);
    else this.#ring.free(this.#at, this.#lap);
  }

  [Symbol.dispose](): void {
    if (this.#state !== HELD) return;
    this.#state = ABANDONED;
    if (this.#ring.isClosed) return; // which gave it back
    if (this.#claimed) this.#ring.abandon(this.#at, this.#lap);
    else this.#ring.free(this.#at, this.#lap);
  }

  [Symbol.for('nodejs.util.inspect.custom')](
    _depth: number,
    options: InspectOptions & { stylize(text: string, style: string): string },
  ): string {
    const { name, item, isClosed } = this.#ring;
    const state = this.#state !== HELD || isClosed ? 'given back' : this.#claimed ? 'claimed' : 'taken';
    return `Slot(${options.stylize(`'${name}'`, 'string')}, ${item}, ${state})`;
  }

  #gone(): Error {
    return shmError(
      'ERR_SHM_CLOSED',
      'this slot was given back, and its memory may be the next one’s by now',
    );
  }
}
