import { wrongType } from '../common/errors.js';
import { UNCLONEABLE } from '../common/shared-object.js';
import type { Descriptor, SharedObject } from '../common/shared-object.js';
import { describe, SharedMemory } from './memory.js';

/** A handle of what lies in a `SharedMemory`. */
export abstract class MemoryHandle implements SharedObject {
  /** The segment that it lies in. */
  readonly shm: SharedMemory;
  /** @internal */
  readonly uncloneable = UNCLONEABLE;
  readonly #kind: string;

  /** @internal */
  constructor(kind: string, shm: SharedMemory) {
    if (!(shm instanceof SharedMemory))
      throw wrongType(`a ${new.target.name}`, 'made by create() or attach()', shm);
    this.#kind = kind;
    this.shm = shm;
  }

  /** The segment's name, without a leading slash. */
  get name(): string {
    return this.shm.name;
  }

  /** Whether `close()` was called, here or on `shm`. */
  get closed(): boolean {
    return this.shm.closed;
  }

  /**
   * Makes this process an owner: the segment is unlinked when its last owner dies. Idempotent.
   * @throws As `SharedMemory.adopt`.
   */
  adopt(): void {
    this.shm.adopt();
  }

  /** Closes this handle and releases its memory. Idempotent. */
  close(): void {
    this.shm.close();
  }

  /**
   * Removes the name. Attached handles keep the memory.
   * @throws As `SharedMemory.unlink`.
   */
  unlink(): void {
    this.shm.unlink();
  }

  /** Calls `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Returns the descriptor that `attach()` takes in another process or thread. */
  toJSON(): Descriptor {
    return describe(this.#kind, this.shm);
  }
}
