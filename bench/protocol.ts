// The messages between the coordinator (main.ts) and a worker (worker.ts), which may belong to another checkout.
import type { Alone, AloneRequest } from './alone.js';
import type { Target, Unit } from './harness.js';

/** Increment with every change to the messages. Workers of two versions do not run together. */
export const PROTOCOL = 2;

/** A worker's first message, sent before it imports anything that may fail. */
export interface Hello {
  readonly protocol: number;
}

/** What the numbers depend on. Nothing in it identifies the machine. */
export interface Environment {
  readonly node: string;
  readonly v8: string;
  readonly python: string | null;
  readonly numpy: string | null;
  readonly platform: string;
  readonly arch: string;
  readonly cpu: string;
  readonly cores: number;
}

/** What `suite` asks for. */
export interface SuiteRequest {
  readonly suite: string;
  readonly quick: boolean;
  /** The Python of the peers. */
  readonly python: string;
  /** False if only shmkit is timed: no peer is started then. */
  readonly peers: boolean;
  /** Nanoseconds that a round of one contender should take. */
  readonly round: number;
  /** Rounds of each contender before the first one that counts. */
  readonly warmups: number;
  /** The start of all names of segments. */
  readonly prefix: string;
}

/** A row that is ready for rounds. */
export interface OpenedRow {
  readonly unit: Unit;
  readonly readings?: number;
  readonly limit?: number;
  /** The first one is shmkit. */
  readonly contenders: readonly {
    readonly name: string;
    readonly iterations: number;
    readonly target?: Target;
    readonly scale?: number;
  }[];
}

/** Each operation with its argument and its result. They are sent one at a time. */
export interface Operations {
  /** Starts a suite. Its rows' names are empty if the checkout does not have the suite. */
  suite: { argument: SuiteRequest; result: { environment: Environment; rows: string[] } };
  /** Sets up, calibrates and warms up the row of that name. */
  open: { argument: string; result: OpenedRow };
  /** Runs one round: a sample for each contender. */
  round: { argument: null; result: number[] };
  /** Measures shmkit without its peers; null if the row cannot be measured so. */
  alone: { argument: AloneRequest; result: Alone | null };
  /** Verifies the row's work, and undoes its set-up. */
  close: { argument: null; result: null };
  /** Ends the suite. */
  end: { argument: null; result: null };
}

export type Operation = keyof Operations;

/** What the coordinator sends. */
export type Request = {
  [operation in Operation]: { operation: operation; argument: Operations[operation]['argument'] };
}[Operation];

/** What the worker answers. */
export type Reply =
  | { readonly result: Operations[Operation]['result'] }
  | { readonly error: string; readonly stack: string | undefined };
