import { SharedArray } from './array/array.js';
import { checkDescriptor, checkOptions } from './common/arguments.js';
import { SharedBroadcast } from './ring/broadcast/broadcast.js';
import { SharedDict } from './dict/dict.js';
import { SharedEvent } from './sync/event.js';
import { ShareableList } from './list/list.js';
import { SharedMemory } from './segment/memory.js';
import { ATTACH_OPTIONS } from './segment/options.js';
import type { AttachOptions } from './segment/options.js';
import { SharedMutex } from './sync/mutex.js';
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
 * An option that its class does not have is refused: a queue, for example, has no `readOnly`.
 * @throws `ERR_SHM_KIND` for a kind that this version does not know; `ERR_INVALID_ARG_TYPE` for an option that the kind
 * does not have, and for something that is not a descriptor; `ERR_SHM_VERSION` for a descriptor of another version; `ERR_SHM_NAME`; otherwise as the `attach` of its class.
 */
export function attach(descriptor: Descriptor, options?: AttachOptions): Shared {
  const { kind } = checkDescriptor(descriptor);
  checkOptions(options, ATTACH_OPTIONS);
  switch (kind) {
    case 'memory':
      return SharedMemory.attach(descriptor, options);
    case 'list':
      return ShareableList.attach(descriptor, options);
    case 'array':
      return SharedArray.attach(descriptor, options);
    case 'dict':
      return SharedDict.attach(descriptor, options);
    case 'queue':
      return SharedQueue.attach(descriptor, options);
    case 'broadcast':
      return SharedBroadcast.attach(descriptor, options);
    case 'mutex':
      return SharedMutex.attach(descriptor, options);
    case 'event':
      return SharedEvent.attach(descriptor, options);
    default:
      throw new Error(`no class for kind '${kind}'`); // the engine knows no other kind
  }
}
