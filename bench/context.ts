import type { Cleanup } from './cleanup.js';
import type { Python } from './python.js';

/** What every row is given. */
export interface Context {
  readonly quick: boolean;
  /** Bytes of what is called large: 64 MB, less with --quick. */
  readonly large: number;
  /** Items of a long list: 100,000, less with --quick. */
  readonly items: number;
  /** What names of this run's segments start with. */
  readonly prefix: string;
  /** Undefined where there is none to be had: its rows then go without it. */
  readonly python: Python | undefined;
  readonly cleanup: Cleanup;
}

/** `4 KB`, `64 MB` */
export function sizeName(bytes: number): string {
  return bytes >= 2 ** 20 ? `${bytes / 2 ** 20} MB` : `${bytes / 1024} KB`;
}
