import { SharedArray } from './array/array.js';
import { checkBoolean, checkDescriptor, checkOptions } from './common/arguments.js';
import { SharedBroadcast } from './ring/broadcast/broadcast.js';
import { SharedDict } from './dict/dict.js';
import type { DictAttachOptions } from './dict/dict.js';
import { shmError } from './common/errors.js';
import { SharedEvent } from './sync/event.js';
import { ShareableList } from './list/list.js';
import { ATTACH_OPTIONS, SharedMemory } from './segment/memory.js';
import type { AttachOptions } from './segment/memory.js';
import { SharedMutex } from './sync/mutex.js';
import type { LockAttachOptions } from './sync/mutex.js';
import { SharedQueue } from './ring/queue/queue.js';
import type { Descriptor } from './common/shared-object.js';

/** Any shared object. */
export type Shared =
  | SharedMemory
  | ShareableList
  | SharedArray
  | SharedDict
  | SharedQueue
  | SharedBroadcast
  | SharedMutex
  | SharedEvent;

/**
 * Opens the shared object that a descriptor names, which `toJSON()` returned in another process or thread.
 * Options that its class does not have are ignored.
 * @throws `ERR_SHM_KIND` for a kind that this version does not know; `ERR_SHM_NAME` and `ERR_INVALID_ARG_TYPE`
 * for something that is not a descriptor; otherwise as the `attach` of its class.
 */
export function attach(descriptor: Descriptor, options?: AttachOptions): Shared {
  const { kind, name } = checkDescriptor(descriptor);
  switch (kind) {
    case 'memory':
      return SharedMemory.attach(descriptor, options);
    case 'list':
      return ShareableList.attach(descriptor, options);
    case 'array':
      return SharedArray.attach(descriptor, options);
    case 'dict':
      return SharedDict.attach(descriptor, withoutReserve(options));
    case 'queue':
      return SharedQueue.attach(descriptor, onlyForeign(options));
    case 'broadcast':
      return SharedBroadcast.attach(descriptor, onlyForeign(options));
    case 'mutex':
      return SharedMutex.attach(descriptor, onlyForeign(options));
    case 'event':
      return SharedEvent.attach(descriptor, onlyForeign(options));
    default:
      throw shmError('ERR_SHM_KIND', `this version of shmkit has no kind '${kind}'`, name);
  }
}

/** Of the options of a segment's `attach`, what there is for a dict: its memory has no holes. */
function withoutReserve(options: AttachOptions | undefined): DictAttachOptions {
  const { reserve, ...others } = checkOptions(options, ATTACH_OPTIONS);
  checkBoolean('reserve', reserve, true);
  return others;
}

/** Of the options of a segment's `attach`, what there is for a lock, a queue or a broadcast. */
function onlyForeign(options: AttachOptions | undefined): LockAttachOptions {
  const { foreign } = checkOptions(options, ATTACH_OPTIONS);
  return foreign === undefined ? {} : { foreign };
}
