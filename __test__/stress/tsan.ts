/** The engine's tests of locks between threads, under ThreadSanitizer: see scripts/tsan.js. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { secondsSince } from './harness.js';
import type { Run } from './kinds.js';

const SCRIPT = fileURLToPath(new URL('../../scripts/tsan.js', import.meta.url));

export const run: Run = async (harness, rounds, options) => {
  const { filter } = options;
  const began = performance.now();
  for (let round = 0; round < rounds; round++) {
    const args = typeof filter === 'string' ? [SCRIPT, filter] : [SCRIPT];
    const child = spawn(process.execPath, args, { stdio: 'inherit' });
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    if (code !== 0) harness.fault(`the tests ended with ${code ?? signal}`);
  }
  return `${rounds} runs of the tests in ${secondsSince(began)} s: no fault`;
};
