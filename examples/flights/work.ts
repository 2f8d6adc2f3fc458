// What the pool's workers do. Arrays arrive attached to the same memory.
import type { SharedArray } from 'shmkit';
import { bandStarts, bandTable } from './bands.js';
import { resampleMeans } from './bootstrap.js';
import { type SharedColumns, checksum, columnsOf, readFlights } from './columns.js';

export interface ResampleJob extends SharedColumns {
  /** Minutes: row r takes the mean of each band in resample r. */
  means: SharedArray<'float64'>;
  resample: number;
}

process.on('SIGINT', () => {}); // Ctrl-C reaches all processes of a terminal; the parent decides

/** Decodes the file into the arrays. Here the parent stays free, and what it takes to decode goes with the worker. */
export async function load(delay: SharedArray<'int16'>, distance: SharedArray<'uint16'>): Promise<void> {
  await readFlights(delay.data, distance.data);
}

/** For `mapArray`: the bands of a part of the distances. */
export function bandsOf(distance: SharedArray<'uint16'>, band: SharedArray<'uint8'>): void {
  const [miles, bands] = [distance.elements, band.elements];
  const table = bandTable(bandStarts);
  for (let i = 0; i < band.size; i++) bands[i] = table[miles[i]!]!;
}

/** One resample. */
export function resample(job: ResampleJob): void {
  const bands = bandStarts.length;
  job.means.data.set(resampleMeans(columnsOf(job), bands, job.resample), job.resample * bands);
}

/** The sum of all values. */
export function sum(columns: SharedColumns): number {
  return checksum(columnsOf(columns));
}

export function pid(): number {
  return process.pid;
}
