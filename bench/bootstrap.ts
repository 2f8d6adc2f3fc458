import { random } from '../__test__/fixtures/random.js';
import { studentQuantile } from './student.js';

/** Values of one row, one list for each pass, in which they were measured by the same process. */
export type Passes = readonly (readonly number[])[];

/** An estimate, and the interval that holds the true value with some confidence. */
export interface Interval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 1000;
const SEED = 20_11;
/** The quantiles that are taken from the resamples: far enough inside that 1000 resamples know them well. */
const INNER_TAIL = 0.05;
/** What a normal distribution exceeds with that probability. */
const INNER_NORMAL = 1.6449;

/** The mean of the middle half: as steady as a mean, and up to a quarter of outliers does not move it. */
export function midmean(values: readonly number[]): number {
  return sortedMidmean(sorted(Float64Array.from(values), values.length), values.length);
}

/** The midmean of the first `count` values, which are sorted. */
function sortedMidmean(values: Float64Array, count: number): number {
  const cut = count / 4;
  let [total, weights] = [0, 0];
  for (let i = 0; i < count; i++) {
    // The part of the value's unit of rank that lies between the first and the last quarter.
    const weight = Math.min(i + 1, count - cut) - Math.max(i, cut);
    if (weight <= 0) continue;
    total += weight * values[i]!;
    weights += weight;
  }
  return total / weights;
}

/** Sorts the first `count` values in place. They are few, for which this is several times as fast as `sort()`. */
function sorted(values: Float64Array, count: number): Float64Array {
  for (let i = 1; i < count; i++) {
    const value = values[i]!;
    let at = i;
    for (; at > 0 && values[at - 1]! > value; at--) values[at] = values[at - 1]!;
    values[at] = value;
  }
  return values;
}

/** The median of the first `count` values; sorts them. */
function middle(values: Float64Array, count: number): number {
  sorted(values, count);
  const half = count >> 1;
  return count % 2 === 1 ? values[half]! : (values[half - 1]! + values[half]!) / 2;
}

/** The estimate of a row: the midmean of the passes' medians. */
function center(passes: Passes): number {
  return midmean(passes.map((rounds) => middle(Float64Array.from(rounds), rounds.length)));
}

/** Estimates of resamples: for each, passes are drawn, and then rounds within each of them. */
function resamples(passes: Passes, below: (limit: number) => number): Float64Array {
  const medians = new Float64Array(passes.length);
  const drawn = new Float64Array(Math.max(...passes.map((rounds) => rounds.length)));
  return Float64Array.from({ length: RESAMPLES }, () => {
    for (let pass = 0; pass < medians.length; pass++) {
      const rounds = passes[below(passes.length)]!;
      for (let i = 0; i < rounds.length; i++) drawn[i] = rounds[below(rounds.length)]!;
      medians[pass] = middle(drawn, rounds.length);
    }
    return sortedMidmean(sorted(medians, medians.length), medians.length);
  });
}

/**
 * A hierarchical bootstrap: each resample draws passes, and then rounds within each of them, because values of one
 * process are more alike than those of two.
 */
export class Bootstrap {
  readonly estimate: number;
  /** Half the width of the resamples' inner interval: of its wider half, because a skewed one hides a tail. */
  readonly #reach: number;
  readonly #freedom: number;

  constructor(passes: Passes) {
    const group = separated(passes);
    const draws = resamples(group, random(SEED)).sort();
    this.estimate = center(group);
    const low = draws[Math.floor(INNER_TAIL * RESAMPLES)]!;
    const high = draws[Math.ceil((1 - INNER_TAIL) * RESAMPLES) - 1]!;
    this.#reach = Math.max(this.estimate - low, high - this.estimate);
    this.#freedom = Math.max(group.length - 1, 1);
  }

  /**
   * The interval of a confidence such as 0.95. Resamples of a few passes know nothing of the tails; therefore their
   * interval of 90 % is stretched as far as Student's t asks for that confidence and number of passes.
   */
  interval(confidence: number): Interval {
    const inflation = Math.sqrt((this.#freedom + 1) / this.#freedom); // resamples of few passes are too narrow
    const stretch = (inflation * studentQuantile(this.#freedom, (1 - confidence) / 2)) / INNER_NORMAL;
    const reach = stretch * this.#reach;
    return { estimate: this.estimate, low: this.estimate - reach, high: this.estimate + reach };
  }
}

/** Without several passes nothing is known of processes: then each round stands for itself. */
function separated(passes: Passes): Passes {
  return passes.length === 1 ? passes[0]!.map((value) => [value]) : passes;
}
