import { random } from '../helpers/random.js';

/** Random numbers that a seed repeats, and what is made of them. */
export class Random {
  /** 0 to `limit` - 1. */
  readonly below: (limit: number) => number;

  constructor(seed: number) {
    this.below = random(seed);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  /** In place. */
  shuffle<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [items[i], items[j]] = [items[j]!, items[i]!];
    }
    return items;
  }
}
