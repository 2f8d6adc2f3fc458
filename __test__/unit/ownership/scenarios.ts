/**
 * Who owns what, and what goes when: real processes that end in every way there is, each scenario in a `/dev/shm` of
 * its own. `scenarios.ts NAME` ends with code 0, or with whatever went wrong. Run by ./ownership.test.ts.
 */
import { exits } from './exits.js';
import { obstacles } from './obstacles.js';
import { tracker } from './tracker.js';
import { world } from './world.js';

const scenarios = { ...exits, ...tracker, ...obstacles, ...world };

export const names = Object.keys(scenarios);

const scenario = scenarios[process.argv[2] ?? ''];
if (scenario !== undefined) {
  await scenario();
  process.exit(); // whatever else it has started
}
