import { fileURLToPath } from 'node:url';

import test from 'ava';

import { run } from './lifetime/run.js';

const script = fileURLToPath(new URL('kills/main.ts', import.meta.url));

for (const [what, ...options] of [['processes'], ['processes and trackers', '--tracker']] as const) {
  test.serial(`a share of \`npm run kills\`: ${what} killed at random points`, async (t) => {
    const args = ['--import=tsx', script, '--kills', '80', '--seed', '4', ...options];
    const { code, signal, output } = await run(process.execPath, args);
    t.deepEqual({ code, signal }, { code: 0, signal: null }, output);
  });
}
