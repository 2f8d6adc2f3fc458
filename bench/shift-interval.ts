import type { Interval } from './bootstrap.js';
import type { Estimator } from './sign-interval.js';
import { median } from './statistics.js';

/**
 * The shift between two groups of independent values: the median of all differences (Hodges and Lehmann), with the exact
 * interval of the Mann-Whitney test. Like the sign test, it assumes nothing about how the values are distributed, and a
 * process in another state is one value of many. With too few values for a confidence, the interval has no ends.
 */
export class ShiftInterval implements Estimator {
  readonly estimate: number;
  readonly #sorted: readonly number[];
  readonly #counts: readonly [number, number];

  constructor(values: readonly number[], baseline: readonly number[]) {
    this.#sorted = values.flatMap((value) => baseline.map((other) => value - other)).sort((a, b) => a - b);
    this.#counts = [values.length, baseline.length];
    this.estimate = median(this.#sorted);
  }

  interval(confidence: number): Interval {
    const { estimate } = this;
    if (confidence === 0) return { estimate, low: estimate, high: estimate };
    const left = leftOut(...this.#counts, (1 - confidence) / 2);
    if (left === 0) return { estimate, low: -Infinity, high: Infinity };
    return { estimate, low: this.#sorted[left - 1]!, high: this.#sorted[this.#sorted.length - left]! };
  }
}

/**
 * How many of the differences are left out at each end: the most u for which the test's statistic is below u with a
 * probability of at most `tail`, if there is no shift.
 */
function leftOut(m: number, n: number, tail: number): number {
  const half = Math.floor((m * n) / 2);
  // The number of arrangements for each value of the statistic: the coefficients of a Gaussian binomial.
  const ways = new Float64Array(half + 1);
  ways[0] = 1;
  let all = 1;
  for (let i = 1; i <= m; i++) {
    all *= (n + i) / i;
    for (let u = half; u >= n + i; u--) ways[u]! -= ways[u - n - i]!;
    for (let u = i; u <= half; u++) ways[u]! += ways[u - i]!;
  }
  let below = 0;
  for (let u = 0; u <= half; u++) {
    below += ways[u]!;
    if (below > tail * all) return u;
  }
  return half;
}
