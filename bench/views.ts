import { UNDISTURBED } from './alone.js';
import type { Alone } from './alone.js';
import type { Measured, Outcome } from './results.js';
import { ShiftInterval } from './shift-interval.js';
import { SignInterval } from './sign-interval.js';
import type { Estimator } from './sign-interval.js';
import { median } from './statistics.js';

/** One way to look at a row's change: the logarithm of the ratio new to old. */
export interface View {
  /** What is compared: the time or size itself, or its ratio to a peer. */
  readonly by: string;
  readonly estimator: Estimator;
}

/** All that is known of a row's change. */
export type Views = readonly View[];

/** What an earlier run and this one have in common. */
export interface TwoRuns {
  readonly isSameProcessor: boolean;
  /** The least time of the reference in this run; null if it was never measured. */
  readonly now: number | null;
  /** The same of the earlier run. */
  readonly before: number | null;
}

/** Rounds of which the fastest counts: other processes can only make a round slower. */
const BLOCK = 5;
/** How much the reference may differ between two runs, as a logarithm. */
const DRIFT = 0.1;
/** A confidence at which to compare widths. */
const SOME = 0.95;

/** Both sides were measured in the same rounds: each pass gives one ratio, the median of its rounds'. */
export function pairedViews(ours: Outcome, theirs: Outcome): Views {
  const passes = ours.shmkit.samples.map((rounds, pass) => {
    const others = theirs.shmkit.samples[pass]!;
    return median(rounds.map((sample, round) => Math.log(sample / others[round]!)));
  });
  return [{ by: measureOf(ours), estimator: new SignInterval(passes) }];
}

/**
 * Against an earlier run on the same processor: by the least times of passes that were not disturbed, and by their ratios
 * to the reference, because clocks drift. Rows that cannot be measured alone are compared by their time, and by the ratio
 * to the peer that varies least. On another processor the times tell nothing. No view if nothing can be compared.
 */
export function unpairedViews(
  ours: Outcome,
  theirs: Outcome,
  { isSameProcessor, now, before }: TwoRuns,
): Views {
  if (
    isSameProcessor &&
    now !== null &&
    before !== null &&
    ours.alone.length > 0 &&
    theirs.alone.length > 0
  ) {
    if (Math.abs(Math.log(now / before)) > DRIFT) return [];
    return aloneViews(undisturbed(ours.alone, now), undisturbed(theirs.alone, before));
  }
  const own = (): View => {
    const [times, earlier] = [ours, theirs].map(({ shmkit }) =>
      shmkit.samples.map((rounds) => median(fastest(rounds).map(Math.log))),
    );
    return { by: measureOf(ours), estimator: new ShiftInterval(times!, earlier!) };
  };
  if (ours.unit === 'bytes') return [own()];
  const peer = steadiestPeer(ours, theirs);
  return [...(peer === undefined ? [] : [peer]), ...(isSameProcessor ? [own()] : [])];
}

function aloneViews(now: readonly Alone[], before: readonly Alone[]): Views {
  if (now.length === 0 || before.length === 0) return [];
  const view = (by: string, measure: (one: Alone) => number): View => ({
    by,
    estimator: new ShiftInterval(now.map(measure), before.map(measure)),
  });
  return [
    view('time', ({ time }) => Math.log(time)),
    view('÷ reference', ({ time, reference }) => Math.log(time / reference)),
  ];
}

/** The passes in which other processes did not slow the processor down. */
function undisturbed(all: readonly Alone[], reference: number): readonly Alone[] {
  return all.filter((one) => one.reference <= UNDISTURBED * reference);
}

function measureOf({ unit }: Outcome): string {
  return unit === 'bytes' ? 'size' : 'time';
}

/** The peer of both runs to which shmkit's ratio varies least; undefined if they have none in common. */
function steadiestPeer(ours: Outcome, theirs: Outcome): View | undefined {
  let best: (View & { width: number }) | undefined;
  for (const peer of ours.peers) {
    const before = theirs.peers.find(({ name }) => name === peer.name);
    // A peer that was not available in every pass is not in step with shmkit's passes.
    if (before === undefined || !isComplete(ours, peer) || !isComplete(theirs, before)) continue;
    const estimator = new ShiftInterval(logRatios(ours.shmkit, peer), logRatios(theirs.shmkit, before));
    const { low, high } = estimator.interval(SOME);
    const width = high - low;
    if (best === undefined || width < best.width) best = { by: `÷ ${peer.name}`, estimator, width };
  }
  return best;
}

function isComplete({ shmkit }: Outcome, peer: Measured): boolean {
  return peer.samples.length === shmkit.samples.length;
}

/** The logarithm of the ratio in each pass: the median of its blocks', of which the fastest rounds count. */
function logRatios(one: Measured, other: Measured): number[] {
  return one.samples.map((rounds, pass) => {
    const others = fastest(other.samples[pass]!);
    return median(fastest(rounds).map((sample, block) => Math.log(sample / others[block]!)));
  });
}

/** The least sample of each block. The last block also has the rest. */
function fastest(samples: readonly number[]): number[] {
  const count = Math.max(1, Math.floor(samples.length / BLOCK));
  return Array.from({ length: count }, (_, block) => {
    const end = block === count - 1 ? samples.length : (block + 1) * BLOCK;
    return Math.min(...samples.slice(block * BLOCK, end));
  });
}
