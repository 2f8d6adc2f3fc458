/**
 * `npm run torture -- [--rounds N] [--seeds 1,2,…]`: every misuse N times (default 1,000) in random order, for
 * each seed, with this runtime, in a `/dev/shm` of its own. Ends with code 0 when none of it crashed.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { ownDevShm } from '../lifetime/namespace.js';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '1000' }, seeds: { type: 'string', default: '1' } },
});
const script = fileURLToPath(new URL('together.ts', import.meta.url));
for (const seed of values.seeds.split(',')) {
  const [command, args] = ownDevShm('512m', [process.execPath, '--import=tsx', script, seed, values.rounds]);
  console.log(`Node ${process.versions.node}, seed ${seed}, ${values.rounds} rounds`);
  const { status, signal } = spawnSync(command, args, { stdio: 'inherit' });
  if (status !== 0) {
    console.error(`ended with ${status ?? signal}`);
    process.exit(1);
  }
}
