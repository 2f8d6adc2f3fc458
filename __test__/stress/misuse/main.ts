/** Every misuse in random order, beside a process that writes random bytes into every segment. None may crash. */
import type { Run } from '../kinds.js';
import { compiled, SOURCE_MAPS } from '../../fixtures/typescript.js';

export const run: Run = async (harness, rounds) => {
  const seed = String(harness.seed);
  const neighbour = await harness.node('the neighbour', new URL('neighbour.js', import.meta.url), [seed]);
  const script = await compiled(new URL('misuse.ts', import.meta.url));
  const node = [process.execPath, '--expose-gc', SOURCE_MAPS];
  const misuse = harness.launch('the process with the misuses', [...node, script, seed, String(rounds)]);
  await misuse.closed;
  if (misuse.result !== 0) harness.fault(`${misuse.what} ended with ${misuse.result}`);
  if (!neighbour.isRunning) harness.fault(`the neighbour ended with ${neighbour.result} by itself`);
  neighbour.endInput();
  await harness.endsWell(neighbour);
  return `${misuse.lines.at(-1)}, Node ${process.versions.node}`;
};
