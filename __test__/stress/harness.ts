/** What the stress runs share: processes, watchdogs, seeds, and the clean-up at the end or after a fault. */
import { fileURLToPath } from 'node:url';

import { venvPython } from '../fixtures/python.js';
import { Random } from '../fixtures/random.js';
import { until, WATCHDOG, within } from '../fixtures/wait.js';
import { Child } from './child.js';

/** Something with a name in `/dev/shm`. */
interface Shared {
  close(): void;
  unlink(): void;
}

/** What a stress run looks for. */
export class Fault extends Error {
  override name = 'Fault';
}

export class Harness {
  readonly random: Random;
  /** Text about the state of things, for the message of a watchdog. */
  describe: () => string = () => '';
  readonly #living = new Set<Child>();
  readonly #shared: Shared[] = [];
  readonly #cleanUps: (() => void)[] = [];
  #isOver = false;
  #lastSeed: number;

  constructor(
    readonly seed: number,
    /** Takes lines about the progress. */
    readonly say: (line: string) => void = console.log,
  ) {
    this.random = new Random(seed);
    this.#lastSeed = seed * 1_000_000;
  }

  /** A seed for the next program. */
  nextSeed(): string {
    return String(++this.#lastSeed);
  }

  /** Reports a fault, which ends the run. */
  fault(why: string): never {
    const state = this.describe();
    throw new Fault(state === '' ? why : `${why} (${state})`);
  }

  check(holds: boolean, why: () => string): void {
    if (!holds) this.fault(why());
  }

  /** The promise's value; it is a fault if that takes too long. */
  async within<T>(what: string, promise: Promise<T>, limit?: number): Promise<T> {
    return within(() => this.#hangs(what), promise, limit);
  }

  /** Polls until the condition holds; it is a fault if that takes too long. */
  async until(what: string, condition: () => boolean, interval = 1, limit = WATCHDOG): Promise<void> {
    await until(
      () => this.#hangs(what),
      () => this.#isOver || condition(),
      { interval, limit },
    );
  }

  #hangs(what: string): string {
    const state = this.describe();
    return state === '' ? what : `${what} (${state})`;
  }

  /** Closes and unlinks it at the end. */
  own<T extends Shared>(shared: T): T {
    this.#shared.push(shared);
    return shared;
  }

  /** Does it at the end, in any case. */
  atEnd(cleanUp: () => void): void {
    this.#cleanUps.push(cleanUp);
  }

  /** Starts a script of Node and waits for its first output. */
  async node(
    what: string,
    script: URL,
    args: readonly string[],
    options: { ipc?: boolean } = {},
  ): Promise<Child> {
    return this.start(what, [process.execPath, fileURLToPath(script), ...args], options);
  }

  /** Starts a script of the Python that has numpy, and waits for its first output. */
  async python(what: string, script: URL, args: readonly string[]): Promise<Child> {
    return this.start(what, [venvPython(), '-E', fileURLToPath(script), ...args]);
  }

  /** Starts a program and waits for its first output. */
  async start(what: string, command: readonly string[], options: { ipc?: boolean } = {}): Promise<Child> {
    const child = this.launch(what, command, options);
    await this.within(`${what} starts`, child.begun);
    return child;
  }

  /** Starts a program. */
  launch(what: string, command: readonly string[], options: { ipc?: boolean } = {}): Child {
    if (this.#isOver) throw new Error('the run is over');
    const child = new Child(what, command, options);
    this.#living.add(child);
    child.process.once('exit', () => this.#living.delete(child));
    return child;
  }

  /** Waits until it has ended and all its output is there; how it ended. */
  async ended(child: Child, limit?: number): Promise<number | NodeJS.Signals | null> {
    await this.within(`${child.what} ends`, child.closed, limit);
    return child.result;
  }

  /** Waits for its end, which must be with code 0. */
  async endsWell(child: Child, limit?: number): Promise<void> {
    const result = await this.ended(child, limit);
    if (result !== 0) this.fault(`${child.what} ended with ${result}`);
  }

  /** Kills it and waits until it is gone. It must not have ended by itself. */
  async kill(child: Child): Promise<void> {
    child.signal('SIGKILL');
    await this.within(`${child.what}, which was killed, ends`, child.exited);
    if (child.result !== 'SIGKILL') this.fault(`${child.what} ended with ${child.result} by itself`);
  }

  /** Kills what still runs, and removes what the run has made. */
  async close(): Promise<void> {
    this.#isOver = true;
    const living = [...this.#living];
    for (const child of living) child.signal('SIGKILL');
    await Promise.all(living.map(async (child) => within(`${child.what} is gone`, child.exited)));
    for (const shared of this.#shared) {
      shared.close();
      try {
        shared.unlink();
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
    for (const cleanUp of this.#cleanUps) cleanUp();
  }
}

/** Durations in milliseconds. */
export class Gaps {
  readonly #all: number[] = [];

  add(milliseconds: number): void {
    this.#all.push(milliseconds);
  }

  toString(): string {
    const sorted = this.#all.toSorted((a, b) => a - b);
    const shown = (value: number | undefined): string =>
      value === undefined ? '-' : `${value.toFixed(1)} ms`;
    return `median ${shown(sorted[sorted.length >> 1])}, longest ${shown(sorted.at(-1))}`;
  }
}

/** Whole seconds since a moment of `performance.now()`. */
export const secondsSince = (began: number): string => ((performance.now() - began) / 1000).toFixed(0);
