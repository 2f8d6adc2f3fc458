// `npm test [-- AVA'S ARGUMENTS]`: Rust's tests, and beside them the facade's, with a real Python at the other end.
// `--quick` leaves out `SLOW`. The last line counts all tests.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { bundle } from './typescript/bundle.js';

/**
 * Test files with kills, many processes, benchmarks, examples and packages, which `npm run test:quick` leaves out. Of
 * Rust's tests it runs those within the crates.
 */
const SLOW = [
  'interop/manager-python',
  'interop/pool-python',
  'interop/python-binding',
  'interop/python-queue',
  'interop/python-tracker',
  'interop/shared-memory-python',
  'stress/*',
  'unit/cli/*',
  'unit/manager/manager-*',
  'unit/ownership/*',
  'unit/pool/*',
  'unit/project/*',
];

const isQuick = process.argv.includes('--quick');
const ava = process.argv.slice(2).filter((arg) => arg !== '--quick');
if (isQuick) ava.push('__test__/**/*.test.ts', ...SLOW.map((file) => `!__test__/${file}.test.ts`));

/** Of the orders of steps that loom's models go through; `npm run stress -- models` has no such bound. */
const MODEL_PREEMPTIONS = '2';

/** Runs a command and returns its output and exit code. The output is shown at once, or when the command has ended. */
async function run(show, command, ...args) {
  const child = spawn(command, args, {
    env: { SHMKIT_MODEL_PREEMPTIONS: MODEL_PREEMPTIONS, ...process.env },
    stdio: ['ignore', 'pipe', show === 'at once' ? 'inherit' : 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk) => {
      output += chunk;
      if (show === 'at once') process.stdout.write(chunk);
    });
  }
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (show !== 'at once') process.stdout.write(output);
  return { code, output };
}

/** Counts what libtest and TAP report, and a run that broke off as a failure. */
function count({ code, output }, passed, failed) {
  const sum = (pattern) => [...output.matchAll(pattern)].reduce((all, [, n]) => all + Number(n || 1), 0);
  const counts = { passed: sum(passed), failed: sum(failed) };
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

async function rustTests() {
  // The bindings' libraries have no tests, and Python's cannot be linked without Python.
  const without = ['shmkit-models', 'shmkit-node', 'shmkit-python'];
  const part = isQuick ? ['--lib', ...without.flatMap((name) => ['--exclude', name])] : [];
  const result = await run('at the end', 'cargo', 'test', '--workspace', ...part, '--no-fail-fast');
  return count(result, /(\d+) passed;/g, /(\d+) failed;/g);
}

/** One process bundles all tests faster than each does for itself. */
async function bundleTests() {
  const files = readdirSync('__test__', { recursive: true }).filter((file) => file.endsWith('.test.ts'));
  await Promise.all(files.map((file) => bundle(join(process.cwd(), '__test__', file))));
}

async function facadeTests() {
  await bundleTests();
  const python = await run('at the end', process.execPath, 'scripts/python.js');
  if (python.code !== 0) return { passed: 0, failed: 1 };
  const result = await run(
    'at once',
    process.execPath,
    'node_modules/ava/entrypoints/cli.mjs',
    '--tap',
    ...ava,
  );
  const counts = count(result, /^ok (?!.* # (?:SKIP|TODO))()/gm, /^not ok (?!.* # TODO)()/gm);
  const planned = Number(/^1\.\.(\d+)$/m.exec(result.output)?.[1] ?? NaN);
  const reported = result.output.match(/^(?:not )?ok /gm)?.length ?? 0;
  if (planned !== reported && counts.failed === 0) counts.failed = 1; // it broke off
  return counts;
}

// Compiling and Rust's models use the processors while the facade's tests wait for other processes, and the other way round.
const counts = await Promise.all([rustTests(), facadeTests()]);
const total = (what) => counts.reduce((sum, one) => sum + one[what], 0);
console.log(`${total('passed')} passed, ${total('failed')} failed`);
process.exitCode = total('failed') === 0 && total('passed') > 0 ? 0 : 1;
