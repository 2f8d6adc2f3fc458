// The main job, `npm start`, as a user runs it: real processes, watched from outside.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { SharedArray } from 'shmkit';
import { TYPESCRIPT } from '../../fixtures/typescript.js';

const patience = 60_000;
const root = new URL('../../../', import.meta.url);
const main = fileURLToPath(new URL('examples/flights/main.ts', root));
const small = ['--rows', '20000', '--resamples', '4', '--workers', '2'];
/** Goes on for longer than any test waits. */
const long = ['--rows', '200000', '--resamples', '200000', '--workers', '2', '--no-compare'];

/** Waits for something that can be observed but does not announce itself. */
async function until<T>(what: string, look: () => T | undefined | false): Promise<T> {
  const deadline = performance.now() + patience;
  for (;;) {
    const seen = look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await setTimeout(20);
  }
}

/** One run of the job, in a process group of its own, as under a terminal. */
class Run {
  /** Every process of the run inherits it, so that none can be overlooked. */
  readonly #mark = randomUUID();
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown[]>;
  stdout = '';
  stderr = '';

  constructor(t: ExecutionContext, args: readonly string[], command: readonly string[] = [TYPESCRIPT, main]) {
    t.timeout(2 * patience);
    this.#child = spawn(process.execPath, [...command, ...args], {
      cwd: fileURLToPath(root),
      detached: true,
      env: { ...process.env, FLIGHTS_TEST: this.#mark },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.#closed = once(this.#child, 'close');
    t.teardown(() => {
      for (const pid of this.processes()) signal(pid, 'SIGKILL');
      // Of a run that failed the test, too.
      const prefix = this.knownPrefix();
      if (prefix) for (const name of segmentsOf(prefix)) rmSync(join('/dev/shm', name));
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get output(): string {
    return `${this.stdout}\n${this.stderr}`;
  }

  /** The exit code, once all of its output is here. */
  async code(): Promise<unknown> {
    const [code] = await Promise.race([this.#closed, expire('the end of the run')]);
    return code;
  }

  /** The prefix of its segments' names, once it has told. */
  prefix(): Promise<string> {
    return until('the name of the segments', () => this.knownPrefix());
  }

  /** The same, if it has told by now. */
  knownPrefix(): string | undefined {
    return /^Segments: (flights-\w+)-\*$/m.exec(this.stdout)?.[1];
  }

  /** Its processes that are alive, by the mark that they inherited. */
  processes(): number[] {
    return readdirSync('/proc').flatMap((entry) => {
      if (!/^\d+$/.test(entry)) return [];
      try {
        const environment = readFileSync(`/proc/${entry}/environ`, 'utf8');
        return environment.includes(`FLIGHTS_TEST=${this.#mark}`) ? [Number(entry)] : [];
      } catch {
        return []; // it has just ended, or is another user's
      }
    });
  }

  /** The process ids of its pool's workers, once there are results. */
  async workersAtWork(): Promise<number[]> {
    const name = `${await this.prefix()}-means`;
    await until('the array of the results', () => existsSync(`/dev/shm/${name}`));
    using means = SharedArray.attach<'float64'>(name);
    await until('some results', () => means.data.slice(0, 64).every((mean) => mean !== 0));
    const workers = this.processes().filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('dist/worker.js');
      } catch {
        return false; // it has just ended
      }
    });
    if (workers.length === 0) throw new Error('there are results, and no workers');
    return workers;
  }
}

async function expire(what: string): Promise<never> {
  await setTimeout(patience, undefined, { ref: false });
  throw new Error(`waited in vain for ${what}`);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone.
  }
}

function segmentsOf(prefix: string): string[] {
  return readdirSync('/dev/shm').filter((name) => name.startsWith(prefix));
}

/** No process and no segment of the run is left. A process that was killed takes a moment to go. */
async function assertNothingLeft(t: ExecutionContext, run: Run): Promise<void> {
  await until('the end of all processes', () => run.processes().length === 0);
  const prefix = run.knownPrefix();
  if (prefix) t.deepEqual(segmentsOf(prefix), []); // the tracker, which ends last, has seen to it
}

/** A program that can be run as `python3` and claims to have numpy. */
function fakePython(t: ExecutionContext, worker: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'flights-test-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'python.mjs');
  const code = `#!${process.execPath}
    import { createInterface } from 'node:readline';
    import { SharedArray } from ${JSON.stringify(import.meta.resolve('shmkit'))};
    if (process.argv[2] === '-c') {
      console.log('3.0, numpy 1.0');
      process.exit();
    }
    createInterface({ input: process.stdin }).once('line', (line) => {
      const job = JSON.parse(line);
      ${worker}
    });
  `;
  writeFileSync(file, code);
  chmodSync(file, 0o755);
  return file;
}

test.serial('a small run prints its tables and agrees with Python', async (t) => {
  const run = new Run(t, small);
  t.is(await run.code(), 0, run.output);
  t.is(run.stderr, '');
  t.regex(run.stdout, /^20,000 flights: 2 columns, 0\.1 MB of shared memory/m);
  t.regex(run.stdout, /100% \| 4 of 4 resamples/);
  t.regex(run.stdout, /│ 500 to 749 +│ +[\d,]+ │ +\d+\.\d{3} │ +\d+\.\d{3} to \d+\.\d{3} │/);
  t.regex(run.stdout, /^ +2500 and more \|.*o/m);
  t.regex(run.stdout, /│ shared memory +│ +[\d.]+ ms │ +[\d.]+ ms │/);
  t.regex(run.stdout, /│ process\.send +│ +[\d.]+ ms │ +[\d.]+ ms │/);
  t.false(run.stdout.includes('\u001B'), 'no control codes without a terminal');
  t.regex(run.stdout, /again by a Python worker/);
  t.regex(run.stdout, /^Node and Python agree/m);
  t.is(run.stdout.match(/│ the same +│$/gm)?.length, 8);
  t.regex(run.stdout, /│ multiprocessing +│ +[\d.]+ ms │ +[\d.]+ ms │/);
  t.regex(run.stdout, /^multiprocessing: Pool\.map/m);
  await assertNothingLeft(t, run);
});

test.serial('without Python it says why, and prints nothing about Python after that', async (t) => {
  const run = new Run(t, [...small, '--python', '/nonexistent/python3']);
  t.is(await run.code(), 0, run.output);
  const [before, after, ...more] = run.stdout.split(
    "Without Python: '/nonexistent/python3' is no Python with numpy.\n",
  );
  t.deepEqual(more, []);
  t.is(before, '');
  t.regex(after!, /│ process\.send +│/);
  t.notRegex(after!, /python|multiprocessing|numpy/i);
  await assertNothingLeft(t, run);
});

test.serial('more workers than resamples, more bands than flights', async (t) => {
  const run = new Run(t, ['--rows', '3', '--resamples', '2', '--workers', '4', '--no-compare']);
  t.is(await run.code(), 0, run.output);
  t.regex(run.stdout, /│ 2500 and more +│ +0 │ +- │ +- to - │/);
  await assertNothingLeft(t, run);
});

test.serial('numbers of Python that differ are an error', async (t) => {
  const python = fakePython(t, `SharedArray.attach(job.means).fill(1); process.exit();`);
  const run = new Run(t, [...small, '--python', python]);
  t.is(await run.code(), 1, run.output);
  t.regex(run.stderr, /^error: Node and Python disagree: relative difference 0\.\d+, allowed 1e-9$/m);
  await assertNothingLeft(t, run);
});

test.serial('a Python that fails ends the run', async (t) => {
  const python = fakePython(t, `console.error('no numpy after all'); process.exit(3);`);
  const run = new Run(t, [...long, '--python', python]);
  t.is(await run.code(), 1, run.output);
  t.regex(
    run.stderr,
    /^error: the Python worker \(process \d+\) ended with exit code 3\nno numpy after all$/m,
  );
  await assertNothingLeft(t, run);
});

test.serial('a Python that does nothing is found out', async (t) => {
  const run = new Run(t, [...small, '--python', fakePython(t, 'process.exit();')]);
  t.is(await run.code(), 1, run.output);
  t.regex(run.stderr, /^error: Node and Python disagree/m);
  await assertNothingLeft(t, run);
});

test.serial('the work of a worker that is killed is done by another one', async (t) => {
  const run = new Run(t, ['--rows', '200000', '--resamples', '600', '--workers', '2', '--no-compare']);
  const [first] = await run.workersAtWork();
  signal(first!, 'SIGKILL');
  t.is(await run.code(), 0, run.output);
  t.is(run.stderr, '');
  t.regex(run.stdout, /100% \| 600 of 600 resamples/);
  t.regex(run.stdout, /^Node and Python agree/m);
  await assertNothingLeft(t, run);
});

for (const [name, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  test.serial(`${name} ends the run with exit code ${code}`, async (t) => {
    const run = new Run(t, long);
    await run.workersAtWork();
    // SIGINT as a terminal sends it, to the whole group; the others as `kill` does.
    signal(name === 'SIGINT' ? -run.pid : run.pid, name);
    t.is(await run.code(), code, run.output);
    t.regex(run.stderr, new RegExp(`^stopped by ${name}: `, 'm'));
    t.notRegex(run.stderr, /^error/m);
    await assertNothingLeft(t, run);
  });
}

test.serial('Ctrl-C while the file is read, and twice', async (t) => {
  const run = new Run(t, ['--workers', '1']);
  await run.prefix();
  signal(-run.pid, 'SIGINT');
  signal(-run.pid, 'SIGINT');
  t.is(await run.code(), 130, run.output);
  await assertNothingLeft(t, run);
});

test.serial('Ctrl-C under the tsx command, as npm start runs it', async (t) => {
  const run = new Run(t, long, [fileURLToPath(import.meta.resolve('tsx/cli')), main]);
  await run.workersAtWork();
  signal(-run.pid, 'SIGINT');
  t.is(await run.code(), 130, run.output);
  await assertNothingLeft(t, run);
});

test.serial('when the parent is killed, the workers end and the segments go', async (t) => {
  const run = new Run(t, long);
  await run.workersAtWork();
  signal(run.pid, 'SIGKILL');
  t.is(await run.code(), null);
  await assertNothingLeft(t, run);
});

for (const [args, message] of [
  [['--rows', '0'], /--rows.*whole number/],
  [['--rows', '2.5'], /--rows.*whole number/],
  [['--resamples', '1'], /--resamples.*from 2 to/],
  [['--workers', 'many'], /--workers.*whole number/],
  [['--wrokers', '2'], /unknown option '--wrokers'/],
  [['extra'], /too many arguments/],
  [['--rows', '4000000'], /--rows 4000000: the data has 3000000 flights/],
] as const) {
  test.serial(`refuses ${args.join(' ')}`, async (t) => {
    const run = new Run(t, args);
    t.is(await run.code(), 2, run.output);
    t.regex(run.stderr, message);
    t.is(run.stdout, '');
    await assertNothingLeft(t, run);
  });
}
