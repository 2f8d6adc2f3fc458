/**
 * Names a shared object for another process or thread: plain data that `process.send`, `postMessage` and
 * `JSON.stringify` can pass on. `toJSON()` makes it and `attach()` takes it.
 */
export interface Descriptor {
  /** Of the fields: `attach()` refuses another one. A descriptor that you write by hand may leave it out. */
  readonly version?: number;
  /**
   * What it is: `'memory'`, `'list'`, `'array'`, `'dict'`, `'queue'`, `'broadcast'`, `'mutex'` or `'event'`.
   */
  readonly kind: string;
  /** The segment's name, without a leading slash. */
  readonly name: string;
  /** Details for `attach()`, such as the segment's identity (`id`). */
  readonly [detail: string]: unknown;
}

/** What all shared objects have in common. Disposing of one closes it. */
export interface SharedObject extends Disposable {
  /** The segment's name, without a leading slash. */
  readonly name: string;
  /** Whether `close()` was called. */
  readonly closed: boolean;
  /**
   * Makes this process an owner: the segment is unlinked when its last owner dies. Idempotent.
   * @throws As `SharedMemory.adopt`.
   */
  adopt(): void;
  /** Closes this handle and releases its memory. Idempotent. */
  close(): void;
  /**
   * Removes the name. Attached handles keep the memory.
   * @throws As `SharedMemory.unlink`.
   */
  unlink(): void;
  /** Returns the descriptor that `attach()` takes in another process or thread. */
  toJSON(): Descriptor;
}

/**
 * The value of a field that every shared object has. No symbol can be cloned, so an instance that somebody
 * posts to a worker is refused with a `DataCloneError` that shows this text, instead of arriving as a
 * useless copy of its fields.
 */
export const UNCLONEABLE = Symbol(
  'a shared object: send its toJSON() and attach() to that on the other side',
);
