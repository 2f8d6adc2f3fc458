import type { Context } from '../context.js';
import type { Row } from '../harness.js';
import type { SuiteName } from './names.js';
import { arraySuite } from './array.js';
import { dictSuite } from './dict.js';
import { listSuite } from './list.js';
import { lockSuite } from './lock.js';
import { managerSuite } from './manager.js';
import { pipelineSuite } from './pipeline.js';
import { queueSuite } from './queue.js';
import { segmentSuite } from './segment.js';
import { trackerSuite } from './tracker.js';

/** All suites. */
export const SUITES: Record<SuiteName, (context: Context) => Row[]> = {
  segment: segmentSuite,
  list: listSuite,
  tracker: trackerSuite,
  lock: lockSuite,
  dict: dictSuite,
  array: arraySuite,
  queue: queueSuite,
  pipeline: pipelineSuite,
  manager: managerSuite,
};
