import { isDeepStrictEqual } from 'node:util';
import type { InspectOptions } from 'node:util';

import * as binding from '#binding';
import { checkNamed, checkTarget } from '../common/arguments.js';
import { wrongType } from '../common/errors.js';
import { UNCLONEABLE } from '../common/shared-object.js';
import type { Descriptor, SharedObject } from '../common/shared-object.js';
import type { Hold } from '../sync/lock.js';
import type { Plain, TxnOptions, TxnSyncOptions } from '../sync/txn.js';
import { calls } from './call-buffer.js';
import { Handle } from './handle.js';
import { OBJECTS } from './kinds.js';
import { checkAttachOptions, create, OPTIONS } from './options.js';
import type { DictAttachOptions, DictOptions } from './options.js';
import { Reader } from './reader.js';
import { TxnRunner } from './txn-runner.js';
import { sum } from './txn.js';
import type { Change, DictTxn } from './txn.js';
import { checkBody, checkKey, copyOf, encode } from './values.js';
import { Writer } from './writer.js';

export type { DictAttachOptions, DictOptions } from './options.js';

/** How full a dict is. */
export interface DictFill {
  /** Bytes that its entries and their table have. */
  used: number;
  /** How many commits there were. */
  generation: number;
}

/**
 * A `Map` that lives in shared memory: any number of processes and threads read it without a lock, and one at a time
 * writes. Whoever is killed while he writes leaves the old value or the new one.
 *
 * ```js
 * using dict = SharedDict.createOrAttach('board');
 * dict.set('progress', { done: 3, of: 10 });
 * dict.increment('visits');
 * dict.txnSync((txn) => txn.set('a', txn.get('b') ?? 0)); // all of it or nothing
 * ```
 */
export class SharedDict<V = unknown> implements SharedObject, Iterable<[string, V]> {
  readonly name: string;
  /** @internal */
  readonly uncloneable = UNCLONEABLE;
  readonly #handle: Handle;
  readonly #reader: Reader;
  readonly #writer: Writer;
  readonly #txns: TxnRunner<V>;

  private constructor(handle: Handle) {
    if (!(handle instanceof Handle)) throw wrongType('a SharedDict', 'made by create() or attach()', handle);
    this.name = handle.name;
    this.#handle = handle;
    this.#writer = new Writer(handle);
    this.#reader = new Reader(handle, this.#writer);
    this.#txns = new TxnRunner(handle, this.#reader, this.#writer);
  }

  /**
   * Makes an empty dict.
   * @throws `EEXIST`, `ENOSPC`, `ERR_SHM_NAME`, `ERR_OUT_OF_RANGE`; nothing is left behind then.
   */
  static create<V>(options?: DictOptions): SharedDict<V> {
    const [native, settings] = create(options, false);
    return new SharedDict<V>(new Handle(native, false, settings));
  }

  /**
   * Opens the dict of this name, or makes it: whoever comes first creates, and all who call this own it.
   * @throws `ERR_SHM_NOT_A_DICT` (the name belongs to something else), `ERR_SHM_VERSION`; else as `create` and `attach`.
   */
  static createOrAttach<V>(name: string, options?: DictOptions): SharedDict<V> {
    const [native, settings] = create(checkNamed(name, options, OPTIONS), true);
    return new SharedDict<V>(new Handle(native, false, settings));
  }

  /**
   * Opens an existing dict, by its name or its descriptor.
   * @throws `ENOENT`, `ERR_SHM_NOT_A_DICT`, `ERR_SHM_VERSION`, `ERR_SHM_FOREIGN`, `ERR_SHM_UNLINKED`, `ERR_SHM_CORRUPT`,
   * `EACCES`.
   */
  static attach<V>(target: string | Descriptor, options?: DictAttachOptions): SharedDict<V> {
    const named = checkTarget(target, 'dict');
    const { readOnly, foreign, settings } = checkAttachOptions(options, named.readOnly);
    const native = binding.attachDict(named.name, readOnly, foreign, named.id);
    return new SharedDict<V>(new Handle(native, readOnly, settings));
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#handle.closed;
  }

  /** How many entries there are. */
  get size(): number {
    return this.#reader.size();
  }

