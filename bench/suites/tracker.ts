import type { Context } from '../context.js';
import type { Row } from '../harness.js';
import { firstCreateRows, trackedRows, trackerRows } from '../rows/tracker.js';

/** What it costs that nothing leaks, against CPython's resource tracker. */
export function trackerSuite(context: Context): Row[] {
  return [...trackedRows(context), ...firstCreateRows(context), ...trackerRows(context)];
}
