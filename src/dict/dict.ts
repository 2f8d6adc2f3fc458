import { setImmediate as turn } from 'node:timers/promises';
import { isDeepStrictEqual, types } from 'node:util';
import type { InspectOptions } from 'node:util';

import * as binding from '#binding';
import {
  checkBoolean,
  checkIndex,
  checkMode,
  checkName,
  checkNamed,
  checkOptions,
  checkSize,
  checkTarget,
} from '../common/arguments.js';
import { calls, stage, stageBytes, stagePacked, packed, SHORT, UNHASHED } from './call-buffer.js';
import { MESSAGE_PACK, OBJECTS } from './kinds.js';
import { Reader, Unsure } from './reader.js';
import { Overlay, sum } from './txn.js';
import type { Change, DictTxn, TxnSource } from './txn.js';
import { Busy, checkKey, copyOf, decode, encode, scratch } from './values.js';
import type { Encoded } from './values.js';
import { Views } from './views.js';
import { closedError, outOfRange, shmError, wrongType } from '../common/errors.js';
import { warnWhereUntracked } from '../ownership/housekeeping.js';
import { Lock } from '../sync/lock.js';
import type { Hold, Owner } from '../sync/lock.js';
import type { CreateOptions } from '../segment/memory.js';
import { UNCLONEABLE } from '../common/shared-object.js';
import type { Descriptor, SharedObject } from '../common/shared-object.js';
import { refusePromise } from '../sync/txn.js';
import type { Plain, TxnOptions, TxnSyncOptions } from '../sync/txn.js';
import {
  block,
  checkSignal,
  checkSpin,
  checkTimeout,
  SYNC_WAIT_OPTIONS,
  WAIT_OPTIONS,
} from '../sync/waits.js';

/** How to make a dict. */
export interface DictOptions extends Omit<CreateOptions, 'reserve' | 'populate'> {
  /** Bytes at first; it grows. Default 64 KB. */
  byteLength?: number;
  /** Bytes that it may grow to. Nothing is reserved that is not used. Default: a quarter of what `/dev/shm` has left. */
  maxByteLength?: number;
  /** Milliseconds that `set()` and whatever else writes outside of a txn waits for others who write. Default 10,000. */
  lockTimeout?: number;
  /** How many keys this handle remembers, with their values where those are short: 0 to 2 ** 20. Default 10,000. */
  cacheSize?: number;
}

/** How to attach to a dict. */
export interface DictAttachOptions {
  readOnly?: boolean;
  /** Allow a dict of another user. Default false. */
  foreign?: boolean;
  /** As in `create`. */
  lockTimeout?: number;
  /** As in `create`. */
  cacheSize?: number;
}

