/** The same as kills.ts with worker threads of one process, which are terminated at random points. */

import { secondsSince } from '../harness.js';
import type { Run } from '../kinds.js';
import { World } from './world.js';

/** Milliseconds within which one of the others must go on. */
const PATIENCE = 2000;

export const run: Run = async (harness, rounds) => {
  const world = new World(harness);
  await world.startWitness();
  const began = performance.now();
  const args = [world.name, harness.nextSeed(), String(rounds)];
  const host = await harness.node('the host of the threads', new URL('host.js', import.meta.url), args);
  const count = (): number => world.mutexCount + world.txnCount + world.readCount;
  let seen = count();
  let since = performance.now();
  await harness.until(
    'all threads are terminated',
    () => {
      if (count() !== seen) [seen, since] = [count(), performance.now()];
      else if (host.isRunning && performance.now() - since > PATIENCE) harness.fault('none goes on for 2 s');
      return !host.isRunning;
    },
    20,
    60_000 + rounds * 1000,
  );
  await harness.endsWell(host);
  const { longest } = JSON.parse(host.lines.at(-1)!) as { longest: number };
  await world.finish();
  return (
    `${rounds} terminations in ${secondsSince(began)} s, ${world.deaths} of holders; ${world.toString()}; ` +
    `longest terminate() ${longest.toFixed(1)} ms`
  );
};
