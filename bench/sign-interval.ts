import type { Interval } from './bootstrap.js';
import { median } from './statistics.js';

/** What gives an estimate, and an interval for any confidence. */
export interface Estimator {
  readonly estimate: number;
  interval(confidence: number): Interval;
}

/**
 * The median of independent values, with the exact interval of the sign test. It assumes nothing about how the values are
 * distributed: processes differ by the state of their caches and of their compiled code, and some take twice as long. With
 * too few values for a confidence, the interval has no ends.
 */
export class SignInterval implements Estimator {
  readonly estimate: number;
  readonly #sorted: readonly number[];

  constructor(values: readonly number[]) {
    this.#sorted = [...values].sort((a, b) => a - b);
    this.estimate = median(values);
  }

  interval(confidence: number): Interval {
    const { estimate } = this;
    if (confidence === 0) return { estimate, low: estimate, high: estimate };
    const count = this.#sorted.length;
    // Leaves out as many values at each end as a fair coin allows for that confidence.
    let left = -1;
    let term = 0.5 ** count;
    for (let tail = term; 2 * tail <= 1 - confidence && left + 1 < count - 1 - (left + 1);) {
      left++;
      term *= (count - left) / (left + 1);
      tail += term;
    }
    if (left < 0) return { estimate, low: -Infinity, high: Infinity };
    return { estimate, low: this.#sorted[left]!, high: this.#sorted[count - 1 - left]! };
  }
}
