import type { SegmentInfo } from '../../../index.js';

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
