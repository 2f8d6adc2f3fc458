// From the means of the resamples to one line for each band.

export interface Band {
  flights: number;
  /** Of the data itself. */
  mean: number;
  /** The 2.5% and 97.5% quantiles of the resamples' means. */
  low: number;
  high: number;
  /** The largest relative difference between a mean by Node and the same one by Python. */
  difference: number;
}

/** What Node and Python may differ by: rounding. (In fact the sums are exact and nothing differs.) */
export const tolerance = 1e-9;

/** `means` has a row for each resample; `again` has the first of these rows by Python. */
export function summarize(
  data: { counts: Float64Array; means: Float64Array },
  means: Float64Array,
  again: Float64Array,
): Band[] {
  const bands = data.means.length;
  const ofBand = (all: Float64Array, band: number) => all.filter((_, i) => i % bands === band);
  return Array.from(data.means, (mean, band) => {
    const all = ofBand(means, band);
    const differences = Array.from(ofBand(again, band), (value, row) => relativeDifference(value, all[row]!));
    const sorted = all.filter((value) => !Number.isNaN(value)).sort();
    const [low, high] = [quantile(sorted, 0.025), quantile(sorted, 0.975)];
    return { flights: data.counts[band]!, mean, low, high, difference: Math.max(0, ...differences) };
  });
}

/** 0 for two NaNs (nothing was drawn from the band), infinite for one. */
export function relativeDifference(a: number, b: number): number {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return 0;
  const difference = Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b));
  return Number.isNaN(difference) ? Infinity : difference;
}

/** With linear interpolation between neighbours; NaN of nothing. */
export function quantile(sorted: Float64Array, p: number): number {
  const position = (sorted.length - 1) * p;
  const below = sorted[Math.floor(position)] ?? NaN;
  const above = sorted[Math.ceil(position)] ?? NaN;
  return below + (above - below) * (position - Math.floor(position));
}
