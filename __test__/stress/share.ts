/** Tests that run a share of a kind of stress. */
import test from 'ava';

import { stress } from './run.js';
import type { Options } from './kinds.js';
import { within } from '../fixtures/wait.js';

/** Milliseconds that a share may take on a machine that is very busy. */
const LONGEST = 110_000;

/** A test that runs this many rounds of a kind of stress, whose summary must match. */
export function shareOfStress(
  title: string,
  name: string,
  rounds: number,
  expected: RegExp,
  options?: Options,
): void {
  test.serial(`a share of \`npm run stress -- ${name}\`: ${title}`, async (t) => {
    const progress: string[] = [];
    const order = {
      rounds,
      seed: 7,
      say: (line: string) => void progress.push(line),
      ...(options && { options }),
    };
    const summary = await within(() => `${name}, after ${progress.join('; ')}`, stress(name, order), LONGEST);
    t.regex(summary, expected);
  });
}
