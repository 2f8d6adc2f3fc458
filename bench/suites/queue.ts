import type { Context } from '../context.js';
import type { Row } from '../harness.js';
import { queueRows } from '../rows/queues.js';

/** Items of 64 bytes between two processes. */
export function queueSuite(context: Context): Row[] {
  return queueRows(context);
}
