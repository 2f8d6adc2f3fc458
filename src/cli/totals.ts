import { statfsSync } from 'node:fs';

import type { SegmentInfo } from '../../index.js';

import { counted, humanSize } from './text.js';

/** What segments take, and what the system has for them. */
export interface Totals {
  segments: number;
  /** Bytes of these segments. */
  bytes: number;
  /** Bytes that `/dev/shm` has left, of so many; 0 of 0 where it has no limit. */
  free: number;
  total: number;
}

export function totalsOf(infos: readonly SegmentInfo[]): Totals {
  const { bsize, bavail, blocks } = statfsSync('/dev/shm');
  const bytes = infos.reduce((sum, { size }) => sum + size, 0);
  return { segments: infos.length, bytes, free: bavail * bsize, total: blocks * bsize };
}

/** The last line below a table. */
export function totalsLine({ segments, bytes, free, total }: Totals): string {
  const sum = segments === 0 ? 'no segments' : `${counted(segments, 'segment')}, ${humanSize(bytes)}`;
  return total === 0
    ? `${sum}; /dev/shm has no limit`
    : `${sum}; /dev/shm has ${humanSize(free)} of ${humanSize(total)} left`;
}
