// The bootstrap: a resample draws as many flights as there are, each at random and any of them again, and takes
// the mean delay of every band. The spread of these means over many resamples is the uncertainty of the mean.
//
// Draw i of resample r is a function of (r, i) and of nothing else. So it does not matter which process takes
// which resample, and flights.py, which has the same function, gets the same flights.
import type { Columns } from './columns.js';

/** The mean delay of each band in resample number `resample`; NaN for a band that nothing was drawn from. */
export function resampleMeans({ delay, band }: Columns, bands: number, resample: number): Float64Array {
  const sums = new Float64Array(bands);
  const counts = new Float64Array(bands);
  const rows = delay.length;
  const first = mix(2 * resample + 1);
  const second = mix(2 * resample + 2);
  const scale = rows / 2 ** 32;
  for (let draw = 0; draw < rows; draw++) {
    const random = mix(mix(draw ^ first) ^ second) >>> 0;
    const flight = Math.floor(random * scale);
    const its = band[flight]!;
    sums[its]! += delay[flight]!;
    counts[its]! += 1;
  }
  return sums.map((sum, its) => sum / counts[its]!);
}

/** The means and sizes of the bands in the data itself. */
export function bandMeans({ delay, band }: Columns, bands: number) {
  const sums = new Float64Array(bands);
  const counts = new Float64Array(bands);
  for (let flight = 0; flight < delay.length; flight++) {
    const its = band[flight]!;
    sums[its]! += delay[flight]!;
    counts[its]! += 1;
  }
  return { counts, means: sums.map((sum, its) => sum / counts[its]!) };
}

/** Scrambles 32 bits, one to one (the hash function `lowbias32`). */
export function mix(x: number): number {
  x ^= x >>> 16;
  x = Math.imul(x, 0x7feb352d);
  x ^= x >>> 15;
  x = Math.imul(x, 0x846ca68b);
  return x ^ (x >>> 16);
}
