import { fileURLToPath } from 'node:url';

import test from 'ava';
import type { ExecutionContext } from 'ava';

import { shareOfStress } from './helpers/stress.js';
import { run } from './lifetime/run.js';

shareOfStress('processes are killed at random points, and in commits', 'dicts', 24, /^24 kills/);
shareOfStress(
  'the same operations on lmdb',
  'dicts-lmdb',
  12_000,
  /^\d+ operations of 3 processes.*: no difference/,
);
shareOfStress('one process writes and three read', 'dicts-soak', 2, /: no fault$/);

async function runsWell(t: ExecutionContext, file: string, ...args: string[]): Promise<void> {
  const script = fileURLToPath(new URL(`stress/dicts/${file}`, import.meta.url));
  const { code, signal, output } = await run(process.execPath, [script, ...args]);
  t.deepEqual({ code, signal }, { code: 0, signal: null }, output);
}

test.serial('a reader that is stopped while the table moves away and comes back misses no key', async (t) => {
  await runsWell(t, 'stops.js', '4');
});

test.serial('a dict of which every byte is flipped, one after the other', async (t) => {
  await Promise.all(['0', '1'].map((part) => runsWell(t, 'flips.js', '7', part, '2')));
});
