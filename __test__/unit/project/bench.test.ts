import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import test from 'ava';
import { TYPESCRIPT } from '../../fixtures/typescript.js';

const MAIN = fileURLToPath(new URL('../../../bench/main.ts', import.meta.url));
/** The watchdog, in milliseconds. A run takes about a quarter of it. */
const WITHIN = 300_000;

interface Contender {
  name: string;
  iterations: number[];
  samples: number[][];
}

interface Report {
  quick: boolean;
  suites: {
    name: string;
    environment: Record<string, unknown>;
    rows: {
      row: string;
      othersCpu: (number | null)[];
      shmkit: Contender;
      peers: (Contender & { ratio: { low: number; estimate: number; high: number } })[];
    }[];
  }[];
}

test('bench --quick runs through all suites, reports them, and leaves nothing behind', async (t) => {
  t.timeout(WITHIN + 10_000);
  const dir = await mkdtemp(join(tmpdir(), 'shmkit-bench-'));
  t.teardown(() => rm(dir, { recursive: true }));
  const json = join(dir, 'report.json');

  const running = promisify(execFile)(process.execPath, [TYPESCRIPT, MAIN, '--quick', '--json', json], {
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
    for (const { row, othersCpu, shmkit, peers } of rows) {
      t.true(stdout.includes(row), row);
      for (const { name, samples, iterations } of [shmkit, ...peers]) {
        t.true(iterations.length === 1 && iterations[0]! > 0, `${row}: ${name}`);
        const [rounds = []] = samples; // one pass
        t.true(samples.length === 1 && rounds.length > 0, `${row}: ${name}`);
        t.true(
          rounds.every((sample) => sample > 0),
          `${row}: ${name}`,
        );
      }
      for (const { ratio } of peers) {
        t.true(0 < ratio.low && ratio.low <= ratio.estimate && ratio.estimate <= ratio.high, row);
      }
      t.true(
        othersCpu.every((share) => share === null || (share >= 0 && share <= 1)),
        row,
      );
    }
  }
  // The names of this run's segments contain the coordinator's process id.
  const left = await readdir('/dev/shm').catch(() => []);
  t.deepEqual(
    left.filter((name) => name.includes(`shmkit-bench-${running.child.pid}`)),
    [],
  );
});

test('bench refuses an unknown suite', async (t) => {
  const error = await t.throwsAsync<Error & { code: number; stderr: string }>(
    promisify(execFile)(process.execPath, [TYPESCRIPT, MAIN, 'sqlite'], { timeout: WITHIN }),
  );
  t.true(error.stderr.includes("no suite 'sqlite'"));
  t.is(error.code, 2);
});
