/** The kinds of stress runs, in the order of `npm run stress -- all`. */
import { existsSync } from 'node:fs';
import type { ParseArgsConfig } from 'node:util';

import type { Harness } from './harness.js';

export type Options = Readonly<Record<string, string | boolean | undefined>>;

/** Runs it, and returns its summary in one line. Throws if there was a fault. */
export type Run = (harness: Harness, rounds: number, options: Options) => Promise<string>;

export interface Kind {
  /** Rounds of a full run. */
  readonly rounds: number;
  /** What a round is. */
  readonly unit: string;
  /** What it does, for the list of kinds. */
  readonly what: string;
  /** Its own options, with a word on each. */
  readonly options?: Readonly<Record<string, OwnOption>>;
  /** Options with which `all` runs it once more. */
  readonly variants?: readonly (readonly string[])[];
  /** The size of the `/dev/shm` of its own that it runs in, if it needs one. */
  readonly devShm?: string;
  /** Why it cannot run on this machine, if so: `all` then skips it. */
  readonly unavailable?: () => string | undefined;
  load(): Promise<{ readonly run: Run }>;
}

type OwnOption = NonNullable<ParseArgsConfig['options']>[string] & { readonly what: string };

const SLOTS: OwnOption = { type: 'string', default: '5', what: 'number of slots' };

export const KINDS: Readonly<Record<string, Kind>> = {
  misuse: {
    rounds: 1000,
    unit: 'times each misuse',
    what: 'every misuse of the API, beside a process that writes random bytes into everything',
    devShm: '512m',
    load: () => import('./misuse/main.js'),
  },
  kills: {
    rounds: 1000,
    unit: 'kills',
    what: 'owners of segments are killed at random points',
    options: { tracker: { type: 'boolean', default: false, what: 'kill trackers too' } },
    variants: [['--tracker']],
    devShm: '512m',
    load: () => import('./kills/main.js'),
  },
  locks: {
    rounds: 1000,
    unit: 'kills',
    what: 'holders and waiters of a mutex and of txns are killed at random points',
    load: () => import('./locks/kills.js'),
  },
  terminations: {
    rounds: 1000,
    unit: 'terminations',
    what: 'the same with worker threads, which are terminated',
    load: () => import('./locks/terminations.js'),
  },
  handoffs: {
    rounds: 1_000_000,
    unit: 'hand-overs in each way of waiting',
    what: 'two processes hand an event, a mutex and a slot to each other; no wake-up may be lost',
    load: () => import('./locks/handoffs.js'),
  },
  increments: {
    rounds: 250_000,
    unit: 'additions of each process',
    what: 'two processes of Node and two of Python add to the same counters',
    load: () => import('./locks/increments.js'),
  },
  dicts: {
    rounds: 1000,
    unit: 'kills',
    what: 'processes that write to a dict are killed at random points, half of them in a commit',
    load: () => import('./dicts/kills.js'),
  },
  'dicts-lmdb': {
    rounds: 1_000_000,
    unit: 'operations',
    what: 'the same operations on a dict and on lmdb, whose results are compared',
    options: { processes: { type: 'string', default: '3', what: 'number of processes' } },
    load: () => import('./dicts/lmdb.js'),
  },
  'dicts-soak': {
    rounds: 120,
    unit: 'seconds',
    what: 'one process writes to a dict and three read it; nothing may be torn, stale or missing',
    load: () => import('./dicts/soak.js'),
  },
  'dicts-flips': {
    rounds: 16,
    unit: 'sixteenths of the bytes',
    what: 'every byte of a dict is flipped, and each use must succeed or fail with a code',
    load: () => import('./dicts/flips.js'),
  },
  queues: {
    rounds: 500,
    unit: 'kills',
    what: 'producers and consumers of a queue are killed at random points',
    options: {
      python: { type: 'boolean', default: false, what: 'half of the processes are Python' },
      slots: SLOTS,
    },
    variants: [['--python']],
    load: () => import('./queues/kills.js'),
  },
  broadcasts: {
    rounds: 300,
    unit: 'kills',
    what: 'the writer and readers of a broadcast are killed at random points',
    options: { slots: SLOTS },
    load: () => import('./broadcasts/main.js'),
  },
  checksum: {
    rounds: 100_000_000,
    unit: 'items',
    what: 'items go through a queue, and each must arrive once and whole',
    options: {
      spsc: { type: 'boolean', default: false, what: 'a queue for one producer and one consumer' },
      python: { type: 'string', what: 'which side is Python: consumer, producer or both' },
      producers: { type: 'string', default: '1', what: 'number of producers' },
      consumers: { type: 'string', default: '1', what: 'number of consumers' },
    },
    variants: [['--spsc'], ['--python', 'both']],
    load: () => import('./queues/checksum.js'),
  },
  tsan: {
    rounds: 1,
    unit: 'runs of the tests',
    what: "the engine's tests of locks between threads, under ThreadSanitizer",
    options: { filter: { type: 'string', what: 'only tests with this in their names' } },
    unavailable: () => {
      const isDebian = process.arch === 'x64' && existsSync('/etc/debian_version');
      return isDebian ? undefined : 'needs Debian on x86-64';
    },
    load: async () => ({ run: (await import('./commands.js')).tsan }),
  },
  conformance: {
    rounds: 20_000,
    unit: 'steps',
    what: 'the protocols in TypeScript and in Rust take the same random steps: same answers, same words',
    load: async () => ({ run: (await import('./commands.js')).conformance }),
  },
  versions: {
    rounds: 1,
    unit: 'times each pair',
    what: 'builds of two layout versions, of Node and of Python, meet: each refuses what the other made',
    load: () => import('./versions.js'),
  },
  inputs: {
    rounds: 1_000_000,
    unit: 'inputs',
    what: 'random bytes for the server of managers and its clients: none may crash or hang',
    load: async () => ({ run: (await import('./commands.js')).inputs }),
  },
  models: {
    rounds: 1,
    unit: 'runs of the models',
    what: "loom's models of the protocols, with all of their preemptions",
    options: { filter: { type: 'string', what: 'only models with this in their names' } },
    load: async () => ({ run: (await import('./commands.js')).models }),
  },
};
