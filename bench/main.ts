import { writeFile } from 'node:fs/promises';

import { Command } from 'commander';

import { Cleanup } from './cleanup.js';
import type { Context } from './context.js';
import { FULL, QUICK, measure } from './harness.js';
import type { Outcome, Row } from './harness.js';
import { Python } from './python.js';
import { environment, table } from './report.js';
import { ratio } from './statistics.js';
import { dictSuite } from './suites/dict.js';
import { arraySuite } from './suites/array.js';
import { listSuite } from './suites/list.js';
import { lockSuite } from './suites/lock.js';
import { pipelineSuite } from './suites/pipeline.js';
import { managerSuite } from './suites/manager.js';
import { queueSuite } from './suites/queue.js';
import { segmentSuite } from './suites/segment.js';
import { trackerSuite } from './suites/tracker.js';

const SUITES: Record<string, (context: Context) => Row[]> = {
  segment: segmentSuite,
  list: listSuite,
  tracker: trackerSuite,
  lock: lockSuite,
  dict: dictSuite,
  array: arraySuite,
  queue: queueSuite,
  pipeline: pipelineSuite,
  manager: managerSuite,
};

interface Options {
  quick?: true;
  json?: string;
  python: string;
  row?: string;
}

const program = new Command('bench')
  .description('Medians, and ratios to peers that are measured in the same interleaved rounds.')
  .argument('[suite...]', `of ${Object.keys(SUITES).join(', ')} (default: all)`)
  .option('--quick', 'seconds rather than minutes: small sizes, few rounds, rough numbers')
  .option('--json <file>', 'write all samples and what they depend on')
  .option('--python <path>', 'the Python to compare with', 'python3')
  .option('--row <text>', 'only rows whose name contains this')
  .parse();

const { quick = false, json, python: path, row: wanted = '' } = program.opts<Options>();
const names = program.args.length > 0 ? program.args : Object.keys(SUITES);
for (const name of names) {
  if (!Object.hasOwn(SUITES, name)) {
    program.error(`no suite '${name}'; there are ${Object.keys(SUITES).join(', ')}`);
  }
}

const cleanup = new Cleanup();
cleanup.onSignals();
const suites = [];
try {
  for (const name of names) suites.push(await runSuite(name, SUITES[name]!));
} finally {
  await cleanup.unwind();
}
if (json !== undefined) await writeFile(json, `${JSON.stringify({ quick, suites }, null, 1)}\n`);

async function runSuite(name: string, rowsOf: (context: Context) => Row[]) {
  const python = await Python.start(path);
  cleanup.defer(() => python?.stop());
  const prefix = `shmkit-bench-${process.pid}`;
  const large = quick ? 2 ** 22 : 2 ** 26;
  const context: Context = { quick, large, items: quick ? 10_000 : 100_000, prefix, python, cleanup };
  const facts = environment(python);
  console.log(
    `${name}: node ${facts.node}, ${python ? `CPython ${python.version}` : 'no python'}, ${facts.cpu}, ${facts.cores} cores`,
  );
  const outcomes: Outcome[] = [];
  for (const row of rowsOf(context)) {
    if (!row.name.includes(wanted)) continue;
    const depth = cleanup.depth;
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${row.name}`);
    outcomes.push(await measure(row, quick ? QUICK : FULL, () => cleanup.breathe()));
    await cleanup.unwind(depth);
    await python?.release();
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  await python?.stop();
  console.log(table(outcomes));
  return { name, environment: facts, rows: outcomes.map(withRatios) };
}

function withRatios(outcome: Outcome) {
  const { shmkit, peers } = outcome;
  return { ...outcome, peers: peers.map((peer) => ({ ...peer, ratio: ratio(shmkit, peer) })) };
}
