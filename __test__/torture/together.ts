/** Runs ./misuse.ts beside ./neighbour.ts, both with this runtime: `together.ts SEED ROUNDS`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const [seed = '1', rounds = '10'] = process.argv.slice(2);
const start = (name: string, args: string[]) =>
  spawn(
    process.execPath,
    ['--expose-gc', '--import=tsx', fileURLToPath(new URL(name, import.meta.url)), ...args],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );

const neighbour = start('neighbour.ts', [seed]);
await once(neighbour.stdout, 'data');
const misuse = start('misuse.ts', [seed, rounds]);
misuse.stdout.pipe(process.stdout);
const [code, signal] = (await once(misuse, 'exit')) as [number | null, string | null];
const alive = neighbour.exitCode === null && neighbour.signalCode === null;
neighbour.stdin.end();
if (alive) await once(neighbour, 'exit');
if (!alive || neighbour.exitCode !== 0)
  console.error(`the neighbour ended with ${neighbour.exitCode ?? neighbour.signalCode}`);
if (signal !== null) console.error(`ended by ${signal}`);
process.exitCode = alive && neighbour.exitCode === 0 ? (code ?? 1) : 1;
