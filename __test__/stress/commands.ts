/** Kinds of stress that are a command: it must end with code 0, and says itself what was wrong. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { secondsSince } from './harness.js';
import type { Run } from './kinds.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The engine's tests of locks between threads, under ThreadSanitizer: see scripts/tsan.js. */
export const tsan: Run = repeated(process.execPath, 'scripts/tsan.js');

/** Loom's models of the protocols, with all of their preemptions. */
export const models: Run = repeated('cargo', 'test', '--package', 'shmkit-models');

function repeated(command: string, ...args: readonly string[]): Run {
  return async (harness, rounds, { filter }) => {
    const began = performance.now();
    for (let round = 0; round < rounds; round++) {
      const all = typeof filter === 'string' ? [...args, filter] : args;
      const child = spawn(command, all, { cwd: ROOT, stdio: 'inherit' });
      const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
      if (code !== 0) harness.fault(`the tests ended with ${code ?? signal}`);
    }
    return `${rounds} runs of the tests in ${secondsSince(began)} s: no fault`;
  };
}
