import type { Context } from '../context.js';
import type { Row } from '../harness.js';
import { accessRows } from '../rows/access.js';
import { handoverRows } from '../rows/handover.js';
import { lifecycleRows } from '../rows/lifecycle.js';

/** Segments: their life, their elements, and what they are for. */
export function segmentSuite(context: Context): Row[] {
  return [...lifecycleRows(context), ...accessRows(context), ...handoverRows(context)];
}
