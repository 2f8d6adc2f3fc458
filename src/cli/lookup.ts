import { segments, SharedMemory } from '../../index.js';
import type { SegmentInfo } from '../../index.js';

/** What is known of a segment. */
export function find(name: string): SegmentInfo {
  const all = segments();
  const info = all.find((one) => one.name === name);
  if (info === undefined) throw missing(name, all);
  return info;
}

/** Opens a segment to look at it, whoever's it is. Nothing is tracked, and nothing written. */
export function open(name: string): SharedMemory {
  try {
    return SharedMemory.attach(name, { readOnly: true, foreign: true });
  } catch (error) {
    throw (error as { code?: string }).code === 'ENOENT' ? missing(name, segments()) : error;
  }
}

/** Why there is nothing to show, and what was probably meant. */
export function missing(name: string, among: readonly SegmentInfo[]): Error {
  const likely = nearest(
    name,
    among.map((info) => info.name),
  );
  return new Error(`no segment '${name}'${likely === undefined ? '' : `; did you mean '${likely}'?`}`);
}

/** The name that is closest, unless none is close: a third of the longer one may differ. */
function nearest(name: string, among: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Infinity;
  for (const other of among) {
    const share = distance(name, other) / Math.max(name.length, other.length);
    if (share < least) [best, least] = [other, share];
  }
  return least <= 0.4 ? best : undefined;
}

/** Levenshtein's: how many letters to insert, drop or replace. */
function distance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const line = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      line.push(Math.min(above[j]! + 1, line[j - 1]! + 1, replaced));
    }
    above = line;
  }
  return above[b.length]!;
}
