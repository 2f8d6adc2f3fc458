import type { Run } from './harness.js';
import { fillingIterations } from './iterations.js';
import type { Breathe } from './iterations.js';

/** What shmkit took without peers in between, in nanoseconds: the least of many short rounds. */
export interface Alone {
  /** Of one operation. */
  readonly time: number;
  /** Of the reference, which took turns with it. */
  readonly reference: number;
}

/** How long to measure a row alone, in nanoseconds. */
export interface AloneRequest {
  readonly budget: number;
  /** The least time of the reference so far. While it is not reached, the processor is slowed down by others. */
  readonly reference: number | null;
}

/** Nanoseconds of a round: short enough to fit between two disturbances. */
const ROUND = 300_000;
/** How much more than the least time the reference may take on a processor that is not slowed down. */
export const UNDISTURBED = 1.03;
/** How many budgets to wait for such a processor. */
const PATIENCE = 4;

/** Steps of the reference, about a nanosecond each. */
const STEPS = 60_000;
/** References before the first that counts. */
const WARM = 20;
let state = 1;

/** A chain of multiplications: it takes the same number of cycles everywhere, whatever the caches hold. */
function chain(from: number, steps: number): number {
  let value = from;
  for (let i = 0; i < steps; i++) value = (Math.imul(value, 1664525) + 1013904223) | 0;
  return value;
}

/** Nanoseconds of the reference: how fast the processor runs at the moment. */
function reference(): number {
  const start = process.hrtime.bigint();
  state = chain(state, STEPS);
  return Number(process.hrtime.bigint() - start);
}

/** What the references came to, so that no compiler may drop their work. */
export function lastReference(): number {
  return state;
}

/** Runs an operation and the reference in turn. `iterations` of the operation take about `time` nanoseconds. */
export async function measureAlone(
  run: Run,
  { iterations, time }: { readonly iterations: number; readonly time: number },
  { budget, reference: best }: AloneRequest,
  breathe: Breathe,
): Promise<Alone> {
  const few = fillingIterations(ROUND, iterations, time);
  // Until it is compiled.
  for (let i = 0; i < WARM; i++) reference();
  const least = { time: Infinity, reference: Infinity };
  const start = process.hrtime.bigint();
  for (;;) {
    await breathe();
    least.reference = Math.min(least.reference, reference());
    least.time = Math.min(least.time, (await run(few)) / few);
    const elapsed = Number(process.hrtime.bigint() - start);
    const isDisturbed = best !== null && least.reference > UNDISTURBED * best;
    if (elapsed > (isDisturbed ? PATIENCE * budget : budget)) return least;
  }
}
