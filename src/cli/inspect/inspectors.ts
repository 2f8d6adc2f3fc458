import type { SegmentInfo } from '../../../index.js';

import { inspectArray } from './array.js';
import { inspectList } from './list.js';
import { inspectMemory } from './memory.js';

/** What is in a segment. */
export interface Inspected {
  /** For a program. */
  contents: unknown;
  /** For a person: lines of `what  value`, and what comes below. */
  facts: [what: string, value: string][];
  body: string[];
}

/** Looks into a segment, at its first `limit` things. */
export type Inspector = (info: SegmentInfo, limit?: number) => Inspected;

/** Those kinds that are more than bytes. */
const INSPECTORS: Partial<Record<SegmentInfo['kind'], Inspector>> = {
  list: inspectList,
  array: inspectArray,
};

export function inspectorOf({ kind }: SegmentInfo): Inspector {
  return INSPECTORS[kind] ?? inspectMemory;
}
