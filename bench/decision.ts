import type { Interval } from './bootstrap.js';
import type { Views } from './views.js';

/** Confidence levels that choose what is measured again, and may err often. The plan has the one that decides. */
export const CONFIDENCE = {
  /** Of the intervals in tables of all rows, which decide nothing. */
  usual: 0.95,
  /** After the first passes: is it worth measuring again? Yes if the estimate alone is large enough to matter. */
  first: 0,
  /** After a confirmation: is it worth measuring yet again? */
  between: 0.9,
} as const;

/** When a change counts. */
export interface Rule {
  /** Slower than this is a regression: 0.05 for 5 %. */
  readonly threshold: number;
  /** Of the intervals that decide. */
  readonly confidence: number;
}

/** Less than half of the threshold is too small to matter, however certain. */
export function floorOf({ threshold }: Pick<Rule, 'threshold'>): number {
  return threshold / 2;
}

/** How a row compares: times (or sizes) as ratios new to old; above 1 is slower (or larger). */
export interface Change extends Interval {
  /** What the row was compared by: its own time, and in `--compare` the ratio to a peer. */
  readonly by: string;
}

/** The change with an interval of that confidence. With several views, the one that is nearest to no change. */
export function changeAt(views: Views, confidence: number): Change {
  const changes = views.map(({ by, estimator }) => ({ by, ...estimator.interval(confidence) }));
  const low = Math.min(...changes.map((change) => change.low));
  const high = Math.max(...changes.map((change) => change.high));
  const nearest = changes.reduce((a, b) => (Math.abs(b.estimate) < Math.abs(a.estimate) ? b : a));
  return {
    by: changes.map(({ by }) => by).join(', '),
    estimate: Math.exp(nearest.estimate),
    low: Math.exp(low),
    high: Math.exp(high),
  };
}

/** Whether a change is beyond its interval, and large enough to matter. */
export function isChanged({ estimate, low, high }: Interval, rule: Rule): boolean {
  const floor = 1 + floorOf(rule);
  return (low > 1 && estimate >= floor) || (high < 1 && estimate <= 1 / floor);
}

/** Whether a change is a regression, given that it is reported. */
export function isRegression({ estimate }: Interval, { threshold }: Pick<Rule, 'threshold'>): boolean {
  return estimate > 1 + threshold;
}
