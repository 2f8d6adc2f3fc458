import { Bootstrap } from './bootstrap.js';
import type { Interval } from './bootstrap.js';
import type { Outcome } from './results.js';
import { steadiestPeer } from './steadiest.js';

/**
 * Confidence levels. About 110 rows are compared in a run, and five runs without a change should report nothing: 550
 * comparisons. Hence the last level, at which one comparison out of 10,000 errs. The first ones only choose
 * what is measured again, and may err often.
 */
export const CONFIDENCE = {
  /** Of the intervals in tables of all rows, which decide nothing. */
  usual: 0.95,
  /** After the first passes: is it worth measuring again? */
  first: 0.8,
  /** After a confirmation that is not the last one. */
  between: 0.95,
  /** After the last one: is it reported? */
  last: 0.9999,
} as const;

/** When a change counts. */
export interface Rule {
  /** Slower than this is a regression: 0.05 for 5 %. */
  readonly threshold: number;
}

/** Less than half of the threshold is too small to matter, however certain. */
export function floorOf({ threshold }: Rule): number {
  return threshold / 2;
}

/** How a row compares: times (or sizes) as ratios new to old; above 1 is slower (or larger). */
export interface Change extends Interval {
  /** What the row was compared by: its own time, and in `--compare` the ratio to a peer. */
  readonly by: string;
}

/** All that is known of a row's change; several views if it can be looked at in several ways. */
export type Views = readonly { readonly by: string; readonly bootstrap: Bootstrap }[];

/** Both sides were measured in the same rounds: each round gives a ratio. */
export function pairedViews(ours: Outcome, theirs: Outcome): Views {
  const ratios = ours.shmkit.samples.map((rounds, pass) =>
    rounds.map((sample, round) => Math.log(sample / theirs.shmkit.samples[pass]![round]!)),
  );
  return [{ by: 'time', bootstrap: new Bootstrap(ratios) }];
}

/**
 * Against an earlier run: by the ratio to the peer that varies least, because machines drift; and by the time itself,
 * because peers do so too, each in its own way. On another processor the times tell nothing.
 */
export function unpairedViews(ours: Outcome, theirs: Outcome, sameMachine: boolean): Views {
  const time = () => {
    const [now, before] = [ours, theirs].map(({ shmkit }) =>
      shmkit.samples.map((rounds) => rounds.map(Math.log)),
    );
    return { by: ours.unit === 'bytes' ? 'size' : 'time', bootstrap: new Bootstrap(now!, before!) };
  };
  const peer = steadiestPeer(ours, theirs);
  if (ours.unit === 'bytes' || (peer === undefined && sameMachine)) return [time()];
  if (peer === undefined) return [];
  return sameMachine ? [peer, time()] : [peer];
}

/** The change with an interval of that confidence. With several views, the one that is nearest to no change. */
export function changeAt(views: Views, confidence: number): Change {
  const changes = views.map(({ by, bootstrap }) => ({ by, ...bootstrap.interval(confidence) }));
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
export function isRegression({ estimate }: Interval, { threshold }: Rule): boolean {
  return estimate > 1 + threshold;
}

/** The confidence that a row must reach to be measured again, or, after the last confirmation, to be reported. */
export function confidenceAfter(confirmations: number, of: number): number {
  if (confirmations >= of) return CONFIDENCE.last;
  return confirmations === 0 ? CONFIDENCE.first : CONFIDENCE.between;
}
