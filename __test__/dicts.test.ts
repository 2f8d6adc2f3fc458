import { fileURLToPath } from 'node:url';

import test from 'ava';

import { shareOfStress } from './helpers/stress.js';
import { run } from './lifetime/run.js';

shareOfStress('processes are killed at random points, and in commits', 'dicts', 60, /^60 kills/);
shareOfStress(
  'the same operations on lmdb',
  'dicts-lmdb',
  30_000,
  /^\d+ operations of 3 processes.*: no difference/,
);
shareOfStress('one process writes and three read', 'dicts-soak', 4, /: no fault$/);

for (const [title, file, argument] of [
  ['a reader that is stopped while the table moves away and comes back misses no key', 'stops.js', '10'],
  ['a dict of which every byte is flipped, one after the other', 'flips.js', '7'],
] as const) {
  test.serial(title, async (t) => {
    const script = fileURLToPath(new URL(`stress/dicts/${file}`, import.meta.url));
    const { code, signal, output } = await run(process.execPath, [script, argument]);
    t.deepEqual({ code, signal }, { code: 0, signal: null }, output);
  });
}
