import type { Run } from './harness.js';

/** Called before each run, outside of what is timed. */
export type Breathe = () => Promise<void>;

const MAX_ITERATIONS = 1e7;

/** Returns a number of iterations that fills half a round or more; counting them also warms the code up. */
export async function calibrate(run: Run, round: number, breathe: Breathe): Promise<number> {
  let iterations = 1;
  for (;;) {
    await breathe();
    const time = await run(iterations);
    if (time >= round / 2 || iterations >= MAX_ITERATIONS) return iterations;
    // At most tenfold: the first, cold iterations say little about later ones.
    iterations = Math.ceil(iterations * Math.min(10, (0.9 * round) / Math.max(time, 1)));
  }
}

/** The number of iterations that fills a round, given the time that some of them took. */
export function fillingIterations(round: number, iterations: number, time: number): number {
  return Math.max(1, Math.min(MAX_ITERATIONS, Math.round((iterations * round) / Math.max(time, 1))));
}
