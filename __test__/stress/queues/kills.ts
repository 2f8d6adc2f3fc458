/**
 * Processes push to a queue and take from it at random, in every way there is, and are killed at random points, half of
 * them with a slot if they can be caught with one: first several on each side, then one on each side. No item may be torn or
 * come twice. No item may be missing except those that the dead may have held, exactly the slots of the dead must be counted
 * as lost, and the others must go on after each kill.
 */
import { secondsSince } from '../harness.js';
import type { Run } from '../kinds.js';
import { Population } from './population.js';
import type { Role } from './population.js';

export const run: Run = async (harness, rounds, options) => {
  const began = performance.now();
  const half = Math.ceil(rounds / 2);
  const slots = Number(options['slots']);
  const populate = (mode: 'mpmc' | 'spsc'): Population =>
    new Population(harness, mode, rounds + 8, slots, options['python'] === true);

  // Three processes that are never killed, and two more at a time that are.
  const many = populate('mpmc');
  await Promise.all((['producer', 'consumer', 'consumer'] as const).map((role) => many.start(role)));
  let left = half;
  const lane = async (first: Role): Promise<void> => {
    for (let role = first; left-- > 0; role = role === 'producer' ? 'consumer' : 'producer') {
      await many.kill(await many.start(role));
      await many.goesOn();
    }
  };
  await Promise.all([lane('producer'), lane('consumer')]);
  harness.say(`mpmc: ${await many.finish()}`);

  // One process on each side, and the next one when it is dead.
  const single = populate('spsc');
  const sides = { producer: await single.start('producer'), consumer: await single.start('consumer') };
  for (let more = rounds - half; more > 0; more--) {
    const role = harness.random.below(2) === 0 ? 'producer' : 'consumer';
    await single.kill(sides[role]);
    sides[role] = await single.start(role);
    await single.goesOn();
  }
  harness.say(`spsc: ${await single.finish()}`);
  return `${rounds} kills in ${secondsSince(began)} s: no fault`;
};
