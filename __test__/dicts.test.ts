import { fileURLToPath } from 'node:url';

import test from 'ava';

import { run } from './lifetime/run.js';

test.serial(
  'a share of the command for dicts: processes killed at random points, and in commits',
  async (t) => {
    const script = fileURLToPath(new URL('dicts/main.ts', import.meta.url));
    const { code, signal, output } = await run(process.execPath, [
      '--import=tsx',
      script,
      '--kills',
      '60',
      '--seed',
      '7',
    ]);
    t.deepEqual({ code, signal }, { code: 0, signal: null }, output);
  },
);

test.serial('a reader that is stopped while the table moves away and comes back misses no key', async (t) => {
  const script = fileURLToPath(new URL('dicts/stops.js', import.meta.url));
  const { code, signal, output } = await run(process.execPath, [script, '10']);
  t.deepEqual({ code, signal }, { code: 0, signal: null }, output);
});
