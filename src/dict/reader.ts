import * as binding from '#binding';
import { shmError } from '../common/errors.js';
import { block } from '../sync/waits.js';
import { calls } from './call-buffer.js';
import type { Handle } from './handle.js';
import type { LocalTable } from './local-table.js';
import { Unsure } from './lookup.js';
import { Busy, decode, scratch } from './values.js';
import type { Writer } from './writer.js';

/** @internal Reads a dict: in JavaScript if possible, else by the engine, and with the lock if other writers keep interfering. */
export class Reader {
  readonly #handle: Handle;
  readonly #table: LocalTable;
  readonly #writer: Writer;

  constructor(handle: Handle, writer: Writer) {
    this.#handle = handle;
    this.#table = handle.table;
    this.#writer = writer;
  }

  /** A fresh copy of the value; undefined if the key is missing. */
  get(key: string): unknown {
    const value = this.#table.get(key);
    return value === Unsure ? this.#ask(key) : value;
  }

  #ask(key: string): unknown {
    this.#handle.checkOpen();
    const look = (): unknown => calls.get(this.#handle.number, key, scratch);
    const moment = this.#table.moment();
    const value = decode(look());
    if (value === Busy) return this.#insist(look);
    if (moment) this.#table.remember(key, value);
    return value;
  }

  /** Whether the dict has the key. */
  has(key: string): boolean {
    return this.#table.has(key) ?? this.#askHas(key);
  }

  #askHas(key: string): boolean {
    this.#handle.checkOpen();
    const look = (): unknown => calls.has(this.#handle.number, key);
    const raw = look();
    return (typeof raw === 'boolean' ? raw : this.#insist(look)) as boolean;
  }

  /** Repeats a lookup that writers kept interrupting: with the lock, or, if the handle only reads, until it succeeds. */
  #insist(look: () => unknown): unknown {
    const { readOnly, lockTimeout } = this.#handle;
    if (!readOnly) return this.#writer.withLock(() => this.#handle.settled(decode(look())));
    return this.retry(lockTimeout, () => {
      const value = decode(look());
      return value === Busy ? undefined : { value };
    });
  }

  /**
   * For a read-only handle, which cannot repair what a dead writer left and so must not take the lock. The timeout is in
   * milliseconds.
   */
  retry<T>(timeout: number, attempt: () => { value: T } | undefined): T {
    const result = block(timeout, () => (binding.yieldNow(), attempt()));
    if (result === undefined) throw this.busyError(timeout);
    return result.value;
  }

  busyError(timeout: number): Error {
    const { name } = this.#handle;
    const message = `others have been writing to '${name}' for ${timeout} ms, or one of them died at it; this handle only reads`;
    return shmError('ERR_SHM_BUSY', message, name);
  }

  /** The keys. */
  keys(): string[] {
    this.#handle.checkOpen();
    return binding.dictKeys(this.#handle.native);
  }

  /** How many entries there are. */
  size(): number {
    this.#handle.checkOpen();
    return binding.dictSize(this.#handle.native);
  }
}
