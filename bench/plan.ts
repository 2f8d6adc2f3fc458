import type { Confirmations } from './comparison.js';

/** How long to measure. */
export interface Plan {
  /** Fresh processes in which each row is measured. */
  readonly passes: number;
  /** Nanoseconds that a round of one contender should take. */
  readonly round: number;
  /** Nanoseconds for which shmkit is measured alone in a pass; 0 if it is not. */
  readonly alone: number;
  /** Rounds of each contender before the first one that counts. */
  readonly warmups: number;
  /** Rounds of a row in a pass. */
  readonly rounds: number;
  /** After this many nanoseconds a row's pass ends, if it has the fewest rounds. */
  readonly row: number;
  readonly fewest: number;
  /** How often a row that looks changed is measured again before it is reported. */
  readonly confirmations: Confirmations;
  /** Passes of each confirmation. */
  readonly more: number;
  /** The confidence with which a change is reported. */
  readonly confidence: number;
  /** Milliseconds that the idle gate may wait in all. */
  readonly wait: number;
}

/** What is asked of a run. */
export type Mode = 'run' | 'compare' | 'against';

/** An OLD.json with fewer passes does not tell how much processes differ. */
export const FEWEST_PASSES = 3;

const FULL = {
  round: 15e6,
  alone: 0.4e9,
  warmups: 2,
  row: 2e9,
  fewest: 2,
  confirmations: { fewest: 3, most: 5 },
  more: 6,
  // About 110 rows are compared in a run, and five runs without a change should report nothing: 550 comparisons.
  confidence: 0.9999,
  wait: 30_000,
};
const QUICK = {
  round: 1e6,
  alone: 0.01e9,
  warmups: 0,
  row: 0.2e9,
  fewest: 2,
  confirmations: { fewest: 1, most: 2 },
  more: 2,
  // Its few passes cannot reach more.
  confidence: 0.99,
  wait: 0,
};

const PLANS: Record<'full' | 'quick', Record<Mode, Plan>> = {
  full: {
    run: { ...FULL, passes: 7, rounds: 6 },
    compare: { ...FULL, passes: 7, rounds: 6 },
    // Short rounds: a process that has just been woken is seldom interrupted in them. An even number, so that each side
    // is the first one equally often.
    against: { ...FULL, alone: 0, passes: 5, round: 5e6, rounds: 30, confirmations: { fewest: 3, most: 7 } },
  },
  quick: {
    run: { ...QUICK, passes: 1, rounds: 1, fewest: 1 },
    compare: { ...QUICK, passes: 3, rounds: 3 },
    // The sign test needs eight passes for its confidence.
    against: { ...QUICK, alone: 0, passes: 4, more: 4, rounds: 4 },
  },
};

/** The plan of a mode, with another number of passes if one is given. */
export function planOf(mode: Mode, quick: boolean, passes?: number): Plan {
  const plan = PLANS[quick ? 'quick' : 'full'][mode];
  return passes === undefined ? plan : { ...plan, passes };
}
