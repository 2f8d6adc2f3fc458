/** What a conformance test drives: a structure, its random steps, and the facade's way to take them. */
import type { Random } from '../../fixtures/random.js';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
/** An operation of steps.py and its arguments. */
export type Step = readonly [operation: string, ...arguments: Json[]];
export type Answer = Json;

/** Two handles of one structure, by the facade. */
export interface Facade {
  do(step: Step): unknown;
  discard(): void;
}

export interface Subject {
  readonly what: string;
  /** Creates it, and attaches once more: two participants. */
  open(name: string): Facade;
  /** The same for the engine. */
  opening(name: string): Step;
  step(random: Random): Step;
  /** After a step that both took with this answer. */
  after(step: Step, answer: Answer): void;
  /** The ranges of bytes that must be equal, in a segment of this size. The others name processes. */
  compared(size: number): Ranges;
}

/** Ranges of bytes. */
export type Ranges = readonly (readonly [from: number, to: number])[];

/** What is compared of records of participants: not the process id, when that process started, and its mapping. */
export function participants(from: number, to: number): Ranges {
  const ranges: [number, number][] = [];
  for (let at = from; at < to; at += 64) ranges.push([at, at + 8], [at + 12, at + 16], [at + 40, at + 64]);
  return ranges;
}

/** Things that steps make and later steps use: slots, subscriptions, guards. */
export class Things<T> {
  readonly #things = new Map<number, T>();

  /** What steps.py answers for one that was made. */
  keep(number: number, thing: T | undefined): 'kept' | null {
    if (thing === undefined) return null;
    this.#things.set(number, thing);
    return 'kept';
  }

  get(number: number): T {
    return this.#things.get(number)!;
  }

  take(number: number): T {
    const thing = this.get(number);
    this.#things.delete(number);
    return thing;
  }
}

/** A step's operation by the name of a method, called with its arguments. */
export function perform(
  methods: Readonly<Record<string, (...args: never[]) => unknown>>,
  step: Step,
): unknown {
  const [operation, ...args] = step;
  return methods[operation]!(...(args as never[]));
}