  /** Bytes that it has taken of `/dev/shm`. */
  get byteLength(): number {
    this.#handle.checkOpen();
    return binding.dictByteLength(this.#handle.native);
  }

  /** Bytes that it may take, as `maxByteLength` was said when it was made. */
  get maxByteLength(): number {
    this.#handle.checkOpen();
    return this.#handle.maxByteLength;
  }

  /**
   * How full it is, and how often it was written to.
   * @throws `ERR_SHM_CLOSED`.
   */
  get fill(): DictFill {
    this.#handle.checkOpen();
    return binding.dictFill(this.#handle.native);
  }

  // ---- reading

  /**
   * A fresh copy of the value, as it is at this moment; undefined where there is none.
   * @throws `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`.
   */
  get(key: string): V | undefined {
    return this.#reader.get(key) as V | undefined;
  }

  /** Whether there is such a key. */
  has(key: string): boolean {
    return this.#reader.has(key);
  }

  /** The keys; those that come or go meanwhile may be among them. In a read-only txn they are those of one moment. */
  *keys(): IterableIterator<string> {
    yield* this.#reader.keys();
  }

  *values(): IterableIterator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  *entries(): IterableIterator<[string, V]> {
    for (const key of this.#reader.keys()) {
      const value = this.get(key);
      if (value !== undefined) yield [key, value];
    }
  }

  [Symbol.iterator](): IterableIterator<[string, V]> {
    return this.entries();
  }

  forEach(visit: (value: V, key: string) => void): void {
    checkBody(visit);
    for (const [key, value] of this.entries()) visit(value, key);
  }

  /** All entries as they are at one moment. */
  toObject(): Record<string, V> {
    const entries = this.txnSync((txn) => [...txn.entries()] as never, { readOnly: true });
    // Not by assignment, which takes '__proto__' for something else.
    return Object.fromEntries(entries as [string, V][]);
  }

  // ---- writing

  /**
   * Sets a value: null, a boolean, number, bigint, string, bytes, typed array, or what `structuredClone` takes of plain
   * objects, arrays, Map, Set, Date and Error.
   * @throws `ERR_SHM_VALUE`, `ERR_SHM_KEY`, `ERR_SHM_TIMEOUT` (others write for longer than `lockTimeout`), `ERR_SHM_FULL`,
   * `ENOSPC`, `ERR_SHM_DEADLOCK` (inside of a txn: use that), `ERR_SHM_READ_ONLY`, `ERR_SHM_CLOSED`; nothing has changed
   * then.
   */
  set(key: string, value: V): this {
    this.#writer.set(key, value);
    return this;
  }

  /** Removes a key; whether it was there. */
  delete(key: string): boolean {
    return this.#writer.withLock(() => calls.delete(this.#handle.number, key));
  }

  /** Removes all keys at once. */
  clear(): void {
    this.#writer.withLock(() => binding.dictClear(this.#handle.native));
  }

  /** The value that there is, or this one from now on. */
  getOrInsert(key: string, value: V): V {
    const encoded = encode(value, 'staged');
    return this.#writer.withLock(() => {
      const known = this.#writer.now(key) as V | undefined;
      if (known !== undefined) return known;
      this.#writer.putEncoded(key, encoded);
      return value;
    });
  }

