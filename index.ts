/**
 * shmkit: named shared memory for Node, byte for byte what Python's `multiprocessing.shared_memory` opens.
 * @module
 */

// Segments: docs/segments.md
export { SharedMemory } from './src/segment/memory.js';
export type { CreateOptions, AttachOptions } from './src/segment/memory.js';
export { SegmentPool } from './src/segment/segment-pool.js';
export type { SegmentPoolOptions } from './src/segment/segment-pool.js';
export type { Descriptor, SharedObject } from './src/common/shared-object.js';
export { attach } from './src/attach.js';
export type { Shared } from './src/attach.js';
export type { ShmError } from './src/common/errors.js';

// Lists: docs/lists.md
export { ShareableList } from './src/list/list.js';
export type { ListCreateOptions, ListAttachOptions, ListItem } from './src/list/list.js';
export { float } from './src/list/list.js';
export type { Float } from './src/list/list.js';

// Arrays: docs/arrays.md
export { SharedArray } from './src/array/array.js';
export type {
  ArrayOptions,
  ArrayCreateOptions,
  ArrayFromOptions,
  ArrayAttachOptions,
  DType,
  DTypes,
  ElementOf,
  Typed,
  DTypeOf,
  Nested,
} from './src/array/array.js';
export type { Order } from './src/array/shape.js';
export type { SliceRange } from './src/array/array.js';
export { npyHeader } from './src/array/header.js';
export type { NpyHeader, NpyType } from './src/array/header.js';

// Dicts: docs/dicts.md
export { SharedDict } from './src/dict/dict.js';
export type { DictOptions, DictAttachOptions, DictFill } from './src/dict/dict.js';
export type { DictTxn } from './src/dict/txn.js';

// Queues: docs/queues.md
export { SharedQueue } from './src/ring/queue/queue.js';
export type { QueueOptions, QueueAttachOptions } from './src/ring/queue/queue.js';
export type { RingOptions, RingAttachOptions } from './src/ring/items.js';
export type { Slot, ClaimedSlot, TakenSlot, SlotHolder } from './src/ring/queue/slot.js';
export type { BatchOptions } from './src/ring/stream.js';

// Broadcasts: docs/broadcast.md
export { SharedBroadcast } from './src/ring/broadcast/broadcast.js';
export type {
  BroadcastOptions,
  BroadcastAttachOptions,
  SubscribeOptions,
} from './src/ring/broadcast/broadcast.js';
export type { Subscription } from './src/ring/broadcast/subscription.js';

// Locks, events and transactions: docs/locks.md
export { SharedMutex } from './src/sync/mutex.js';
export type { Guard, LockOptions, LockAttachOptions } from './src/sync/mutex.js';
export { SharedEvent } from './src/sync/event.js';
export type { Txn, TxnOptions, TxnSyncOptions, Plain } from './src/sync/txn.js';
export type { WaitOptions, SyncWaitOptions } from './src/sync/waits.js';

// Worker processes: docs/pool.md
export { Pool } from './src/pool/pool.js';
export type { PoolOptions, MapOptions, WorkerDiedError } from './src/pool/pool.js';

// A manager: docs/manager.md
export { SharedMemoryManager } from './src/manager/manager.js';
export type { ManagerOptions, Address } from './src/manager/manager.js';

// Ownership: docs/ownership.md
export { segments } from './src/ownership/housekeeping.js';
export type { SegmentInfo } from './src/ownership/housekeeping.js';
export { collectGarbage } from './src/ownership/housekeeping.js';
export type { CollectOptions } from './src/ownership/housekeeping.js';
export { unlink } from './src/ownership/housekeeping.js';
export { joinPythonTracker } from './src/ownership/housekeeping.js';
export type { PythonTrackerOptions } from './src/ownership/housekeeping.js';
export { lockState } from './src/ownership/housekeeping.js';
export type { LockState } from './src/ownership/housekeeping.js';
