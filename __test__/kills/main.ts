/**
 * `npm run kills -- [--kills N] [--seed S] [--tracker]`: N SIGKILLs at random points of processes that create, attach,
 * adopt, close and unlink, beside strangers that take the same names; with `--tracker` the tracker is killed too.
 * In a `/dev/shm` of its own. Ends with code 0 when nothing is left behind, nothing was taken that somebody had, and
 * nothing hung.
 */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { ownDevShm } from '../lifetime/namespace.js';
import { trackers } from '../helpers/trackers.js';
import { Random } from '../torture/random.js';
import { contested } from './names.js';

type Child = ChildProcessByStdio<Writable, Readable, null>;

const ACTORS = 4;
/** What a process may take to start, and all of it to be cleaned up. */
const WATCHDOG = 30_000;
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    tracker: { type: 'boolean', default: false },
    inside: { type: 'boolean', default: false },
  },
});

function faulty(why: string): never {
  console.error(why);
  process.exit(1);
}

/** Starts a program, and returns when it is at work. */
async function start(script: string, ...args: string[]): Promise<Child> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.on('error', () => undefined); // killed before it is told to end
  const watchdog = setTimeout(() => faulty(`${script} ${args.join(' ')} does not start`), WATCHDOG);
  await once(child.stdout, 'data');
  clearTimeout(watchdog);
  return child;
}

async function ended(child: Child): Promise<{ code: number | null; signal: string | null }> {
  if (child.exitCode === null && child.signalCode === null) {
    const watchdog = setTimeout(() => faulty(`process ${child.pid} hangs`), WATCHDOG);
    await once(child, 'exit');
    clearTimeout(watchdog);
  }
  return { code: child.exitCode, signal: child.signalCode };
}

async function torture(): Promise<void> {
  const random = new Random(Number(values.seed));
  const kills = Number(values.kills);
  let seed = Number(values.seed) * 1_000_000;
  const actor = (steps = 1_000_000_000): Promise<Child> => start('actor.js', String(++seed), String(steps));

  const strangers = await Promise.all(
    contested.slice(0, 2).map((name) => start('stranger.js', String(++seed), name)),
  );
  /** One life after the other, each ended by a kill. */
  let left = kills;
  let trackersKilled = 0;
  const lane = async (): Promise<void> => {
    while (left-- > 0) {
      const child = await actor();
      await sleep(random.below(30));
      child.kill('SIGKILL');
      const { code, signal } = await ended(child);
      if (signal !== 'SIGKILL') faulty(`an actor ended with ${code ?? signal} by itself`);
      if (values.tracker && random.below(8) === 0) {
        for (const pid of trackers()) {
          trackersKilled++;
          process.kill(pid, 'SIGKILL');
        }
      }
    }
  };
  await Promise.all(Array.from({ length: ACTORS }, lane));

  // The last ones end by themselves: nothing that the killed left behind holds them up.
  for (const last of await Promise.all([actor(500), actor(500)])) {
    const { code, signal } = await ended(last);
    if (code !== 0) faulty(`the last actor ended with ${code ?? signal}`);
  }
  let made = 0;
  for (const stranger of strangers) {
    stranger.stdout.on('data', (text: Buffer) => (made += Number(text)));
    stranger.stdin.end();
    const { code, signal } = await ended(stranger);
    if (code !== 0) faulty(`a stranger ended with ${code ?? signal}`);
  }
  // The tracker is the last to go, and takes the directory of the ledgers along.
  const until = Date.now() + WATCHDOG;
  while (readdirSync('/dev/shm').length > 0) {
    if (Date.now() > until) faulty(`left behind: ${readdirSync('/dev/shm', { recursive: true }).join(', ')}`);
    await sleep(20);
  }
  const trackersToo = values.tracker ? `, ${trackersKilled} of trackers` : '';
  console.log(`${kills} kills${trackersToo}, ${made} segments of strangers: nothing lost, nothing left`);
}

if (values.inside) {
  await torture();
} else {
  const script = fileURLToPath(import.meta.url);
  const node = [process.execPath, '--import=tsx', script, '--inside', ...process.argv.slice(2)];
  const [command, args] = ownDevShm('512m', node);
  process.exitCode = spawnSync(command, args, { stdio: 'inherit' }).status ?? 1;
}
