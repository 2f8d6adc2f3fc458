// Finding trackers, and what they need, in /proc.
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

import { isShmkitTracker, trackers } from '../__test__/fixtures/trackers.js';
import type { IsTracker } from '../__test__/fixtures/trackers.js';

const WITHIN = 10_000;
/** Two looks that far apart show the same. */
const SETTLED = 100;

export { isShmkitTracker };
export type { IsTracker };

export const isPythonTracker: IsTracker = (args) =>
  args.some((arg) => arg.includes('multiprocessing.resource_tracker import main'));

/**
 * The tracker that sees the same `/dev/shm` as `pid` does: the only one of its mount namespace, where that is a
 * private one.
 */
export async function trackerOf(pid: number, isTracker: IsTracker): Promise<number> {
  return poll('no tracker is running', () => trackers(pid, isTracker)[0]);
}

/** What a process has in memory. */
export interface Memory {
  /** All of it: bytes. */
  readonly resident: number;
  /** With what others have in memory too, as code of libraries, divided among them: bytes. */
  readonly proportional: number;
}

/** What it has once it has started up: when it sleeps, and has no more than a while ago. */
export async function settled(pid: number): Promise<Memory> {
  let before = 0;
  return poll('a tracker does not come to rest', async () => {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const resident = kilobytes(status, 'VmRSS');
    const calm = /^State:\s+S/m.test(status) && resident === before;
    before = resident;
    if (calm) {
      return { resident, proportional: kilobytes(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'), 'Pss') };
    }
    await setTimeout(SETTLED);
    return undefined;
  });
}

/** In bytes. */
function kilobytes(text: string, field: string): number {
  const [, value] = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text) ?? [];
  if (value === undefined) throw new Error(`no ${field} in ${text}`);
  return Number(value) * 1024;
}

async function poll<T>(failure: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const until = performance.now() + WITHIN;
  while (performance.now() < until) {
    const found = await look();
    if (found !== undefined) return found;
    await setTimeout(5);
  }
  throw new Error(failure);
}