  /**
   * The value that there is, or what `compute` makes of the key from now on: that runs in one process alone, and whoever
   * else writes waits for it.
   */
  getOrInsertComputed(key: string, compute: (key: string) => V): V {
    checkBody(compute);
    const known = this.get(key);
    if (known !== undefined) return known;
    return this.#writer.withLock(() => {
      const meanwhile = this.#writer.now(key) as V | undefined;
      if (meanwhile !== undefined) return meanwhile;
      const value = compute(key);
      this.#writer.put(key, value);
      return value;
    }, this.#writer.newHold());
  }

  /** Sets what `change` makes of the value, while nobody else writes; returns that. Where it throws nothing changes. */
  update(key: string, change: (old: V | undefined) => V): V {
    checkBody(change);
    return this.#change(key, change, this.#writer.newHold());
  }

  #change(key: string, change: (old: V | undefined) => V, hold?: Hold): V {
    return this.#writer.withLock(() => {
      const value = change(this.#writer.now(key) as V | undefined);
      this.#writer.put(key, value);
      return value;
    }, hold);
  }

  /** Adds to a number, from 0 where there is none, while nobody else writes; returns the sum. */
  increment(key: string, by = 1): number {
    return this.#change(key, (old) => sum(this.name, key, old, by) as V) as number;
  }

  /**
   * Sets the value if it is as `expected`, undefined for none; whether it did. Objects are equal as
   * `util.isDeepStrictEqual` has it, other values when they are stored as the same bytes.
   */
  compareAndSet(key: string, expected: V | undefined, value: V): boolean {
    const [before, after] = [
      expected === undefined ? undefined : encode(expected, 'borrowed'),
      encode(value, 'borrowed'),
    ];
    return this.#writer.withLock(() => {
      const { number } = this.#handle;
      const equal =
        before === undefined || before.kind >= OBJECTS
          ? isDeepStrictEqual(this.#writer.now(key), before && copyOf(before))
          : calls.matches(number, key, before.value, before.kind);
      if (equal) calls.set(number, key, after.value, after.kind);
      return equal;
    });
  }

  /** Sets all of these at once. */
  assign(entries: Record<string, V> | Iterable<[string, V]>): this {
    if (typeof entries !== 'object' || entries === null) throw wrongType('entries', 'an object', entries);
    const all = Symbol.iterator in entries ? (entries as Iterable<[string, V]>) : Object.entries(entries);
    const changes = new Map<string, Change>();
    for (const entry of all) {
      if (!Array.isArray(entry)) throw wrongType('an entry', 'a key and a value, [key, value]', entry);
      changes.set(checkKey(entry[0]), encode(entry[1]));
    }
    this.#writer.withLock(() => this.#writer.commit(changes));
    return this;
  }

  // ---- txns

  /**
   * Reads and writes several keys as one: others see all of its changes or none, and so does whoever comes after a death.
   * A body that throws changes nothing. With `readOnly` it runs beside those who write, more than once if they get in
   * between, and sees the dict of one moment.
   * @throws `ERR_SHM_TIMEOUT`, the signal's reason, `ERR_INVALID_RETURN_VALUE` (a body must not be asynchronous); else as
   * `set`.
   */
  async txn<T>(body: (txn: DictTxn<V>) => Plain<T>, options?: TxnOptions): Promise<T> {
    return this.#txns.run(body, options);
  }

  /** As `txn`, and blocks the thread; `ERR_SHM_DEADLOCK` inside of another txn of this thread. */
  txnSync<T>(body: (txn: DictTxn<V>) => Plain<T>, options?: TxnSyncOptions): T {
    return this.#txns.runSync(body, options);
  }

  // ---- as all shared objects

  /** Makes this process an owner. */
  adopt(): void {
    this.#handle.checkOpen();
    binding.adoptDict(this.#handle.native);
  }

  /** Lets go of it in this handle. Idempotent. */
  close(): void {
    const handle = this.#handle;
    if (handle.closed) return;
    handle.closed = true;
    const buffer = handle.table.close();
    this.#writer.close();
    binding.closeDict(handle.native, buffer);
  }

  /** Removes the name. Whoever is attached stays attached; only who has written before can go on to write. */
  unlink(): void {
    const { closed, readOnly, native } = this.#handle;
    if (!closed && !readOnly) this.#writer.getReady();
    binding.unlinkDict(native);
  }

  /** What `attach()` takes in another process or thread. */
  toJSON(): Descriptor {
    const { name, id, readOnly } = this.#handle;
    return { kind: 'dict', name, id, ...(readOnly && { readOnly: true }) };
  }

  /** `close()` */
  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.for('nodejs.util.inspect.custom')](
    depth: number,
    options: InspectOptions & { stylize(text: string, style: string): string },
    inspect: (value: unknown, options: InspectOptions) => string,
  ): string {
    const name = options.stylize(`'${this.name}'`, 'string');
    if (this.closed) return `SharedDict(${name}, closed)`;
    if (depth < 0) return `SharedDict(${name}, ${this.size})`;
    return `SharedDict(${name}, ${this.size}) ${inspect(this.toObject(), options)}`;
  }
}
