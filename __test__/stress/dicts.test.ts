import { fileURLToPath } from 'node:url';

import test from 'ava';
import type { ExecutionContext } from 'ava';

import { shareOfStress } from './share.js';
import { run } from '../fixtures/run.js';

shareOfStress('processes are killed at random points, and in commits', 'dicts', 12, /^12 kills/);
shareOfStress(
  'the same operations on lmdb',
  'dicts-lmdb',
  6_000,
  /^\d+ operations of 3 processes.*: no difference/,
);
shareOfStress('one process writes and three read', 'dicts-soak', 2, /: no fault$/);
shareOfStress('bytes are flipped, one after the other', 'dicts-flips', 4, /^\d{3,} bytes flipped: no fault$/);

async function runsWell(t: ExecutionContext, file: string, ...args: string[]): Promise<void> {
  const script = fileURLToPath(new URL(`dicts/${file}`, import.meta.url));
  const { code, signal, output } = await run(process.execPath, [script, ...args]);
  t.deepEqual({ code, signal }, { code: 0, signal: null }, output);
}

test.serial('a reader that is stopped while the table moves away and comes back misses no key', async (t) => {
  await runsWell(t, 'stops.js', '4');
});
