import { fileURLToPath } from 'node:url';

import { Cleanup } from './cleanup.js';
import { comparisonTable, summary } from './comparison-table.js';
import type { Comparison, Look } from './comparison.js';
import { CpuMeter, IdleGate } from './cpu.js';
import { FAILURE, parseOptions, REGRESSION } from './options.js';
import { Side } from './passes.js';
import { planOf } from './plan.js';
import { table } from './report.js';
import { Results } from './results.js';
import type { SuiteOutcome } from './results.js';
import { readResults, writeResults } from './results-file.js';
import { runComparison, runPasses } from './run.js';
import type { Selection } from './run.js';
import { SUITE_NAMES } from './suites/names.js';
import { pairedViews, unpairedViews } from './views.js';
import { checkCheckout, UsageError } from './worker-process.js';

const HERE = fileURLToPath(new URL('..', import.meta.url));

const options = parseOptions(process.argv);
const cleanup = new Cleanup();
cleanup.onSignals();
try {
  process.exitCode = await main();
} catch (error) {
  await cleanup.breathe(); // does not return after Ctrl-C, which ends the workers
  console.error(error instanceof UsageError ? `error: ${error.message}` : error);
  process.exitCode = FAILURE;
} finally {
  await cleanup.unwind();
}

async function main(): Promise<number> {
  const { quick, python, row, json, passes, threshold } = options;
  const old = options.compare === undefined ? undefined : await readResults(options.compare, quick);
  checkCheckout(HERE);
  if (options.against !== undefined) checkCheckout(options.against);

  const prefix = `shmkit-bench-${process.pid}`;
  const here = new Side(HERE, `${prefix}-a`);
  const other = options.against === undefined ? undefined : new Side(options.against, `${prefix}-b`);
  const meter = new CpuMeter();
  const plan = planOf(other ? 'against' : old ? 'compare' : 'run', quick, passes);
  const setting = {
    sides: other ? [here, other] : [here],
    plan,
    isAlone: false,
    reference: old === undefined ? null : new Results(old.suites).reference(),
    // Peers tell nothing about two checkouts that are measured side by side.
    request: { quick, python, peers: other === undefined, round: plan.round, warmups: plan.warmups },
    cleanup,
    meter,
    gate: new IdleGate(meter, plan.wait, note),
    progress,
  };
  const known: readonly string[] = old?.suites.map(({ name }) => name) ?? SUITE_NAMES;
  const suites =
    options.suites.length > 0 ? options.suites : SUITE_NAMES.filter((name) => known.includes(name));
  const selection: Selection = { suites, isWanted: (id) => id.row.includes(row) };

  await runPasses(setting, selection);
  const there = other ?? (old && new Results(old.suites));
  const look: Look = other
    ? pairedViews
    : (ours, theirs, { suite }) =>
        unpairedViews(ours, theirs, {
          isSameProcessor: isSameProcessor(suite, here, there),
          now: here.reference(),
          before: there?.reference() ?? null,
        });
  const comparison =
    there &&
    (await runComparison(
      setting,
      selection,
      there,
      look,
      { threshold, confidence: plan.confidence },
      ({ suite }) => other === undefined && isSameProcessor(suite, here, there),
    ));
  progress('');
  if (other === undefined) for (const suite of here.suites) print(suite);
  if (there && comparison)
    printComparison(comparison, here, there, other ? ['other', 'this'] : ['before', 'now']);
  if (json !== undefined) {
    await writeResults(json, {
      quick,
      suites: here.suites,
      ...(other && { against: other.suites }),
      ...(comparison && { comparison }),
    });
  }
  return comparison?.rows.some(({ isRegression }) => isRegression) ? REGRESSION : 0;
}

/** Says what you should know about the run. */
function note(text: string): void {
  progress('');
  console.log(text);
}

/** Shows on a terminal what is being measured. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

function print({ name, environment, rows }: SuiteOutcome): void {
  const { node, python, cpu, cores } = environment;
  const interpreter = python === null ? 'no python' : `CPython ${python}`;
  console.log(`${name}: node ${node}, ${interpreter}, ${cpu}, ${cores} cores`);
  console.log(table(rows));
}

function printComparison(
  comparison: Comparison,
  here: Results,
  there: Results,
  names: readonly [before: string, now: string],
): void {
  const { rows, confidence } = comparison;
  console.log(comparisonTable(rows, 'usual', here, there, names, confidence));
  const reported = rows.filter(({ verdict }) => verdict !== 'unchanged');
  if (reported.length > 0) {
    console.log('Slower or faster beyond the interval:');
    console.log(comparisonTable(reported, 'change', here, there, names, confidence));
  }
  console.log(summary(comparison));
}

/** Times of different processors are not comparable. */
function isSameProcessor(suite: string, ...sides: readonly (Results | undefined)[]): boolean {
  const [here, there] = sides.map((side) => side?.suites.find(({ name }) => name === suite)?.environment);
  return here?.cpu === there?.cpu && here?.cores === there?.cores;
}
