import { types } from 'node:util';

import { shmError, wrongType } from '../common/errors.js';
import { checkKey } from './values.js';

/** The types of a dict's values that a view can show in place. */
export type ViewOf<V> = unknown extends V ? NodeJS.TypedArray : Extract<V, NodeJS.TypedArray>;

/** A dict's entries inside a txn. A read-only body may run more than once. */
export interface DictTxn<V> {
  /**
   * Number of entries.
   * @throws `ERR_SHM_TXN_ENDED`, `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`.
   */
  readonly size: number;
  /**
   * Returns a fresh copy of the value, or undefined if the key is missing.
   * @throws `ERR_SHM_TXN_ENDED`; otherwise as `SharedDict.get`.
   */
  get(key: string): V | undefined;
  /**
   * Shows bytes or a typed array in place, for large ones; undefined if the key is missing. The view is valid
   * until the body ends, and has length 0 after that. Writes to it reach no other process. A read-only txn
   * takes the lock for a view. On a read-only handle, or if this txn has set the value, it is a copy.
   * @throws `ERR_SHM_VALUE` if the value is neither; `ERR_SHM_TXN_ENDED`; otherwise as `SharedDict.get` and
   * `SharedMemory.buffer`.
   */
  view(key: string): ViewOf<V> | undefined;
  /**
   * Whether the key exists.
   * @throws `ERR_SHM_TXN_ENDED`; otherwise as `SharedDict.has`.
   */
  has(key: string): boolean;
  /**
   * Sets a value; it is stored when the body ends.
   * @throws `ERR_SHM_TXN_ENDED`, `ERR_SHM_READ_ONLY`; `ERR_SHM_VALUE` for a value that cannot be stored;
   * `ERR_SHM_KEY` or `ERR_INVALID_ARG_TYPE` for an invalid key. The length of a key is checked at the end of
   * the body.
   */
  set(key: string, value: V): void;
  /**
   * Deletes a key, and returns whether it existed.
   * @throws `ERR_SHM_TXN_ENDED`, `ERR_SHM_READ_ONLY`; otherwise as `has`.
   */
  delete(key: string): boolean;
  /**
   * Deletes all keys.
   * @throws `ERR_SHM_TXN_ENDED`, `ERR_SHM_READ_ONLY`, `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`.
   */
  clear(): void;
  /**
   * Sets the value to what `change` returns, and returns it.
   * @throws What `change` throws; otherwise as `get` and `set`.
   */
  update(key: string, change: (old: V | undefined) => V): V;
  /**
   * Adds `by`, by default 1, to a number, and returns the sum. A missing key counts as 0.
   * @throws `ERR_SHM_VALUE` if the value is not a number; `ERR_INVALID_ARG_TYPE` if `by` is not; otherwise as
   * `get` and `set`.
   */
  increment(key: string, by?: number): number;
  /**
   * Iterates over the keys.
   * @throws `ERR_SHM_TXN_ENDED`, `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`.
   */
  keys(): IterableIterator<string>;
  /**
   * Iterates over the values.
   * @throws As `get`.
   */
  values(): IterableIterator<V>;
  /**
   * Iterates over the entries.
   * @throws As `get`.
   */
  entries(): IterableIterator<[string, V]>;
}

/** @internal What a txn needs of its dict. */
export interface TxnSource<V> {
  readonly name: string;
  size(): number;
  look(key: string): V | undefined;
  view(key: string): unknown;
  has(key: string): boolean;
  keys(): string[];
  encode(key: string, value: V): Change;
  copyOf(change: Change): V;
}

/** @internal What a key is to become. */
export type Change = { readonly value: unknown; readonly kind: number } | undefined;

/** @internal The changes of a txn, over what the dict has. */
export class Overlay<V> implements DictTxn<V> {
  readonly #source: TxnSource<V>;
  readonly #readOnly: boolean;
  readonly #changes = new Map<string, Change>();
  #over = false;

  constructor(source: TxnSource<V>, readOnly: boolean) {
    this.#source = source;
    this.#readOnly = readOnly;
  }

  /** @internal What is to be committed; the txn is over then. */
  end(): Map<string, Change> {
    this.#over = true;
    return this.#changes;
  }

  get size(): number {
    this.#check();
    let size = this.#source.size();
    for (const [key, change] of this.#changes) {
      size += Number(change !== undefined) - Number(this.#source.has(key));
    }
    return size;
  }

  get(key: string): V | undefined {
    this.#check();
    const change = this.#changes.get(checkKey(key));
    if (change !== undefined) return this.#source.copyOf(change);
    return this.#changes.has(key) ? undefined : this.#source.look(key);
  }

  view(key: string): ViewOf<V> | undefined {
    this.#check();
    const changed = this.#changes.has(checkKey(key));
    const view = changed ? this.get(key) : this.#source.view(key);
    if (view !== undefined && !types.isTypedArray(view)) {
      const message = `'${key}' is not bytes or a typed array: get() it`;
      throw shmError('ERR_SHM_VALUE', message, this.#source.name);
    }
    return view as ViewOf<V> | undefined;
  }

  has(key: string): boolean {
    this.#check();
    return this.#changes.has(checkKey(key)) ? this.#changes.get(key) !== undefined : this.#source.has(key);
  }

  set(key: string, value: V): void {
    this.#checkWritable();
    this.#changes.set(key, this.#source.encode(key, value));
  }

  delete(key: string): boolean {
    this.#checkWritable();
    if (!this.has(key)) return false;
    this.#changes.set(key, undefined);
    return true;
  }

  clear(): void {
    this.#checkWritable();
    for (const key of this.#names()) this.#changes.set(key, undefined);
  }

  update(key: string, change: (old: V | undefined) => V): V {
    this.#checkWritable();
    const value = change(this.get(key));
    this.set(key, value);
    return value;
  }

  increment(key: string, by = 1): number {
    return this.update(key, (old) => sum(this.#source.name, key, old, by) as V) as number;
  }

  *keys(): IterableIterator<string> {
    this.#check();
    yield* this.#names();
  }

  *values(): IterableIterator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  *entries(): IterableIterator<[string, V]> {
    this.#check();
    for (const key of this.#names()) yield [key, this.get(key) as V];
  }

  #names(): string[] {
    const names = this.#source.keys().filter((key) => !this.#changes.has(key));
    for (const [key, change] of this.#changes) if (change !== undefined) names.push(key);
    return names;
  }

  #check(): void {
    if (this.#over) {
      const message = `this txn of '${this.#source.name}' has ended`;
      throw shmError('ERR_SHM_TXN_ENDED', message, this.#source.name);
    }
  }

  #checkWritable(): void {
    this.#check();
    if (this.#readOnly) {
      throw shmError('ERR_SHM_READ_ONLY', `this txn of '${this.#source.name}' only reads`, this.#source.name);
    }
  }
}

/** @internal What `increment` makes of a value. */
export function sum(name: string, key: string, old: unknown, by: unknown): number {
  if (typeof by !== 'number') {
    throw wrongType('what is added', 'a number', by);
  }
  if (old !== undefined && typeof old !== 'number') {
    throw shmError(
      'ERR_SHM_VALUE',
      `'${key}' has a ${typeof old} in it, to which nothing can be added`,
      name,
    );
  }
  return (old ?? 0) + by;
}
