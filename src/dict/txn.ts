import { types } from 'node:util';

import { shmError, wrongType } from '../common/errors.js';
import { checkKey } from './values.js';

/** What of a dict's values can be looked at in place. */
export type ViewOf<V> = unknown extends V ? NodeJS.TypedArray : Extract<V, NodeJS.TypedArray>;

/** A dict's entries inside of a txn. A read-only body may run more than once. */
export interface DictTxn<V> {
  /** How many entries there are. */
  readonly size: number;
  get(key: string): V | undefined;
  /**
   * Bytes or a typed array in place, for large ones: valid until the body ends, of length 0 from then on. What is written to
   * it reaches nobody. With the lock, also where the txn only reads; a copy where the handle is read-only or this txn has
   * set the value.
   * @throws `ERR_SHM_VALUE` where the value is none of these.
   */
  view(key: string): ViewOf<V> | undefined;
  has(key: string): boolean;
  set(key: string, value: V): void;
  /** Whether it was there. */
  delete(key: string): boolean;
  clear(): void;
  /** Sets what `change` makes of the value, and returns that. */
  update(key: string, change: (old: V | undefined) => V): V;
  /** Adds to a number, from 0 where there is none, and returns the sum. */
  increment(key: string, by?: number): number;
  keys(): IterableIterator<string>;
  values(): IterableIterator<V>;
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
