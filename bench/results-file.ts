import { readFile, writeFile } from 'node:fs/promises';

import type { Comparison } from './comparison.js';
import { FEWEST_PASSES } from './plan.js';
import { meanOthersCpu } from './results.js';
import type { Outcome, SuiteOutcome } from './results.js';
import { ratio } from './statistics.js';
import { UsageError } from './worker-process.js';

const FORMAT = 'shmkit-bench';
/** Increment when the meaning of a field changes. */
const VERSION = 3;

/** What `--json` writes, and `--compare` reads. */
export interface ResultsFile {
  readonly format: typeof FORMAT;
  readonly version: typeof VERSION;
  readonly quick: boolean;
  /** Of this checkout. */
  readonly suites: readonly SuiteOutcome[];
  /** Of the other checkout of `--against`. */
  readonly against?: readonly SuiteOutcome[];
  /** Of `--compare` and `--against`. */
  readonly comparison?: Comparison;
}

/** Writes the samples and what follows from them. */
export async function writeResults(
  path: string,
  results: Omit<ResultsFile, 'format' | 'version'>,
): Promise<void> {
  const { quick, suites, against, comparison } = results;
  const withRatios = (outcome: Outcome) => ({
    ...outcome,
    meanOthersCpu: meanOthersCpu(outcome),
    peers: outcome.peers.map((peer) => ({ ...peer, ratio: ratio(outcome.shmkit, peer) })),
  });
  const file = {
    format: FORMAT,
    version: VERSION,
    quick,
    suites: suites.map((suite) => ({ ...suite, rows: suite.rows.map(withRatios) })),
    ...(against && { against }),
    ...(comparison && { comparison }),
  };
  await writeFile(path, `${JSON.stringify(file, null, 1)}\n`);
}

/** Reads the results of an earlier run. Throws a UsageError if they cannot be compared with a run like this one. */
export async function readResults(path: string, quick: boolean): Promise<ResultsFile> {
  const again = 'measure the old state again with --json';
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read '${path}': ${(error as Error).message}`);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new UsageError(`'${path}' is not JSON; pass a file that --json wrote`);
  }
  const { format, version, suites } = (parsed ?? {}) as Partial<ResultsFile>;
  if (!Array.isArray(suites)) throw new UsageError(`'${path}' has no suites; pass a file that --json wrote`);
  if (format !== FORMAT || version !== VERSION) {
    throw new UsageError(
      `'${path}' has the version ${version ?? 1} of the results, expected ${VERSION}; ${again}`,
    );
  }
  const results = parsed as ResultsFile;
  if (results.quick !== quick) {
    const which = results.quick ? 'with --quick; pass --quick' : 'without --quick; leave out --quick';
    throw new UsageError(`'${path}' was measured ${which} to compare with it`);
  }
  const passes = results.suites.flatMap(({ rows }) => rows.map(({ shmkit }) => shmkit.samples.length));
  if (passes.length === 0) throw new UsageError(`'${path}' has no rows; ${again}`);
  if (Math.min(...passes) < FEWEST_PASSES) {
    const few = `'${path}' has rows of ${Math.min(...passes)} passes, expected at least ${FEWEST_PASSES}`;
    throw new UsageError(`${few}, which tell how much processes differ; ${again} --passes ${FEWEST_PASSES}`);
  }
  return results;
}
