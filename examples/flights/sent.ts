// A worker process without shared memory, for compare.ts: it gets the columns by process.send, and sends results back.
import { bandStarts } from './bands.js';
import { resampleMeans } from './bootstrap.js';
import { type Columns, checksum } from './columns.js';

export interface SentJob {
  columns: Columns;
  /** Without any, the answer is the sum of all values. */
  resamples?: readonly number[];
}

process.on('SIGINT', () => {}); // as in work.ts
process.once('disconnect', () => process.exit());
process.on('message', ({ columns, resamples }: SentJob) => {
  const means = resamples?.map((resample) => resampleMeans(columns, bandStarts.length, resample));
  process.send?.(means ?? checksum(columns));
});
process.send?.('ready');
