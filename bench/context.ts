import type { Cleanup } from './cleanup.js';
import type { Python } from './python.js';

/** What every row gets. */
export interface Context {
  readonly quick: boolean;
  /** False if only shmkit is timed: a row need not start peers that are programs of their own. */
  readonly peers: boolean;
  /** The size of large segments in bytes: 64 MB, less with --quick. */
  readonly large: number;
  /** Items of a long list: 100,000, less with --quick. */
  readonly items: number;
  /** The start of all names of segments. */
  readonly prefix: string;
  /** Undefined if no Python is available or none is wanted: the rows then have no such peer. */
  readonly python: Python | undefined;
  readonly cleanup: Cleanup;
}

/** `4 KB`, `64 MB` */
export function sizeName(bytes: number): string {
  return bytes >= 2 ** 20 ? `${bytes / 2 ** 20} MB` : `${bytes / 1024} KB`;
}
