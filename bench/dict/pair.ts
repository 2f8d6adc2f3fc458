import type { ChildProcess } from 'node:child_process';

import { SharedMemory } from 'shmkit';

import { Random } from '../../__test__/fixtures/random.js';
import type { Cleanup } from '../cleanup.js';
import type { Run } from '../harness.js';
import { answer, startPartner } from '../partners.js';

const PARTNER = new URL('partner.js', import.meta.url);

/** What the two have in common: dict-partner.js says how. */
export type Sort = 'shmkit' | 'lmdb';

interface Answer {
  /** Sets or gets. */
  readonly ops: number;
  /** Nanoseconds. */
  readonly time: number;
  /** The last pass that was written. */
  readonly newest?: number;
}

/** What the writer sets in a pass. */
export function valueOf(pass: number, i: number, count: number): number {
  return pass * count + i;
}

/** Two Node processes: one sets ints without a pause, in one pass after the other, and one gets them. */
export class DictPair {
  readonly #words: Int32Array;
  readonly #writer: ChildProcess;
  readonly #reader: ChildProcess;
  #round = 0;

  private constructor(words: Int32Array, [writer, reader]: readonly ChildProcess[]) {
    this.#words = words;
    this.#writer = writer!;
    this.#reader = reader!;
  }

  /** Both are there when it resolves, and end with the row. */
  static async start(
    cleanup: Cleanup,
    prefix: string,
    { sort, target, keys }: { sort: Sort; target: string; keys: readonly string[] },
  ): Promise<DictPair> {
    const shm = SharedMemory.create(4096, { name: `${prefix}-${sort}` });
    cleanup.defer(() => {
      shm.close();
      shm.unlink();
    });
    const partners = [0, 1].map(async (side) => {
      const child = startPartner(cleanup, PARTNER, { sort, target, words: shm.name });
      // Each in an order of its own.
      const order = new Random(1 + side).shuffle(keys.map((_, i) => i));
      child.send({ keys, order, writes: side === 0 });
      await answer(child);
      return child;
    });
    return new DictPair(new Int32Array(shm.buffer), await Promise.all(partners));
  }

  /** Nanoseconds of one get or set, while the other process does the other. */
  run(what: 'get' | 'set', milliseconds: number): Run {
    return async () => {
      this.#words[0] = 0;
      const round = ++this.#round;
      const answers = [this.#writer, this.#reader].map((child) => {
        const answered = answer(child);
        child.send({ round, milliseconds });
        return answered;
      });
      const [writer, reader] = (await Promise.all(answers)) as [Answer, Answer];
      this.#round = writer.newest!;
      const { time, ops } = what === 'get' ? reader : writer;
      return time / ops;
    };
  }
}
