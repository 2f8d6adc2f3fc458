import type { Context } from '../context.js';
import type { Row } from '../harness.js';
import type { SuiteName } from './names.js';

type Suite = (context: Context) => Row[];

/** All suites. Each is imported when it runs, so that a worker starts fast. */
export const SUITES: Record<SuiteName, () => Promise<Suite>> = {
  segment: async () => (await import('./segment.js')).segmentSuite,
  list: async () => (await import('./list.js')).listSuite,
  tracker: async () => (await import('./tracker.js')).trackerSuite,
  lock: async () => (await import('./lock.js')).lockSuite,
  dict: async () => (await import('./dict.js')).dictSuite,
  array: async () => (await import('./array.js')).arraySuite,
  queue: async () => (await import('./queue.js')).queueSuite,
  pipeline: async () => (await import('./pipeline.js')).pipelineSuite,
  manager: async () => (await import('./manager.js')).managerSuite,
};
