import { fileURLToPath } from 'node:url';

import test from 'ava';

import { run } from './lifetime/run.js';

const script = (file: string): string => fileURLToPath(new URL(`dicts/${file}`, import.meta.url));

for (const [what, file, ...options] of [
  ['processes killed at random points, and in commits', 'main.ts', '--kills', '60', '--seed', '7'],
  ['the same operations on lmdb, in three processes', 'lmdb.ts', '--ops', '30000', '--seed', '7'],
  ['one who writes and three who read', 'soak.ts', '--seconds', '4', '--seed', '7'],
] as const) {
  test.serial(`a share of the commands for dicts: ${what}`, async (t) => {
    const { code, signal, output } = await run(process.execPath, ['--import=tsx', script(file), ...options]);
    t.deepEqual({ code, signal }, { code: 0, signal: null }, output);
  });
}

test.serial('a reader that is stopped while the table moves away and comes back misses no key', async (t) => {
  const { code, signal, output } = await run(process.execPath, [script('stops.js'), '10']);
  t.deepEqual({ code, signal }, { code: 0, signal: null }, output);
});

test.serial('a dict of which every byte is flipped, one after the other', async (t) => {
  const { code, signal, output } = await run(process.execPath, [script('flips.js'), '7']);
  t.deepEqual({ code, signal }, { code: 0, signal: null }, output);
});
