// What a run does, from the file to the report.
import { randomBytes } from 'node:crypto';
import { Presets, SingleBar } from 'cli-progress';
import { type DType, Pool, SharedArray } from 'shmkit';
import { bandStarts } from './bands.js';
import { bandMeans } from './bootstrap.js';
import { type SharedColumns, columnsOf, countFlights } from './columns.js';
import { measureCosts } from './compare.js';
import { type Options, UsageError } from './options.js';
import { type Python, findPython, runPython } from './python.js';
import { costTable, intervalPlot, megabytes, number, resultTable, seconds } from './report.js';
import { type Band, summarize, tolerance } from './summary.js';
import type { ResampleJob } from './work.js';

const bands = bandStarts.length;
/** What the ways of sharing are compared by. */
const compared = 20;

/** Everything below is in arrays of this name; `shm ls` shows them while it runs. */
const prefix = `flights-${randomBytes(4).toString('hex')}`;

function array<D extends DType>(part: string, shape: number | readonly number[], dtype: D): SharedArray<D> {
  return SharedArray.create(shape, { name: `${prefix}-${part}`, dtype, header: 'npy' });
}

export async function runPipeline(options: Options, signal: AbortSignal): Promise<void> {
  const { workers, resamples } = options;
  const rows = await rowsToUse(options);
  const python = await findPython(options.python, signal);
  await using pool = new Pool(new URL('./work.ts', import.meta.url), { workers });

  const columns = await loadColumns(pool, rows, signal);
  const checked = python ? Math.ceil(resamples / 10) : 0; // Python does every tenth part again
  using means = array('means', [resamples, bands], 'float64');
  using again = array('again', [checked, bands], 'float64');
  const start = performance.now();
  console.log(`${number(resamples)} resamples by ${workers} Node worker${workers === 1 ? '' : 's'}`);
  if (python) {
    console.log(`${number(checked)} of them again by a Python worker (${python.versions})`);
  }
  await allOrNone(signal, [
    (either) => resample(pool, { ...columns, means }, either),
    async (either) => {
      if (python) await runPython(python, 'check', { ...columns, means: again }, either);
    },
  ]);
  console.log(`Done in ${seconds(start)}.`);

  const data = bandMeans(columnsOf(columns), bands);
  const summary = summarize(data, means.data, again.data);
  console.log(`\n${resultTable(summary, python !== undefined)}`);
  console.log(`Delays in minutes. The intervals take each flight as independent of the others.\n`);
  console.log(`${intervalPlot(summary)}\n`);
  if (python) checkAgreement(summary);
  if (options.compare) await compare(columns, options, python, signal);
}

async function rowsToUse({ rows }: Options): Promise<number> {
  const all = await countFlights();
  if (rows !== undefined && rows > all) {
    throw new UsageError(`--rows ${rows}: the data has ${all} flights`);
  }
  return rows ?? all;
}

async function loadColumns(pool: Pool, rows: number, signal: AbortSignal): Promise<SharedColumns> {
  const start = performance.now();
  const delay = array('delay', rows, 'int16');
  const band = array('band', rows, 'uint8');
  using distance = array('distance', rows, 'uint16');
  console.log(`Segments: ${prefix}-*`);
  await pool.run('load', delay, distance);
  await pool.mapArray('bandsOf', distance, band, { signal });
  distance.unlink();
  const size = megabytes(delay.data.byteLength + band.data.byteLength);
  console.log(`${number(rows)} flights: 2 columns, ${size} of shared memory, read in ${seconds(start)}`);
  return { delay, band };
}

/** All resamples, by all workers, with a progress bar. */
async function resample(pool: Pool, job: Omit<ResampleJob, 'resample'>, signal: AbortSignal): Promise<void> {
  const total = job.means.shape[0]!;
  const format = '{bar} {percentage}% | {value} of {total} resamples | {duration_formatted}';
  // Without a terminal it writes a line now and then, and no control codes.
  const plainLines = { noTTYOutput: true, notTTYSchedule: 5000 };
  const bar = new SingleBar(
    // Signals are for main.ts (`gracefulExit` would answer them here).
    { format, barsize: 30, stream: process.stdout, gracefulExit: false, ...plainLines },
    Presets.shades_classic,
  );
  bar.start(total, 0);
  try {
    const jobs = Array.from({ length: total }, (_, index) => ({ ...job, resample: index }));
    await pool.map('resample', jobs, { chunk: 4, signal, onProgress: (done) => bar.update(done) });
  } finally {
    bar.stop();
  }
}

/** Waits for all; the first one that fails ends the others. */
async function allOrNone(
  signal: AbortSignal,
  works: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  try {
    await Promise.all(works.map((work) => work(either)));
  } catch (error) {
    failed.abort(error);
    throw error;
  }
}

function checkAgreement(summary: readonly Band[]): void {
  const worst = Math.max(...summary.map((band) => band.difference));
  if (worst > tolerance) {
    throw new Error(`Node and Python disagree: relative difference ${worst}, allowed ${tolerance}`);
  }
  console.log(`Node and Python agree (largest relative difference ${worst}).`);
}

async function compare(
  columns: SharedColumns,
  { workers, resamples }: Options,
  python: Python | undefined,
  signal: AbortSignal,
): Promise<void> {
  const count = Math.min(compared, resamples);
  const costs = await measureCosts(columns, workers, count, python, signal);
  const size = megabytes(columns.delay.data.byteLength + columns.band.data.byteLength);
  console.log(
    `\nThe same work by ${workers} workers that wait for it, each of which needs the columns (${size}):`,
  );
  console.log(costTable(costs, count));
  console.log('process.send: with the advanced serialization.');
  if (python) {
    console.log('multiprocessing: Pool.map with numpy arrays as arguments, and numpy for the resamples.');
  }
  if (costs.some(({ memory }) => memory !== undefined)) {
    console.log('memory: what the columns add in all processes; shared pages count once.');
  }
}
