/**
 * shmkit: named shared memory for Node, byte for byte what Python's `multiprocessing.shared_memory` opens.
 * @module
 */
export { SharedArray } from './src/array/array.js';
export type {
  ArrayAttachOptions,
  ArrayCreateOptions,
  ArrayFromOptions,
  ArrayOptions,
  DType,
  DTypeOf,
  DTypes,
  ElementOf,
  Nested,
  SliceRange,
  Typed,
} from './src/array/array.js';
export { npyHeader } from './src/array/header.js';
export type { NpyHeader, NpyType } from './src/array/header.js';
export { attach } from './src/attach.js';
export type { Order } from './src/array/shape.js';
export type { Shared } from './src/attach.js';
export { SharedBroadcast } from './src/ring/broadcast/broadcast.js';
export type {
  BroadcastAttachOptions,
  BroadcastOptions,
  SubscribeOptions,
} from './src/ring/broadcast/broadcast.js';
export type { Subscription } from './src/ring/broadcast/subscription.js';
export { SharedDict } from './src/dict/dict.js';
export type { DictAttachOptions, DictFill, DictOptions } from './src/dict/dict.js';
export type { DictTxn } from './src/dict/txn.js';
export type { ShmError } from './src/common/errors.js';
export { SharedEvent } from './src/sync/event.js';
export {
  collectGarbage,
  joinPythonTracker,
  lockState,
  segments,
  unlink,
} from './src/ownership/housekeeping.js';
export type {
  CollectOptions,
  LockState,
  PythonTrackerOptions,
  SegmentInfo,
} from './src/ownership/housekeeping.js';
export { float, ShareableList } from './src/list/list.js';
export type { Float, ListAttachOptions, ListCreateOptions, ListItem } from './src/list/list.js';
export { SharedMemoryManager } from './src/manager/manager.js';
export type { Address, ManagerOptions } from './src/manager/manager.js';
export { SharedMemory } from './src/segment/memory.js';
export type { AttachOptions, CreateOptions } from './src/segment/memory.js';
export { SharedMutex } from './src/sync/mutex.js';
export type { Guard, LockAttachOptions, LockOptions } from './src/sync/mutex.js';
export { Pool } from './src/pool/pool.js';
export type { MapOptions, PoolOptions, WorkerDiedError } from './src/pool/pool.js';
export { SharedQueue } from './src/ring/queue/queue.js';
export type { QueueAttachOptions, QueueOptions } from './src/ring/queue/queue.js';
export type { RingAttachOptions, RingOptions } from './src/ring/items.js';
export type { ClaimedSlot, Slot, SlotHolder, TakenSlot } from './src/ring/queue/slot.js';
export type { BatchOptions } from './src/ring/stream.js';
export { SegmentPool } from './src/segment/segment-pool.js';
export type { SegmentPoolOptions } from './src/segment/segment-pool.js';
export type { Descriptor, SharedObject } from './src/common/shared-object.js';
export type { Plain, Txn, TxnOptions, TxnSyncOptions } from './src/sync/txn.js';
export type { SyncWaitOptions, WaitOptions } from './src/sync/waits.js';
