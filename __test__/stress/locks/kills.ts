/**
 * Processes take a mutex and the txns of a segment at random, in every way there is, and are killed at random points, half
 * of them inside. At most one may be inside at any time, the next holder must be told of a holder's death, and the others
 * must go on after each kill.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import type { Child } from '../child.js';
import { Gaps, secondsSince } from '../harness.js';
import type { Run } from '../kinds.js';
import { World } from './world.js';

const LANES = 3;

/** Waits for a moment at which it is inside, for 20 ms at most. */
async function catchInside(world: World, pid: number): Promise<void> {
  const end = performance.now() + 20;
  while (performance.now() < end) {
    for (let look = 0; look < 2000; look++) if (world.isInside(pid, look)) return;
    await sleep(0);
  }
}

export const run: Run = async (harness, rounds) => {
  const { random } = harness;
  const world = new World(harness);
  const gaps = new Gaps();
  await world.startWitness();
  const began = performance.now();
  let left = rounds;
  const lane = async (): Promise<void> => {
    if (left-- <= 0) return;
    for (let next: Promise<Child> | undefined = world.actor(); next !== undefined;) {
      const child = await next;
      const randomMoment = random.below(15);
      await sleep(randomMoment);
      if (random.below(2) === 0) await catchInside(world, child.pid);
      const { mutexCount, txnCount } = world;
      const killed = performance.now();
      const dead = harness.kill(child);
      next = left-- > 0 ? world.actor() : undefined;
      await dead;
      await harness.until(
        'the others go on after a kill',
        () => world.mutexCount !== mutexCount && world.txnCount !== txnCount,
      );
      gaps.add(performance.now() - killed);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  await world.finish();
  return (
    `${rounds} kills in ${secondsSince(began)} s, ${world.deaths} of holders; ${world.toString()}; ` +
    `from a kill to the next holder of both locks: ${gaps.toString()}`
  );
};
