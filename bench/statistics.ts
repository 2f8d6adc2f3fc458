import type { Measured, Target } from './harness.js';

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** How two contenders compare, over rounds that lay side by side in time. */
export interface Ratio {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Whether the target is met; undefined without one. */
  readonly ok: boolean | undefined;
}

/** How many times as fast or small as the peer is; or, where the target limits the time, how many times as long. */
export function ratio(shmkit: Measured, peer: Measured): Ratio {
  const { target } = peer;
  const perRound = shmkit.samples.map((ours, round) => {
    const theirs = peer.samples[round]!;
    return isTime(target) ? ours / theirs : theirs / ours;
  });
  const middle = median(perRound);
  return {
    median: middle,
    min: Math.min(...perRound),
    max: Math.max(...perRound),
    ok: target && (isTime(target) ? middle <= target.time : middle >= wanted(target)),
  };
}

/** How many times as fast, or as small, it is to be. */
export function wanted(target: Exclude<Target, { readonly time: number }>): number {
  return 'faster' in target ? target.faster : target.smaller;
}

export function isTime(target: Target | undefined): target is { readonly time: number } {
  return target !== undefined && 'time' in target;
}
