/** What names a shared object in another process or thread: plain data, for `process.send` or `postMessage`. */
export interface Descriptor {
  readonly kind: string;
  readonly name: string;
  readonly [detail: string]: unknown;
}

/** What all shared objects have. */
export interface SharedObject extends Disposable {
  /** The segment's name, without a leading slash. */
  readonly name: string;
  readonly closed: boolean;
  /** Makes this process an owner: the segment is unlinked when the last owner is dead. */
  adopt(): void;
  /** Lets go of the memory in this handle. Idempotent. */
  close(): void;
  /** Removes the name. Whoever is attached stays attached. */
  unlink(): void;
  /** What `attach()` takes in another process or thread. */
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
