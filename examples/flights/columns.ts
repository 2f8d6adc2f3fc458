// The data: three million flights of early 2001 from the npm package `vega-datasets`.
//
// | column of the file | as stored there | here                                             |
// | ------------------ | --------------- | ------------------------------------------------ |
// | delay              | int64           | int16, minutes late at arrival; early is negative |
// | distance           | int64           | uint16, miles; then its band, uint8              |
// | date               | timestamp       | not used                                         |
// | origin, destination | text           | not used                                         |
//
// Two bytes an item hold every value of both (delays run from -80 to 1575, distances from 21 to 4962).
// Workers read the columns at random places, so a smaller column is a faster one. And sums of integers are
// exact in any order: that is why Node and Python can be asked for equal results.
import { fileURLToPath } from 'node:url';
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import type { SharedArray } from 'shmkit';

/** What a resample reads. */
export interface Columns {
  delay: Int16Array;
  band: Uint8Array;
}

/** The same in shared memory. */
export interface SharedColumns {
  /** Minutes. */
  delay: SharedArray<'int16'>;
  /** Indexes of `bandStarts`. */
  band: SharedArray<'uint8'>;
}

/** The elements, in place. */
export function columnsOf({ delay, band }: SharedColumns): Columns {
  return { delay: delay.data, band: band.data };
}

// The package exports its code only, from build/; the data lies beside that.
const file = fileURLToPath(new URL('../data/flights-3m.parquet', import.meta.resolve('vega-datasets')));

/** How many flights there are. Reads the end of the file only. */
export async function countFlights(): Promise<number> {
  const { num_rows: rows } = await parquetMetadataAsync(await asyncBufferFromFile(file));
  return Number(rows);
}

/** Reads the first flights of the file, as many as fit. */
export async function readFlights(delay: Int16Array, distance: Uint16Array): Promise<void> {
  await parquetRead({
    file: await asyncBufferFromFile(file),
    compressors,
    columns: ['delay', 'distance'],
    rowEnd: delay.length,
    onChunk: ({ columnName, columnData, rowStart }) => {
      fill(columnName === 'delay' ? delay : distance, columnName, columnData, rowStart);
    },
  });
}

/** The sum of all values: two processes that have the same columns get the same one. */
export function checksum({ delay, band }: Columns): number {
  let sum = 0;
  for (let flight = 0; flight < delay.length; flight++) sum += delay[flight]! + band[flight]!;
  return sum;
}

function fill(
  column: Int16Array | Uint16Array,
  name: string,
  values: ArrayLike<unknown>,
  start: number,
): void {
  // The last chunk can go on beyond the rows that were asked for.
  const count = Math.min(values.length, column.length - start);
  for (let i = 0; i < count; i++) {
    const value = Number(values[i] ?? NaN);
    column[start + i] = value;
    // A typed array wraps what does not fit, and turns NaN into 0.
    if (column[start + i] !== value) throw new Error(`flight ${start + i}: ${name} is ${values[i]}`);
  }
}
