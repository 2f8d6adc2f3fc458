import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import test from 'ava';

const MAIN = fileURLToPath(new URL('../bench/main.ts', import.meta.url));
/** The watchdog: a run takes about a quarter of it. */
const WITHIN = 110_000;

interface Contender {
  name: string;
  iterations: number;
  samples: number[];
}

interface Report {
  quick: boolean;
  suites: {
    name: string;
    environment: Record<string, unknown>;
    rows: { row: string; shmkit: Contender; peers: (Contender & { ratio: { median: number } })[] }[];
  }[];
}

test('bench --quick runs through all suites, reports them, and leaves nothing behind', async (t) => {
  t.timeout(WITHIN + 10_000);
  const dir = await mkdtemp(join(tmpdir(), 'shmkit-bench-'));
  t.teardown(() => rm(dir, { recursive: true }));
  const json = join(dir, 'report.json');

  const running = promisify(execFile)(process.execPath, ['--import=tsx', MAIN, '--quick', '--json', json], {
    timeout: WITHIN,
  });
  const { stdout } = await running; // rejects unless it exits with 0
  const report = JSON.parse(await readFile(json, 'utf8')) as Report;

  t.true(report.quick);
  t.deepEqual(
    report.suites.map(({ name }) => name),
    ['segment', 'list', 'tracker', 'lock', 'dict', 'array', 'queue', 'pipeline', 'manager'],
  );
  for (const { rows } of report.suites) {
    for (const { row, shmkit, peers } of rows) {
      t.true(stdout.includes(row), row);
      for (const { name, samples, iterations } of [shmkit, ...peers]) {
        t.true(iterations > 0, `${row}: ${name}`);
        t.true(samples.length > 0 && samples.every((sample) => sample > 0), `${row}: ${name}`);
      }
      t.true(peers.every(({ ratio }) => ratio.median > 0));
    }
  }
  // Segments of this run bear its process's id. Where there is no such directory there is nothing to see.
  const left = await readdir('/dev/shm').catch(() => []);
  t.deepEqual(
    left.filter((name) => name.includes(`shmkit-bench-${running.child.pid}`)),
    [],
  );
});

test('bench refuses a suite that it does not have', async (t) => {
  const error = await t.throwsAsync<Error & { stderr: string }>(
    promisify(execFile)(process.execPath, ['--import=tsx', MAIN, 'sqlite'], { timeout: WITHIN }),
  );
  t.true(error.stderr.includes("no suite 'sqlite'"));
});
