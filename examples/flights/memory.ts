// How much memory processes have, as Linux counts it.
import { readFileSync } from 'node:fs';

/**
 * Bytes that these processes and this one use together: a page that n processes share counts once (1/n in each).
 * `undefined` where the system does not tell.
 */
export function memoryOf(pids: readonly number[]): number | undefined {
  try {
    const sizes = [process.pid, ...pids].map((pid) => {
      const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
      return 1024 * Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1]);
    });
    return sizes.reduce((sum, size) => sum + size);
  } catch {
    return undefined;
  }
}
