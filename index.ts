/**
 * shmkit: named shared memory for Node, byte for byte what Python's `multiprocessing.shared_memory` opens.
 * @module
 */
export { SharedArray } from './src/array.js';
export type {
  ArrayAttachOptions,
  ArrayCreateOptions,
  ArrayFromOptions,
  ArrayOptions,
  DType,
  DTypeOf,
  DTypes,
  Element,
  Nested,
  Range,
  Typed,
} from './src/array.js';
export { attach } from './src/attach.js';
export type { Order } from './src/array/shape.js';
export type { Shared } from './src/attach.js';
export { SharedBroadcast } from './src/broadcast.js';
export type { BroadcastAttachOptions, BroadcastOptions, SubscribeOptions } from './src/broadcast.js';
export type { Subscription } from './src/broadcast/subscription.js';
export { SharedDict } from './src/dict.js';
export type { DictAttachOptions, DictOptions } from './src/dict.js';
export type { DictTxn } from './src/dict/txn.js';
export type { ShmError } from './src/errors.js';
export { SharedEvent } from './src/event.js';
export { collectGarbage, joinPythonTracker, lockState, segments, unlink } from './src/housekeeping.js';
export type { CollectOptions, LockState, SegmentInfo } from './src/housekeeping.js';
export { float, ShareableList } from './src/list.js';
export type { Float, ListAttachOptions, ListCreateOptions, ListItem } from './src/list.js';
export { SharedMemoryManager } from './src/manager.js';
export type { Address, ManagerOptions } from './src/manager.js';
export { SharedMemory } from './src/memory.js';
export type { AttachOptions, CreateOptions } from './src/memory.js';
export { SharedMutex } from './src/mutex.js';
export type { Guard, LockAttachOptions, LockOptions } from './src/mutex.js';
export { Pool } from './src/pool.js';
export type { MapOptions, PoolOptions, WorkerDiedError } from './src/pool.js';
export { SharedQueue } from './src/queue.js';
export type { QueueAttachOptions, QueueOptions } from './src/queue.js';
export type { RingAttachOptions, RingOptions } from './src/queue/items.js';
export type { Slot } from './src/queue/slot.js';
export type { BatchOptions } from './src/queue/stream.js';
export { SegmentPool } from './src/segment-pool.js';
export type { SegmentPoolOptions } from './src/segment-pool.js';
export type { Descriptor, SharedObject } from './src/shared-object.js';
export type { Plain, Txn, TxnOptions, TxnSyncOptions } from './src/txn.js';
export type { SyncWaitOptions, WaitOptions } from './src/waits.js';
