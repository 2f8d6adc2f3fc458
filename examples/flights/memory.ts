// How much memory processes have, as Linux counts it.
import { readFileSync } from 'node:fs';

export interface Usage {
  /** Resident set: a page that n processes share counts n times, once in each. */
  rss: number;
  /** Proportional set: it counts 1/n in each, so that the sum over all processes is the memory really used. */
  pss: number;
}

/** In bytes; `undefined` where the system does not tell. */
export function memoryOf(pid: number): Usage | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    const field = (name: string) => 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]);
    return { rss: field('Rss'), pss: field('Pss') };
  } catch {
    return undefined;
  }
}
