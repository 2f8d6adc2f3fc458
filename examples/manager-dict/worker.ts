import type { SharedDict } from 'shmkit';

/** Counts under this process's id. */
export function work(dict: SharedDict<number>): void {
  dict.increment(String(process.pid));
}
