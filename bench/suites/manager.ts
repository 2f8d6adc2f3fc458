import type { Context } from '../context.js';
import type { Row } from '../harness.js';
import { managerRows } from '../rows/manager.js';

/** A process that owns segments for others, against CPython's. */
export function managerSuite(context: Context): Row[] {
  return managerRows(context);
}
