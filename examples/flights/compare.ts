// What the same work costs by shared memory, by process.send, and by Python's multiprocessing: workers that wait get the
// columns and read every value once; then they get them for some resamples, and give the means back.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Pool, SharedArray } from 'shmkit';
import { bandStarts } from './bands.js';
import { type SharedColumns, checksum, columnsOf } from './columns.js';
import { memoryOf } from './memory.js';
import { type Python, runPython } from './python.js';
import type { SentJob } from './sent.js';

export interface Cost {
  way: string;
  /** Milliseconds until all workers had read all values once. */
  read: number;
  /** Milliseconds for the resamples. */
  resampled: number;
  /** Bytes that the reading added to the memory of all processes together. */
  memory: number | undefined;
}

/** `resamples` of them, by so many workers each way. */
export async function measureCosts(
  shared: SharedColumns,
  workers: number,
  resamples: number,
  python: Python | undefined,
  signal: AbortSignal,
): Promise<Cost[]> {
  const work: Work = { shared, workers, resamples, expected: checksum(columnsOf(shared)), signal };
  const costs = [await byMemory(work), await bySend(work)];
  if (python) costs.push(await byMultiprocessing(python, work));
  return costs;
}

interface Work {
  shared: SharedColumns;
  workers: number;
  resamples: number;
  /** The sum of all values. */
  expected: number;
  signal: AbortSignal;
}

async function byMemory({ shared, workers, resamples, expected, signal }: Work): Promise<Cost> {
  await using pool = new Pool(new URL('./work.ts', import.meta.url), { workers });
  const options = { chunk: 1, signal };
  const everyone = Array.from({ length: workers }, () => shared);
  const pids = await pool.map<unknown, number>('pid', everyone, options);
  const before = memoryOf(pids);
  let start = performance.now();
  const sums = await pool.map<SharedColumns, number>('sum', everyone, options);
  const read = performance.now() - start;
  const after = memoryOf(pids);
  check(sums, expected);

  using means = SharedArray.create([resamples, bandStarts.length]);
  start = performance.now();
  const jobs = Array.from({ length: resamples }, (_, resample) => ({ ...shared, means, resample }));
  await pool.map('resample', jobs, { signal });
  return { way: 'shared memory', read, resampled: performance.now() - start, memory: added(before, after) };
}

async function bySend({ shared, workers, resamples, expected, signal }: Work): Promise<Cost> {
  const columns = columnsOf(shared);
  const module = new URL('./sent.ts', import.meta.url);
  const children = Array.from({ length: workers }, () =>
    fork(module, { serialization: 'advanced', signal, killSignal: 'SIGKILL' }),
  );
  try {
    const answers = async (): Promise<unknown[]> =>
      Promise.all(children.map((child) => answer(child, signal)));
    await answers(); // 'ready'
    const pids = children.map((child) => child.pid!);
    const before = memoryOf(pids);
    let start = performance.now();
    for (const child of children) child.send({ columns } satisfies SentJob);
    const sums = await answers();
    const read = performance.now() - start;
    const after = memoryOf(pids);
    check(sums, expected);

    start = performance.now();
    children.forEach((child, worker) => {
      const each = Array.from({ length: resamples }, (_, resample) => resample);
      const its = each.filter((resample) => resample % workers === worker);
      child.send({ columns, resamples: its } satisfies SentJob);
    });
    await answers();
    return { way: 'process.send', read, resampled: performance.now() - start, memory: added(before, after) };
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

/** The next message of a process, or how it failed. */
async function answer(child: ChildProcess, signal: AbortSignal): Promise<unknown> {
  const ended = once(child, 'exit', { signal }).then(([code, by]) => {
    throw new Error(`process ${child.pid} ended (${by ?? `exit code ${code}`}) without an answer`);
  });
  const [message] = await Promise.race([once(child, 'message', { signal }), ended]);
  return message;
}

async function byMultiprocessing(python: Python, work: Work): Promise<Cost> {
  const { shared, workers, resamples, expected, signal } = work;
  const job = { ...shared, workers, resamples, bands: bandStarts.length };
  const result = await runPython(python, 'compare', job, signal);
  const { sums, read, resampled, memory } = result as Record<'read' | 'resampled' | 'memory', number> & {
    sums: number[];
  };
  check(sums, expected);
  return { way: 'multiprocessing', read: read * 1000, resampled: resampled * 1000, memory };
}

function check(sums: readonly unknown[], expected: number): void {
  if (sums.some((sum) => sum !== expected)) throw new Error('the columns arrived damaged');
}

function added(before: number | undefined, after: number | undefined): number | undefined {
  return before === undefined || after === undefined ? undefined : after - before;
}
