/**
 * Processes that create, attach, adopt, close and unlink segments are killed at random points, beside strangers that use
 * the same names. Nothing may be left behind, nothing that has an owner or is a stranger's may be removed, and nothing may
 * hang.
 */
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { trackers } from '../../fixtures/trackers.js';
import type { Child } from '../child.js';
import type { Run } from '../kinds.js';
import { contested } from './names.js';

const LANES = 4;
/** Steps of an actor that ends only when it is killed. */
const ENDLESS = 1_000_000_000;

export const run: Run = async (harness, rounds, options) => {
  const { random } = harness;
  const start = (script: string, ...args: string[]): Promise<Child> =>
    harness.node(`${script} ${args.join(' ')}`, new URL(script, import.meta.url), args);
  const actor = (steps = ENDLESS): Promise<Child> => start('actor.js', harness.nextSeed(), String(steps));

  const strangers = await Promise.all(
    contested.slice(0, 2).map((name) => start('stranger.js', harness.nextSeed(), name)),
  );
  let left = rounds;
  let trackersKilled = 0;
  /** One actor after the other. The next one starts while the last one dies. */
  const lane = async (): Promise<void> => {
    if (left-- <= 0) return;
    for (let next: Promise<Child> | undefined = actor(); next !== undefined;) {
      const child = await next;
      const randomMoment = random.below(30);
      await sleep(randomMoment);
      next = left-- > 0 ? actor() : undefined;
      await harness.kill(child);
      if (options['tracker'] !== true || random.below(8) !== 0) continue;
      for (const pid of trackers()) {
        trackersKilled++;
        process.kill(pid, 'SIGKILL');
      }
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));

  // The last ones end by themselves: nothing that the dead have left behind blocks them.
  for (const last of await Promise.all([actor(500), actor(500)])) await harness.endsWell(last);
  let made = 0;
  for (const stranger of strangers) {
    stranger.endInput();
    await harness.endsWell(stranger);
    made += Number(stranger.lines.at(-1));
  }
  // The tracker ends last, and removes the directory of the ledgers.
  harness.describe = () => readdirSync('/dev/shm', { recursive: true }).join(', ');
  await harness.until('nothing is left behind', () => readdirSync('/dev/shm').length === 0, 20);
  const trackersToo = options['tracker'] === true ? `, ${trackersKilled} kills of trackers` : '';
  return `${rounds} kills${trackersToo}, ${made} segments of strangers: nothing lost, nothing left`;
};
