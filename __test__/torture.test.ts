import { fileURLToPath } from 'node:url';

import test from 'ava';

import { ownDevShm } from './lifetime/namespace.js';
import { run } from './lifetime/run.js';

// A small share of `npm run torture`.
test('every misuse, in random order beside a process that writes random bytes, ends in a clear error', async (t) => {
  const script = fileURLToPath(new URL('torture/together.ts', import.meta.url));
  const [command, args] = ownDevShm('512m', [process.execPath, '--import=tsx', script, '1', '10']);
  const { code, signal, output } = await run(command, args);
  t.deepEqual({ code, signal }, { code: 0, signal: null }, output);
  t.regex(output, /\d+ misuses of \d+ kinds/);
});
