/** A mutex and the txns of a segment, which actors take at random, and the words that the actors share. */
import { SharedMemory, SharedMutex } from 'shmkit';

import type { Child } from '../child.js';
import type { Harness } from '../harness.js';

/** Places of the words that `actor.js` describes. */
const IN_MUTEX = 0;
const IN_TXN = 4;
const READS = 13;

export class World {
  readonly name = `shmkit-locks-${process.pid}`;
  readonly #words: Int32Array;
  readonly #mutex: SharedMutex;
  readonly #segment: SharedMemory;
  #witness: Child | undefined;

  constructor(readonly harness: Harness) {
    const { name } = this;
    this.#words = new Int32Array(harness.own(SharedMemory.create(4096, { name: `${name}-state` })).buffer);
    this.#mutex = harness.own(SharedMutex.createOrAttach(`${name}-mutex`));
    this.#segment = harness.own(SharedMemory.create(4096, { name: `${name}-txn` }));
    harness.describe = () => `words: ${this.#words.slice(0, 12).join(' ')}`;
  }

  async actor(what = 'an actor'): Promise<Child> {
    const args = [this.name, this.harness.nextSeed()];
    return this.harness.node(what, new URL('actor.js', import.meta.url), args);
  }

  /** Starts an actor that is never killed, so that there is always one that must go on. */
  async startWitness(): Promise<void> {
    this.#witness = await this.actor('the witness');
  }

  get mutexCount(): number {
    return this.#words[3]!;
  }

  get txnCount(): number {
    return this.#words[7]!;
  }

  get readCount(): number {
    return this.#words[11]!;
  }

  /** How often an actor was told that a holder died. */
  get deaths(): number {
    return this.#words[8]! + this.#words[9]!;
  }

  /** Whether this process holds the lock, or reads. */
  isInside(pid: number, look: number): boolean {
    const inside = Atomics.load(this.#words, [IN_MUTEX, IN_TXN, READS][look % 3]!);
    return Math.trunc(inside / 1000) === pid % 1_000_000;
  }

  /** Ends the witness. Both locks must then be available, and no actor may have reported a fault. */
  async finish(): Promise<void> {
    const { harness } = this;
    await harness.kill(this.#witness!);
    const guard = await harness.within('the mutex is locked at the end', this.#mutex.lock());
    guard.unlock();
    await harness.within(
      'a txn runs at the end',
      this.#segment.txn(() => {}),
    );
    const faults = this.#words[10]!;
    if (faults !== 0) harness.fault(`${faults} faults of actors`);
  }

  toString(): string {
    return `${this.mutexCount} locks of the mutex, ${this.txnCount} txns, ${this.readCount} reads`;
  }
}
