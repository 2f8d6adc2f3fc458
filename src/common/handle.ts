import type { InspectOptions } from 'node:util';

import * as binding from '#binding';
import { descriptorOf } from './arguments.js';
import { closedError } from './errors.js';
import { UNCLONEABLE } from './shared-object.js';
import type { Descriptor, SharedObject } from './shared-object.js';

/** A handle that knows its segment by its name and identity. */
export abstract class SegmentHandle implements SharedObject {
  /** The segment's name, without a leading slash. */
  readonly name: string;
  /** @internal */
  readonly uncloneable = UNCLONEABLE;
  readonly #descriptor: Descriptor;
  readonly #id: string;
  #closed = false;

  /** @internal */
  constructor(kind: string, { name, id }: { name: string; id: string }, details?: object) {
    this.name = name;
    this.#id = id;
    this.#descriptor = descriptorOf(kind, name, id, details);
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Closes this handle and releases its memory. Idempotent. */
  abstract close(): void;

  /** Calls `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Makes this process an owner: the segment is unlinked when its last owner dies. Idempotent.
   * @throws As `SharedMemory.adopt`.
   */
  adopt(): void {
    this.checkOpen();
    binding.adoptIdentity(this.name, this.#id);
  }

  /**
   * Removes the name. Attached handles keep the memory and go on working.
   * @throws As `SharedMemory.unlink`.
   */
  unlink(): void {
    binding.unlinkIdentity(this.name, this.#id);
  }

  /** Returns the descriptor that `attach()` takes in another process or thread. */
  toJSON(): Descriptor {
    return { ...this.#descriptor };
  }

  /** @internal */
  protected checkOpen(): void {
    if (this.#closed) throw closedError(this.name);
  }

  /** @internal Marks the handle as closed; returns false if it was closed before. */
  protected markClosed(): boolean {
    if (this.#closed) return false;
    this.#closed = true;
    return true;
  }
}

/** @internal The options that `util.inspect` passes. */
export type Inspection = InspectOptions & { stylize(text: string, style: string): string };

/** @internal A handle as `util.inspect` shows it: its class, its name, and notes such as its state. */
export function showHandle(of: string, name: string, options: Inspection, ...notes: string[]): string {
  return `${of}(${[options.stylize(`'${name}'`, 'string'), ...notes.filter(Boolean)].join(', ')})`;
}
