import type { Context } from '../context.js';
import type { Row } from '../harness.js';
import { contentionRows } from '../rows/contention.js';
import { txnRows, uncontendedRows } from '../rows/locking.js';

/** Locks, events and txns: alone, and between two processes. */
export function lockSuite(context: Context): Row[] {
  return [...uncontendedRows(context), ...txnRows(context), ...contentionRows(context)];
}
