import { Bootstrap } from './bootstrap.js';
import type { Measured, Outcome } from './results.js';

/** A confidence at which to compare widths. */
const SOME = 0.95;

/** The peer of both runs to which shmkit's ratio varies least; undefined if they have none in common. */
export function steadiestPeer(
  ours: Outcome,
  theirs: Outcome,
): { readonly by: string; readonly bootstrap: Bootstrap } | undefined {
  let best: { by: string; bootstrap: Bootstrap; width: number } | undefined;
  for (const peer of ours.peers) {
    const before = theirs.peers.find(({ name }) => name === peer.name);
    // A peer that was not available in every pass is not in step with shmkit's passes.
    if (before === undefined || !isComplete(ours, peer) || !isComplete(theirs, before)) continue;
    const bootstrap = new Bootstrap(logRatios(ours.shmkit, peer), logRatios(theirs.shmkit, before));
    const { low, high } = bootstrap.interval(SOME);
    if (best === undefined || high - low < best.width)
      best = { by: `÷ ${peer.name}`, bootstrap, width: high - low };
  }
  return best;
}

function isComplete({ shmkit }: Outcome, peer: Measured): boolean {
  return peer.samples.length === shmkit.samples.length;
}

/** The logarithm of each round's ratio. */
export function logRatios(shmkit: Measured, peer: Measured): number[][] {
  return shmkit.samples.map((rounds, pass) =>
    rounds.map((sample, round) => Math.log(sample / peer.samples[pass]![round]!)),
  );
}
