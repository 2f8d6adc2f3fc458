import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import test from 'ava';
import type { ExecutionContext } from 'ava';

import { Bootstrap, midmean } from '../../../bench/bootstrap.js';
import { ShiftInterval } from '../../../bench/shift-interval.js';
import { confirmChanges, looksChanged, verdicts } from '../../../bench/comparison.js';
import { addPass, emptyOutcome, Results } from '../../../bench/results.js';
import type { Outcome, RowId } from '../../../bench/results.js';
import type { OpenedRow } from '../../../bench/protocol.js';
import { readResults } from '../../../bench/results-file.js';
import { studentQuantile } from '../../../bench/student.js';
import { pairedViews, unpairedViews } from '../../../bench/views.js';
import { checkCheckout, UsageError, WorkerProcess } from '../../../bench/worker-process.js';
import { random } from '../../fixtures/random.js';
import { TYPESCRIPT } from '../../fixtures/typescript.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
/** The watchdog of a run, in milliseconds. */
const WITHIN = 60_000;
const RULE = { threshold: 0.05, confidence: 0.9999 };
const CONFIRMATIONS = { fewest: 3, most: 7 };

/** Standard normal numbers that a seed repeats. */
function normal(seed: number): () => number {
  const below = random(seed);
  const uniform = () => (below(2 ** 30) + 1) / (2 ** 30 + 1);
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

test("Student's t has the quantiles of the tables", (t) => {
  for (const [freedom, tail, expected] of [
    [1, 0.025, 12.706],
    [3, 0.025, 3.182],
    [15, 0.00005, 5.239],
    [30, 0.005, 2.75],
  ] as const) {
    t.true(Math.abs(studentQuantile(freedom, tail) / expected - 1) < 0.001, `${freedom}, ${tail}`);
  }
});

test('the midmean ignores a quarter of outliers on each side', (t) => {
  t.is(midmean([3, 1, 2]), 2);
  t.is(midmean([1000, 5, 5, -1000]), 5);
  t.is(midmean([1, 2, 3, 4, 5, 6, 7, 800]), 4.5);
});

test('an interval of 95 % holds the true value about that often', (t) => {
  const draw = normal(1);
  let held = 0;
  const times = 300;
  for (let i = 0; i < times; i++) {
    const passes = Array.from({ length: 5 }, () => {
      const process = draw();
      return Array.from({ length: 3 }, () => 7 + process + draw() / 2);
    });
    const { low, high } = new Bootstrap(passes).interval(0.95);
    if (low <= 7 && 7 <= high) held++;
  }
  t.true(held / times > 0.92, `${held} of ${times}`);
});

test('the bootstrap repeats itself, and equal samples have an interval of no width', (t) => {
  const passes = [
    [1, 2, 3],
    [2, 3, 5],
    [1, 1, 2],
  ];
  t.deepEqual(new Bootstrap(passes).interval(0.99), new Bootstrap(passes).interval(0.99));
});

test('the shift between two groups has the interval of the Mann-Whitney test', (t) => {
  // Of 5 and 5 values, two of the 252 arrangements are as extreme as can be.
  const five = [1, 2, 3, 4, 5];
  const more = five.map((value) => value + 10);
  const shift = new ShiftInterval(more, five);
  t.is(shift.estimate, 10);
  t.deepEqual(shift.interval(0.99), { estimate: 10, low: 6, high: 14 });
  t.deepEqual(shift.interval(0.995), { estimate: 10, low: -Infinity, high: Infinity });
  // The published table: at 5 %, two-sided, the critical value of 7 and 9 is 12, of 10 and 10 it is 23.
  for (const [m, n, critical] of [
    [7, 9, 12],
    [10, 10, 23],
  ] as const) {
    const ours: number[] = Array.from({ length: m }, (_, i) => i * 1000);
    const theirs = Array.from({ length: n }, (_, i) => i);
    const differences = ours.flatMap((a) => theirs.map((b) => a - b)).sort((a, b) => a - b);
    t.is(new ShiftInterval(ours, theirs).interval(0.95).low, differences[critical]!);
  }
  const sizes = Array.from({ length: 7 }, () => 4096);
  t.deepEqual(new ShiftInterval(sizes, sizes).interval(0.99), { estimate: 0, low: 0, high: 0 });
});

test('an interval of a shift holds the true value about that often, in spite of outliers', (t) => {
  const [draw, below] = [normal(5), random(6)];
  const [times, confidence] = [2000, 0.95];
  let held = 0;
  for (let round = 0; round < times; round++) {
    const group = (count: number, center: number) =>
      Array.from({ length: count }, () => center + 0.02 * draw() + (below(10) === 0 ? 1 : 0));
    const { low, high } = new ShiftInterval(group(13, 0.1), group(7, 0)).interval(confidence);
    if (low <= 0.1 && 0.1 <= high) held++;
  }
  t.true(held / times > confidence - 0.015, `${held} of ${times}`);
});

/** How a synthetic row varies, as standard deviations of the logarithm. */
interface Noise {
  readonly process: number;
  readonly round: number;
  /** Processes in the other state of the memory, in which everything takes twice as long: 0 to 1. */
  readonly slowState?: number;
}

/** Rows as they are on a machine that is not alone. */
const NOISES: readonly Noise[] = [
  { process: 0.01, round: 0.02 },
  { process: 0.02, round: 0.05 },
  { process: 0.03, round: 0.03 },
  { process: 0.1, round: 0.1 },
  { process: 0.3, round: 0.3 },
  { process: 0.02, round: 0.02, slowState: 0.1 },
  { process: 0.02, round: 0.02, slowState: 0.5 },
];

const OPENED: OpenedRow = { unit: 'ns', contenders: [{ name: 'shmkit', iterations: 1 }] };

/** Two checkouts with one row for each noise; the rows in `slower` take longer in the first one. */
function synthetic(seed: number, slower: Partial<Record<number, number>>) {
  const draw = normal(seed);
  const below = random(seed);
  const side = () =>
    new Results([
      { name: 'suite', environment: {} as never, rows: NOISES.map((_, i) => emptyOutcome(`${i}`, OPENED)) },
    ]);
  const [here, there] = [side(), side()];
  const measure = (ids: readonly RowId[], passes: number) => {
    for (const id of ids) {
      const index = Number(id.row);
      const { process, round, slowState = 0 } = NOISES[index]!;
      for (let pass = 0; pass < passes; pass++) {
        for (const [results, factor] of [
          [here, slower[index] ?? 1],
          [there, 1],
        ] as const) {
          const state = below(1000) < 1000 * slowState ? 2 : 1;
          const center = 100 * factor * state * Math.exp(process * draw());
          const rounds = Array.from({ length: 30 }, () => [center * Math.exp(round * Math.abs(draw()))]);
          addPass(results.find(id)!, OPENED, rounds, null);
        }
      }
    }
  };
  return { here, there, measure };
}

/** Decides as a run does, without processes. */
async function decide(seed: number, slower: Partial<Record<number, number>> = {}) {
  const { here, there, measure } = synthetic(seed, slower);
  measure(here.ids(), 5);
  const confirmed = await confirmChanges(
    here.ids(),
    CONFIRMATIONS,
    RULE.confidence,
    (id, confidence) => looksChanged(pairedViews(here.find(id)!, there.find(id)!), confidence, RULE),
    (suspects) => Promise.resolve(measure(suspects, 6)),
  );
  const { rows } = verdicts(here, there, pairedViews, confirmed, RULE);
  return rows.filter(({ verdict }) => verdict !== 'unchanged');
}

test('no change is not reported, however much processes differ', async (t) => {
  for (let seed = 0; seed < 25; seed++) {
    t.deepEqual(await decide(seed), [], `seed ${seed}`);
  }
});

test('a slowdown of 10 % is found, and only that', async (t) => {
  for (let seed = 0; seed < 5; seed++) {
    for (const index of [0, 1, 2]) {
      const reported = await decide(seed, { [index]: 1.1 });
      t.deepEqual(
        reported.map(({ row, verdict, isRegression }) => ({ row, verdict, isRegression })),
        [{ row: `${index}`, verdict: 'slower', isRegression: true }],
        `seed ${seed}`,
      );
    }
  }
});

test('a gain of 10 % is reported, and is no regression', async (t) => {
  const [row, ...others] = await decide(1, { 0: 0.9 });
  t.is(row?.verdict, 'faster');
  t.false(row?.isRegression);
  t.deepEqual(others, []);
});

test('a slowdown of 1 % is too small to be reported, and one of 4 % is no regression', async (t) => {
  t.deepEqual(await decide(1, { 0: 1.01 }), []);
  const [row] = await decide(1, { 0: 1.04 });
  t.is(row?.verdict, 'slower');
  t.false(row?.isRegression);
});

/** Passes of an earlier run. */
const OLD_PASSES = 7;

/** An outcome with a peer, whose times are given: as many passes as a row has that looks changed. */
function withPeer(
  seed: number,
  shmkit: number,
  peer: number,
  unit: 'ns' | 'bytes' = 'ns',
  passes = 25,
): Outcome {
  const draw = normal(seed);
  const opened: OpenedRow = {
    unit,
    contenders: [
      { name: 'shmkit', iterations: 1 },
      { name: 'Map', iterations: 1 },
    ],
  };
  const outcome = emptyOutcome('row', opened);
  for (let pass = 0; pass < passes; pass++) {
    const rounds = Array.from({ length: 3 }, () => [
      shmkit * Math.exp(0.01 * draw()),
      peer * Math.exp(0.01 * draw()),
    ]);
    addPass(outcome, opened, rounds, null);
  }
  return outcome;
}

/** Two runs on one processor, or not, of rows that were not measured alone. */
const twoRuns = (isSameProcessor: boolean) => ({ isSameProcessor, now: null, before: null });

test('what a row takes alone is compared by the passes that were not disturbed', (t) => {
  const draw = normal(8);
  /** Every tenth pass has a slower processor, by which the row is slowed down more than the reference. */
  const alone = (passes: number, time: number, speed = 1): Outcome => ({
    ...withPeer(1, 100, 50, 'ns', passes),
    alone: Array.from({ length: passes }, (_, pass) => {
      const slow = pass % 10 === 3 ? 1.7 : 1;
      const noise = Math.exp(0.01 * draw());
      return { time: time * noise * slow * 1.1 * speed, reference: 74_000 * slow * speed };
    }),
  });
  const old = alone(OLD_PASSES, 100);
  const views = (now: Outcome, speed = 1) =>
    unpairedViews(now, old, { isSameProcessor: true, now: 74_000 * speed, before: 74_000 });
  t.false(looksChanged(views(alone(25, 100)), 0.9999, RULE));
  t.true(looksChanged(views(alone(25, 110)), 0.9999, RULE), 'a slowdown of 10 %');
  t.false(looksChanged(views(alone(25, 100, 1.08), 1.08), 0.9999, RULE), 'the clock is 8 % slower');
  t.deepEqual(views(alone(25, 100, 1.2), 1.2), [], 'at another speed nothing can be told');
  const disturbed = alone(7, 100, 1.05);
  t.deepEqual(views(disturbed), [], 'no pass was quiet');
});

test('against an earlier run, the time and the ratio to a peer must agree', (t) => {
  const old = withPeer(1, 100, 50, 'ns', OLD_PASSES);
  const changed = (now: Outcome, isSameProcessor: boolean) =>
    looksChanged(unpairedViews(now, old, twoRuns(isSameProcessor)), 0.9999, RULE);
  t.false(changed(withPeer(2, 100, 50), true));
  t.true(changed(withPeer(3, 115, 50), true), 'only shmkit takes longer');
  t.false(changed(withPeer(4, 130, 65), true), 'the machine is slower');
  t.false(changed(withPeer(5, 100, 40), true), 'only the peer is faster');
  t.false(changed(withPeer(6, 50, 25), false), 'another processor is twice as fast');
  t.true(changed(withPeer(7, 60, 25), false), 'another processor, and shmkit takes longer');
});

test('without a peer, times are compared on one processor only; sizes on any', (t) => {
  const without = (outcome: Outcome): Outcome => ({ ...outcome, peers: [] });
  const [old, now] = [without(withPeer(1, 100, 50, 'ns', OLD_PASSES)), without(withPeer(2, 120, 50))];
  t.true(looksChanged(unpairedViews(now, old, twoRuns(true)), 0.9999, RULE));
  t.deepEqual(unpairedViews(now, old, twoRuns(false)), []);
  const oldSize = withPeer(1, 4e6, 1, 'bytes', OLD_PASSES);
  const nowSize = withPeer(2, 5e6, 1, 'bytes');
  t.true(looksChanged(unpairedViews(nowSize, oldSize, twoRuns(false)), 0.9999, RULE));
});

/** What a run of the benchmarks came to. */
interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function bench(directory: string, ...args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [TYPESCRIPT, 'bench/main.ts', ...args],
      { cwd: directory, timeout: WITHIN },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

/** A copy of this checkout in which `tryLock` of a mutex takes several times as long. */
async function slowedCheckout(t: ExecutionContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'shmkit-bench-'));
  t.teardown(() => rm(dir, { recursive: true }));
  const copied = [
    'bench',
    'dist',
    'package.json',
    'binding.js',
    'tsconfig.json',
    'src/pool',
    '__test__/fixtures',
  ];
  // The native module and the daemon, of whatever platform.
  copied.push(...(await readdir(ROOT)).filter((name) => name.endsWith('.node') || name === 'shmkitd'));
  for (const path of copied) await cp(join(ROOT, path), join(dir, path), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  const file = join(dir, 'dist', 'shmkit.js');
  const code = await readFile(file, 'utf8');
  const slowed = code.replace(
    'tryLock() {',
    'tryLock() { let spent = 0; for (let i = 0; i < 400_000; i++) spent += Math.sqrt(i); this.spent = spent;',
  );
  t.not(slowed, code);
  await writeFile(file, slowed);
  return dir;
}

interface Report {
  suites: { rows: { row: string; othersCpu: (number | null)[] }[] }[];
  comparison: { rows: { suite: string; row: string; verdict: string; isRegression: boolean }[] };
}

/** Whether a run's JSON reports this row as a regression. The other rows are at the mercy of the machine. */
async function isPlantedFound(json: string, row: string): Promise<boolean> {
  const { comparison } = JSON.parse(await readFile(json, 'utf8')) as Report;
  return comparison.rows.some((one) => one.row === row && one.verdict === 'slower' && one.isRegression);
}

test('a planted slowdown is found against another checkout, and against an earlier run', async (t) => {
  t.timeout(3 * WITHIN);
  const slowed = await slowedCheckout(t);
  const rows = ['lock', '--quick', '--row', 'ock, unlock', '--python', 'no-python'];
  const [old, paired, unpaired] = ['old', 'paired', 'unpaired'].map((name) => join(slowed, `${name}.json`));

  const against = await bench(slowed, ...rows, '--against', ROOT, '--json', paired!);
  t.is(against.code, 1, against.stdout);
  t.true(await isPlantedFound(paired!, 'tryLock, unlock'), against.stdout);
  t.regex(against.stdout, /Slower or faster beyond the interval:[^]*tryLock, unlock/);

  const before = await bench(ROOT, ...rows, '--passes', '8', '--json', old!);
  t.is(before.code, 0, before.stderr);
  const compare = await bench(slowed, ...rows, '--passes', '8', '--compare', old!, '--json', unpaired!);
  t.is(compare.code, 1, compare.stdout);
  t.true(await isPlantedFound(unpaired!, 'tryLock, unlock'), compare.stdout);
});

test('what cannot be compared is refused', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'shmkit-bench-'));
  t.teardown(() => rm(dir, { recursive: true }));
  const refuses = (message: string) => ({ instanceOf: UsageError, message: new RegExp(message) });

  t.throws(() => checkCheckout(dir), refuses('not a checkout'));
  await mkdir(join(dir, 'bench'));
  await writeFile(join(dir, 'package.json'), '{}');
  t.throws(() => checkCheckout(dir), refuses('too old to be compared'));
  await writeFile(join(dir, 'bench', 'worker.ts'), 'process.send({ protocol: 0 });');
  t.throws(() => checkCheckout(dir), refuses('npm ci'));
  await symlink(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  t.throws(() => checkCheckout(dir), refuses('npm run build'));
  await t.throwsAsync(WorkerProcess.start(dir), refuses("version 0 of the benchmarks' protocol, expected"));

  const results = (passes: number, quick: boolean) => ({
    format: 'shmkit-bench',
    version: 3,
    quick,
    suites: [
      {
        name: 'list',
        rows: [{ row: 'get', shmkit: { samples: Array.from({ length: passes }, () => [1]) } }],
      },
    ],
  });
  const path = join(dir, 'old.json');
  for (const [content, message] of [
    ['no JSON', 'not JSON'],
    ['{}', 'no suites'],
    [JSON.stringify({ quick: true, suites: [] }), 'has the version 1'],
    [JSON.stringify(results(7, false)), 'measured without --quick'],
    [JSON.stringify(results(1, true)), 'rows of 1 passes'],
  ] as const) {
    await writeFile(path, content);
    await t.throwsAsync(readResults(path, true), refuses(message));
  }

  const { code, stderr } = await bench(ROOT, '--compare', join(dir, 'missing.json'));
  t.is(code, 2);
  t.regex(stderr, /^error: cannot read '.*missing.json'/);
});
