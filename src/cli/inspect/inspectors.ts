import type { SegmentInfo } from '../../../index.js';

import { inspectArray } from './array.js';
import { inspectBroadcast } from './broadcast.js';
import { inspectDict } from './dict.js';
import type { Inspector } from './inspector.js';
import { inspectList } from './list.js';
import { inspectLock } from './lock.js';
import { inspectMemory } from './memory.js';
import { inspectQueue } from './queue.js';

/** Those kinds that are more than bytes. */
const INSPECTORS: Partial<Record<SegmentInfo['kind'], Inspector>> = {
  dict: inspectDict,
  list: inspectList,
  array: inspectArray,
  lock: inspectLock,
  queue: inspectQueue,
  broadcast: inspectBroadcast,
};

export function inspectorOf({ kind }: SegmentInfo): Inspector {
  return INSPECTORS[kind] ?? inspectMemory;
}
