// What a run does, from the file to the report.
import { fileURLToPath } from 'node:url';
import type { ShareableList, SharedMemory } from 'shmkit';
import { bandStarts, bandTable } from './bands.js';
import { boardItems, resamplesDone } from './board.js';
import { bandMeans } from './bootstrap.js';
import { type Columns, checksum, countFlights, itemBytes } from './columns.js';
import { measureTransfer } from './compare.js';
import type { Crew } from './crew.js';
import type { LoadJob, ResampleJob } from './job.js';
import { type Options, UsageError } from './options.js';
import { withProgress } from './progress.js';
import { type Python, findPython } from './python.js';
import { intervalPlot, megabytes, number, resultTable, seconds, transferTable } from './report.js';
import type { Segments } from './segments.js';
import { type Band, summarize, tolerance } from './summary.js';

const bands = bandStarts.length;

/** The columns in this process: the segments, and views of them. */
interface SharedColumns {
  delay: SharedMemory;
  distance: SharedMemory;
  views: Columns;
}

export async function runPipeline(options: Options, segments: Segments, crew: Crew): Promise<void> {
  const rows = await rowsToUse(options);
  const python = await findPython(options.python);

  const columns = await loadColumns(rows, segments, crew);
  const results = await resample(options, python, columns, segments, crew);

  const data = bandMeans(columns.views, bandTable(bandStarts), bands);
  const summary = summarize(data, results, options.resamples);
  console.log(`\n${resultTable(summary, python !== undefined)}`);
  console.log(`Delays in minutes. The intervals take each flight as independent of the others.\n`);
  console.log(`${intervalPlot(summary)}\n`);
  if (python) checkAgreement(summary);

  if (options.compare) await compare(options.workers, columns, segments, crew);
}

async function rowsToUse({ rows }: Options): Promise<number> {
  const all = await countFlights();
  if (rows !== undefined && rows > all) {
    throw new UsageError(`--rows ${rows}: the data has ${all} flights`);
  }
  return rows ?? all;
}

async function loadColumns(rows: number, segments: Segments, crew: Crew): Promise<SharedColumns> {
  const start = performance.now();
  const delay = segments.memory('delay', rows * itemBytes);
  const distance = segments.memory('distance', rows * itemBytes);
  console.log(`Segments: ${segments.prefix}-*`);
  const loader = crew.node('the loader', './load.ts');
  loader.child.send({ delay: delay.toJSON(), distance: distance.toJSON() } satisfies LoadJob);
  await loader.ended;
  const size = megabytes(delay.size + distance.size);
  console.log(`${number(rows)} flights: 2 columns, ${size} of shared memory, read in ${seconds(start)}`);
  const views = { delay: new Int16Array(delay.buffer), distance: new Uint16Array(distance.buffer) };
  return { delay, distance, views };
}

/** Has the workers do it, and returns their results: a row for each resample, then a row for each by Python. */
async function resample(
  { workers, resamples, python: pythonWanted }: Options,
  python: Python | undefined,
  { delay, distance }: SharedColumns,
  segments: Segments,
  crew: Crew,
): Promise<Float64Array> {
  const start = performance.now();
  const checked = python ? Math.ceil(resamples / 10) : 0; // Python does every tenth part again
  const total = resamples + checked;
  const results = segments.memory('results', total * bands * Float64Array.BYTES_PER_ELEMENT);
  const board = segments.list('board', boardItems(workers + (python ? 1 : 0)));
  const shared = {
    delay: delay.toJSON(),
    distance: distance.toJSON(),
    results: results.toJSON(),
    board: board.toJSON(),
    bandStarts,
  };

  const members = Array.from({ length: workers }, (_, worker) => {
    const member = crew.node(`worker ${worker + 1}`, './worker.ts');
    const job: ResampleJob = { ...shared, worker, first: worker, step: workers, end: resamples, firstRow: 0 };
    member.child.send(job);
    return member;
  });
  console.log(`${number(resamples)} resamples by ${workers} Node worker${workers === 1 ? '' : 's'}`);
  if (python) {
    const script = fileURLToPath(new URL('worker.py', import.meta.url));
    const job: ResampleJob = {
      ...shared,
      worker: workers,
      first: 0,
      step: 1,
      end: checked,
      firstRow: resamples,
    };
    members.push(crew.program('the Python worker', python.command, [script], JSON.stringify(job)));
    console.log(`${number(checked)} of them again by a Python worker (${python.versions})`);
  } else if (pythonWanted !== false) {
    console.log('No Python with numpy here: the run goes without the Python worker.');
  }

  await withProgress(board, total, Promise.all(members.map((member) => member.ended)));
  requireComplete(board, total);
  console.log(`Done in ${seconds(start)}.`);
  return new Float64Array(results.buffer);
}

function requireComplete(board: ShareableList, total: number): void {
  const done = resamplesDone(board);
  if (done !== total) throw new Error(`the workers did ${done} of ${total} resamples`);
}

function checkAgreement(summary: readonly Band[]): void {
  const worst = Math.max(...summary.map((band) => band.difference));
  if (worst > tolerance) {
    throw new Error(`Node and Python disagree: relative difference ${worst}, allowed ${tolerance}`);
  }
  console.log(`Node and Python agree (largest relative difference ${worst}).`);
}

async function compare(
  workers: number,
  { delay, distance, views }: SharedColumns,
  segments: Segments,
  crew: Crew,
): Promise<void> {
  const expected = checksum(views);
  const shared = { delay: delay.toJSON(), distance: distance.toJSON() };
  const byMemory = await measureTransfer(crew, workers, 'shared memory', shared, expected);
  segments.unlink(); // nobody has to find them by name any more
  const bySend = await measureTransfer(crew, workers, 'process.send', { columns: views }, expected);
  const size = megabytes(delay.size + distance.size);
  console.log(`\nThe same columns (${size}) to ${workers} fresh workers:`);
  console.log(transferTable([byMemory, bySend]));
  console.log(
    'received: until the last worker had them; read once: until the last one had also read every value.',
  );
  console.log('RSS counts shared pages in every process, PSS once in all. process.send used the advanced');
  console.log('serialization. The bootstrap was not run again: after this it is the same work both ways.');
}
