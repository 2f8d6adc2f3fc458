import { Bootstrap } from './bootstrap.js';
import type { Target } from './harness.js';
import type { Measured } from './results.js';

/** The confidence of the intervals. */
const USUAL = 0.95;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** How two contenders compare, by the rounds in which they ran one after the other. */
export interface Ratio {
  readonly estimate: number;
  /** The interval of 95 %. */
  readonly low: number;
  readonly high: number;
  /** Whether the target is met; undefined without one. */
  readonly ok: boolean | undefined;
}

/**
 * How many times as fast or small as the peer shmkit is; or, if the target limits the time, how many times as long it
 * takes. Undefined if the peer was not available in every pass.
 */
export function ratio(shmkit: Measured, peer: Measured): Ratio | undefined {
  if (peer.samples.length !== shmkit.samples.length) return undefined;
  const { target } = peer;
  const logs = isTime(target) ? logRatios(shmkit, peer) : logRatios(peer, shmkit);
  const interval = new Bootstrap(logs).interval(USUAL);
  const estimate = Math.exp(interval.estimate);
  return {
    estimate,
    low: Math.exp(interval.low),
    high: Math.exp(interval.high),
    ok: target && (isTime(target) ? estimate <= target.time : estimate >= wanted(target)),
  };
}

/** How many times as fast, or as small, it should be. */
export function wanted(target: Exclude<Target, { readonly time: number }>): number {
  return 'faster' in target ? target.faster : target.smaller;
}

export function isTime(target: Target | undefined): target is { readonly time: number } {
  return target !== undefined && 'time' in target;
}

/** The logarithm of each round's ratio. */
function logRatios(one: Measured, other: Measured): number[][] {
  return one.samples.map((rounds, pass) =>
    rounds.map((sample, round) => Math.log(sample / other.samples[pass]![round]!)),
  );
}
