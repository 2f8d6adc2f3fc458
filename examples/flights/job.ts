// What a worker is told, in Node and in Python: plain data, a few hundred bytes. The columns stay where they are.
import type { Descriptor } from 'shmkit';

/** For load.ts: the columns to fill. */
export interface LoadJob {
  /** int16 × flights, minutes. */
  delay: Descriptor;
  /** uint16 × flights, miles. */
  distance: Descriptor;
}

/** For worker.ts and worker.py: resamples `first`, `first + step`, … below `end`. */
export interface ResampleJob extends LoadJob {
  /** float64 × rows × bands, minutes: row `firstRow + r` takes the means of resample r. */
  results: Descriptor;
  /** The control board. */
  board: Descriptor;
  /** This worker's row on the board. */
  worker: number;
  bandStarts: readonly number[];
  first: number;
  step: number;
  end: number;
  firstRow: number;
}