const OPTIONS = ['name', 'mode', 'track', 'byteLength', 'maxByteLength', 'lockTimeout', 'cacheSize'];
const ATTACH_OPTIONS = ['readOnly', 'foreign', 'lockTimeout', 'cacheSize'];
const TXN_OPTIONS = [...WAIT_OPTIONS, 'readOnly'];
const TXN_SYNC_OPTIONS = [...SYNC_WAIT_OPTIONS, 'readOnly'];
const LOCK_TIMEOUT = 10_000;
const CACHE_SIZE = 10_000;
const MOST_CACHED = 2 ** 20;
const FIRST_LENGTH = 64 << 10;
/** So often a read-only body runs beside those who write, before it has the lock. */
const TRIES = 3;

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
  readonly #native: binding.DictHandle;
  readonly #number: number;
  readonly #most: number;
  readonly #id: string;
  readonly #readOnly: boolean;
  readonly #lockTimeout: number;
  readonly #owner: Owner = { readers: 0, closed: false };
  /** Of whatever runs no code of the caller's. */
  readonly #hold: Hold = this.#newHold();
  readonly #reader: Reader;
  #lock: Lock | undefined;
  /** Or it was when a script or the stack ended: what was staged is not known to any slot, and free once the dict is in order. */
  #isStaging = false;
  #closed = false;

  private constructor(native: binding.DictHandle, readOnly: boolean, settings: HandleSettings) {
    if (!types.isExternal(native)) throw wrongType('a SharedDict', 'made by create() or attach()', native);
    this.#native = native;
    const { number, name, id, most } = binding.dictFacts(native);
    this.name = name;
    this.#number = number;
    this.#most = most;
    this.#id = id;
    this.#readOnly = readOnly;
    this.#lockTimeout = settings.lockTimeout;
    this.#reader = new Reader(native, settings.cacheSize);
  }

  /**
   * Makes an empty dict.
   * @throws `EEXIST`, `ENOSPC`, `ERR_SHM_NAME`, `ERR_OUT_OF_RANGE`; nothing is left behind then.
   */
  static create<V>(options?: DictOptions): SharedDict<V> {
    return made(options, false, (native, settings) => new SharedDict<V>(native, false, settings));
  }

  /**
   * Opens the dict of this name, or makes it: whoever comes first creates, and all who call this own it.
   * @throws `ERR_SHM_NOT_A_DICT` (the name belongs to something else), `ERR_SHM_VERSION`; else as `create` and `attach`.
   */
  static createOrAttach<V>(name: string, options?: DictOptions): SharedDict<V> {
    return made(
      checkNamed(name, options, OPTIONS),
      true,
      (native, settings) => new SharedDict<V>(native, false, settings),
    );
  }

  /**
   * Opens an existing dict, by its name or its descriptor.
   * @throws `ENOENT`, `ERR_SHM_NOT_A_DICT`, `ERR_SHM_VERSION`, `ERR_SHM_FOREIGN`, `ERR_SHM_UNLINKED`, `ERR_SHM_CORRUPT`,
   * `EACCES`.
   */
  static attach<V>(target: string | Descriptor, options?: DictAttachOptions): SharedDict<V> {
    const named = checkTarget(target, 'dict');
    const given = checkOptions(options, ATTACH_OPTIONS);
    const readOnly = checkBoolean('readOnly', given.readOnly, named.readOnly ?? false);
    const foreign = checkBoolean('foreign', given.foreign, false);
    const settings = checkSettings(given);
    return new SharedDict<V>(binding.attachDict(named.name, readOnly, foreign, named.id), readOnly, settings);
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** How many entries there are. */
  get size(): number {
    this.#checkOpen();
    return binding.dictSize(this.#native);
  }

  /** Bytes that it has taken of `/dev/shm`. */
  get byteLength(): number {
    this.#checkOpen();
    return binding.dictByteLength(this.#native);
  }

  /** Bytes that it may take, as `maxByteLength` was said when it was made. */
  get maxByteLength(): number {
    this.#checkOpen();
    return this.#most;
  }

  /** @internal For `shm inspect`. */
  get fill(): binding.DictFill {
    this.#checkOpen();
    return binding.dictFill(this.#native);
  }

  // ---- reading

  /**
   * A fresh copy of the value, as it is at this moment; undefined where there is none.
   * @throws `ERR_SHM_CLOSED`, `ERR_SHM_CORRUPT`.
   */
  get(key: string): V | undefined {
    const value = this.#reader.get(key);
    return (value === Unsure ? this.#ask(key) : value) as V | undefined;
  }

  #ask(key: string): unknown {
    this.#checkOpen();
    const look = (): unknown => calls.get(this.#number, key, scratch);
    const moment = this.#reader.moment();
    const value = decode(look());
    if (value === Busy) return this.#insist(look);
    if (moment) this.#reader.remember(key, value);
    return value;
  }

  /** Whether there is such a key. */
  has(key: string): boolean {
    return this.#reader.has(key) ?? this.#askHas(key);
  }

  #askHas(key: string): boolean {
    this.#checkOpen();
    const raw = calls.has(this.#number, key);
    return (typeof raw === 'boolean' ? raw : this.#insist(() => calls.has(this.#number, key))) as boolean;
  }

  /** A look that others have kept from its end by writing: with the lock, or where there is none again and again. */
  #insist(look: () => unknown): unknown {
    if (!this.#readOnly) return this.#withLock(() => this.#settled(decode(look())));
    return this.#retry(this.#lockTimeout, () => {
      const value = decode(look());
      return value === Busy ? undefined : { value };
    });
  }

  /** What somebody who has the lock has read. */
  #settled(value: unknown): unknown {
    if (value !== Busy) return value;
    throw shmError('ERR_SHM_CORRUPT', 'the value was damaged by another process', this.name);
  }

  /** For a handle that cannot put in order what a dead writer left, and so must not have the lock. */
  #retry<T>(timeout: number, attempt: () => { value: T } | undefined): T {
    const result = block(timeout, () => (binding.yieldNow(), attempt()));
    if (result === undefined) throw this.#busyError(timeout);
    return result.value;
  }

  #busyError(timeout: number): Error {
    const message = `others have been writing to '${this.name}' for ${timeout} ms, or one of them died at it; this handle only reads`;
    return shmError('ERR_SHM_BUSY', message, this.name);
  }

  /** The keys; those that come or go meanwhile may be among them. In a read-only txn they are those of one moment. */
  *keys(): IterableIterator<string> {
    this.#checkOpen();
    yield* binding.dictKeys(this.#native);
  }

  *values(): IterableIterator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  *entries(): IterableIterator<[string, V]> {
    this.#checkOpen();
    for (const key of binding.dictKeys(this.#native)) {
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
    const isShort = typeof value === 'number' || typeof value === 'string';
    // Getters run without the lock.
    const encoded = isShort ? undefined : encode(value, 'staged');
    const lock = this.#writable();
    const hold = this.#ourHold();
    this.#begin(lock, hold);
    try {
      if (encoded === undefined) this.#put(key, value);
      else this.#putEncoded(key, encoded);
    } catch (error) {
      this.#leave(lock, hold);
      throw error;
    }
    hold.left = 'consistent';
    lock.unlock(hold, 'consistent');
    return this;
  }

  /** Removes a key; whether it was there. */
  delete(key: string): boolean {
    return this.#withLock(() => calls.delete(this.#number, key));
  }

  /** Removes all keys at once. */
  clear(): void {
    this.#withLock(() => binding.dictClear(this.#native));
  }

  /** The value that there is, or this one from now on. */
  getOrInsert(key: string, value: V): V {
    const encoded = encode(value, 'staged');
    return this.#withLock(() => {
      const known = this.#now(key);
      if (known !== undefined) return known;
      this.#putEncoded(key, encoded);
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
    return this.#withLock(() => {
      const meanwhile = this.#now(key);
      if (meanwhile !== undefined) return meanwhile;
      const value = compute(key);
      this.#put(key, value);
      return value;
    }, this.#newHold());
  }

  /** Sets what `change` makes of the value, while nobody else writes; returns that. Where it throws nothing changes. */
  update(key: string, change: (old: V | undefined) => V): V {
    checkBody(change);
    return this.#change(key, change, this.#newHold());
  }

  #change(key: string, change: (old: V | undefined) => V, hold: Hold): V {
    return this.#withLock(() => {
      const value = change(this.#now(key));
      this.#put(key, value);
      return value;
    }, hold);
  }

  /** With the lock. */
  #now(key: string): V | undefined {
    const value = this.#reader.get(key);
    if (value !== Unsure) return value as V | undefined;
    return this.#settled(decode(calls.get(this.#number, key, scratch))) as V | undefined;
  }

  /** With the lock. */
  #put(key: string, value: V): void {
    if (typeof value === 'number' && this.#reader.overwrite(key, value)) return;
    if (typeof value === 'string' && value.length > SHORT && this.#reader.replaceText(key, value)) return;
    const hash = stage(this.#number, key, value);
    if (hash === UNHASHED) this.#putEncoded(key, encode(value, 'staged'));
    else this.#putStaged(hash);
  }

  /** As `#put`, of the staged value. */
  #putStaged(hash: number): void {
    if (!this.#reader.replace(hash)) calls.set_staged();
  }

  /** As `#put`, of an encoded value. */
  #putEncoded(key: string, { value, kind }: Encoded): void {
    if (kind === MESSAGE_PACK && typeof value === 'number') {
      const hash = stagePacked(this.#number, key, value);
      if (hash === UNHASHED) calls.set(this.#number, key, packed.subarray(0, value), kind);
      else this.#putStaged(hash);
    } else if (kind === 0 || !this.#reader.replaceBytes(key, kind, value as Uint8Array)) {
      calls.set(this.#number, key, value, kind);
    }
  }

  /** Adds to a number, from 0 where there is none, while nobody else writes; returns the sum. */
  increment(key: string, by = 1): number {
    return this.#change(key, (old) => sum(this.name, key, old, by) as V, this.#ourHold()) as number;
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
    return this.#withLock(() => {
      const equal =
        before === undefined || before.kind >= OBJECTS
          ? isDeepStrictEqual(this.#now(key), before && copyOf(before))
          : calls.matches(this.#number, key, before.value, before.kind);
      if (equal) calls.set(this.#number, key, after.value, after.kind);
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
    this.#withLock(() => this.#commit(changes));
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
    const given = checkOptions(options, TXN_OPTIONS);
    const timeout = checkTimeout(given.timeout);
    const signal = checkSignal(given.signal);
    const readOnly = checkBoolean('readOnly', given.readOnly, false);
    checkBody(body);
    this.#checkOpen();
    signal?.throwIfAborted();
    if (readOnly) {
      const until = performance.now() + (this.#readOnly ? Math.min(timeout, this.#lockTimeout) : 0);
      do {
        const result = this.#beside(body);
        if (result !== undefined) return result.value;
        await turn();
        signal?.throwIfAborted();
        this.#checkOpen();
      } while (performance.now() < until);
      if (this.#readOnly) throw this.#busyError(Math.min(timeout, this.#lockTimeout));
    }
    const lock = this.#writable();
    const hold = this.#newHold();
    // At once where nobody has it: what the caller does next may want it too.
    const ownerDied = !lock.tryTake(hold) && (await lock.wait(hold, true, timeout, signal));
    this.#checkOpen();
    try {
      return this.#inLock(lock, hold, ownerDied, () => this.#runInLock(body, readOnly, hold));
    } finally {
      hold.left ??= 'inconsistent';
    }
  }

  /** As `txn`, and blocks the thread; `ERR_SHM_DEADLOCK` inside of another txn of this thread. */
  txnSync<T>(body: (txn: DictTxn<V>) => Plain<T>, options?: TxnSyncOptions): T {
    const given = checkOptions(options, TXN_SYNC_OPTIONS);
    const readOnly = checkBoolean('readOnly', given.readOnly, false);
    checkBody(body);
    this.#checkOpen();
    if (readOnly) {
      const result = this.#beside(body);
      if (result !== undefined) return result.value;
      if (this.#readOnly) {
        const timeout = Math.min(checkTimeout(given.timeout), this.#lockTimeout);
        return this.#retry(timeout, () => this.#beside(body));
      }
    }
    const lock = this.#writable();
    const hold = this.#newHold();
    const ownerDied = lock.lockSync(hold, checkTimeout(given.timeout), checkSpin(given.spin));
    try {
      return this.#inLock(lock, hold, ownerDied, () => this.#runInLock(body, readOnly, hold));
    } finally {
      hold.left ??= 'inconsistent'; // where there was no stack to begin
    }
  }

  /** Runs a read-only body without the lock; undefined where it needs that, or others wrote in between each time. */
  #beside<T>(body: (txn: DictTxn<V>) => Plain<T>): { value: T } | undefined {
    let needsLock = false;
    const view = (key: string): unknown => {
      if (this.#readOnly) return this.get(key);
      needsLock = true;
      throw shmError('ERR_SHM_BUSY', `'${key}' is looked at in place once this txn has the lock`, this.name);
    };
    for (let round = 0; round < TRIES; round++) {
      if (needsLock) return undefined;
      const version = this.#reader.version;
      if ((version & 1) !== 0) continue;
      const isSame = (): boolean => this.#reader.version === version && !needsLock;
      try {
        const value = this.#run(body, true, view);
        if (isSame()) return { value };
      } catch (error) {
        if (isSame()) throw error;
      }
    }
    return undefined;
  }

  #runInLock<T>(body: (txn: DictTxn<V>) => Plain<T>, readOnly: boolean, hold: Hold): T {
    const views = new Views(this.#native);
    try {
      return this.#run(body, readOnly, (key) => views.view(key) ?? this.get(key), hold);
    } finally {
      views.end(this.#closed);
    }
  }

  #run<T>(
    body: (txn: DictTxn<V>) => Plain<T>,
    readOnly: boolean,
    view: (key: string) => unknown,
    hold?: Hold,
  ): T {
    const txn = new Overlay<V>(this.#source(view), readOnly);
    let result: Plain<T>;
    let changes: Map<string, Change>;
    try {
      result = body(txn);
    } finally {
      changes = txn.end();
    }
    refusePromise(result, "the body of a dict's txn must not return a promise");
    this.#checkOpen();
    if (hold === undefined || readOnly) return result;
    hold.left = 'inconsistent'; // the body is over, as in `#ourHold`
    this.#commit(changes);
    return result;
  }

  #source(view: (key: string) => unknown): TxnSource<V> {
    return {
      name: this.name,
      size: () => this.size,
      look: (key) => this.get(key),
      view,
      has: (key) => this.has(key),
      keys: () => binding.dictKeys(this.#native),
      encode: (key, value) => (checkKey(key), encode(value)),
      copyOf: (change) => copyOf(change as NonNullable<Change>) as V,
    };
  }

  /** With the lock. */
  #commit(changes: Map<string, Change>): void {
    if (changes.size === 0) return;
    if (this.#isStaging) binding.dictRollBack(this.#native, true);
    this.#isStaging = true;
    try {
      for (const [key, change] of changes) {
        if (change === undefined) calls.add_delete(this.#number, key);
        else if (this.#stageChange(key, change) !== UNHASHED) calls.add_staged();
        else calls.add(this.#number, key, change.value, change.kind);
      }
      binding.dictCommit(this.#native);
    } catch (error) {
      binding.dictRollBack(this.#native, false);
      this.#isStaging = false;
      throw error;
    }
    this.#isStaging = false;
  }

  #stageChange(key: string, { value, kind }: Encoded): number {
    if (kind === 0) return stage(this.#number, key, value);
    return stageBytes(this.#number, key, kind, value as Uint8Array);
  }

  // ---- the lock

  #writable(): Lock {
    this.#checkOpen();
    if (this.#readOnly) {
      throw shmError('ERR_SHM_READ_ONLY', `'${this.name}' is attached read-only in this handle`, this.name);
    }
    return (this.#lock ??= Lock.of(binding.dictLock(this.#native), this.name));
  }

  #newHold(): Hold {
    return { owner: this.#owner, reading: false, left: undefined };
  }

  /**
   * For what runs no code of the caller's: a script may be ended in the middle, by its time limit or in the REPL, and neither
   * `catch` nor `finally` runs then. So it is said beforehand how the lock is left, for whoever comes next to see that this is over.
   */
  #ourHold(): Hold {
    this.#hold.left = 'inconsistent';
    return this.#hold;
  }

  #begin(lock: Lock, hold: Hold): void {
    if (!lock.tryTake(hold)) {
      this.#recover(lock, hold, lock.lockSync(hold, this.#lockTimeout, undefined));
    }
  }

  #withLock<T>(act: () => T, hold = this.#ourHold()): T {
    const lock = this.#writable();
    this.#begin(lock, hold);
    try {
      return this.#inLock(lock, hold, false, act);
    } finally {
      hold.left ??= 'inconsistent'; // where there was no stack to begin
    }
  }

  /** Where a damaged dict or the end of the stack has ended a commit in the middle, somebody has to put it in order. */
  #leave(lock: Lock, hold: Hold): void {
    const isWhole = (this.#reader.version & 1) === 0 && !this.#isStaging;
    const left = isWhole || this.#closed ? 'consistent' : 'inconsistent';
    hold.left = left;
    lock.unlock(hold, left);
  }

  #inLock<T>(lock: Lock, hold: Hold, ownerDied: boolean, act: () => T): T {
    this.#recover(lock, hold, ownerDied);
    try {
      return act();
    } finally {
      hold.left = 'inconsistent'; // where there is no stack for a look
      this.#leave(lock, hold);
    }
  }

  /** After the death of one who wrote; where that fails the next one has to. */
  #recover(lock: Lock, hold: Hold, ownerDied: boolean): void {
    if (!ownerDied) return;
    try {
      binding.dictRecover(this.#native);
    } catch (error) {
      lock.unlock(hold, 'as-found');
      throw error;
    }
  }

  // ---- as all shared objects

  /** Makes this process an owner. */
  adopt(): void {
    this.#checkOpen();
    binding.adoptDict(this.#native);
  }

  /** Lets go of it in this handle. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const buffer = this.#reader.close();
    this.#lock?.close(this.#owner);
    binding.closeDict(this.#native, buffer);
  }

  /** Removes the name. Whoever is attached stays attached; only who has written before can go on to write. */
  unlink(): void {
    if (!this.#closed && !this.#readOnly) this.#getReady();
    binding.unlinkDict(this.#native);
  }

  /** Its lock is found by the name. */
  #getReady(): void {
    try {
      this.#writable();
    } catch {
      // It is another's by now, or there can be none: then nobody writes through this handle.
    }
  }

  /** What `attach()` takes in another process or thread. */
  toJSON(): Descriptor {
    return { kind: 'dict', name: this.name, id: this.#id, ...(this.#readOnly && { readOnly: true }) };
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
    if (this.#closed) return `SharedDict(${name}, closed)`;
    if (depth < 0) return `SharedDict(${name}, ${this.size})`;
    return `SharedDict(${name}, ${this.size}) ${inspect(this.toObject(), options)}`;
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError(this.name);
  }
}

function checkBody(body: unknown): void {
  if (typeof body !== 'function') throw wrongType('what is to be done', 'a function', body);
}

/** Options of a handle. */
interface HandleSettings {
  readonly lockTimeout: number;
  readonly cacheSize: number;
}

function checkSettings({ lockTimeout, cacheSize }: DictAttachOptions): HandleSettings {
  return {
    lockTimeout: checkTimeout(lockTimeout ?? LOCK_TIMEOUT),
    cacheSize: checkIndex('cacheSize', cacheSize ?? CACHE_SIZE, MOST_CACHED),
  };
}

function made<T>(
  options: DictOptions | undefined,
  attach: boolean,
  over: (native: binding.DictHandle, settings: HandleSettings) => T,
): T {
  const given = checkOptions(options, OPTIONS);
  const size = checkSize(given.byteLength ?? FIRST_LENGTH);
  const max = given.maxByteLength === undefined ? 0 : checkSize(given.maxByteLength);
  if (max !== 0 && max < size && given.byteLength !== undefined) {
    throw outOfRange('maxByteLength', `${size} or more, as byteLength is`, max);
  }
  const settings = checkSettings(given);
  const track = checkBoolean('track', given.track, true);
  const name = given.name === undefined ? undefined : checkName(given.name);
  const native = binding.createDict(size, max, name, checkMode(given.mode), track, attach);
  if (track) warnWhereUntracked();
  return over(native, settings);
}
