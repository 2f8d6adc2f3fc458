/** Kinds of stress that are a command: it must end with code 0, and says itself what was wrong. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { compiled, SOURCE_MAPS } from '../fixtures/typescript.js';
import { secondsSince } from './harness.js';
import type { Harness } from './harness.js';
import type { Run } from './kinds.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The engine's tests of locks between threads, under ThreadSanitizer: see scripts/tsan.js. */
export const tsan: Run = repeated(process.execPath, 'scripts/tsan.js');

/** Loom's models of the protocols, with all of their preemptions. */
export const models: Run = repeated('cargo', 'test', '--package', 'shmkit-models');

/** Random bytes for the server of managers and its clients. */
export const inputs: Run = async (harness, rounds) => {
  const began = performance.now();
  const args = ['test', '--package', 'shmkit', '--test', 'manager', 'random_inputs'];
  await command(harness, 'cargo', args, { SHMKIT_STRESS_INPUTS: String(rounds) });
  return `${rounds} inputs in ${secondsSince(began)} s: no fault`;
};

/** The facade and the engine take the same steps, with loads in order and as where they are reordered. */
export const conformance: Run = async (harness, rounds) => {
  const began = performance.now();
  const driver = await compiled(new URL('../interop/conformance/driver.ts', import.meta.url));
  for (const [order, seed] of [
    ['', harness.nextSeed()],
    ['weak', harness.nextSeed()],
  ] as const) {
    const args = [SOURCE_MAPS, driver, seed, String(rounds)];
    await command(harness, process.execPath, args, { SHMKIT_MEMORY_ORDER: order });
  }
  return `${rounds} steps of each structure in either order of memory, in ${secondsSince(began)} s: no difference`;
};

function repeated(program: string, ...args: readonly string[]): Run {
  return async (harness, rounds, { filter }) => {
    const began = performance.now();
    for (let round = 0; round < rounds; round++) {
      const all = typeof filter === 'string' ? [...args, filter] : args;
      await command(harness, program, all);
    }
    return `${rounds} runs of the tests in ${secondsSince(began)} s: no fault`;
  };
}

async function command(
  harness: Harness,
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<void> {
  const child = spawn(program, args, { cwd: ROOT, stdio: 'inherit', env: { ...process.env, ...env } });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  if (code !== 0) harness.fault(`the tests ended with ${code ?? signal}`);
}
