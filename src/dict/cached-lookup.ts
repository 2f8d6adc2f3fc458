import type * as binding from '#binding';
import { load } from '../common/memory-order.js';
import { CacheEntry } from './cache-entry.js';
import { LAYOUT } from './call-buffer.js';
import { copyPart, copyPlain, plainParts } from './copies.js';
import * as kinds from './kinds.js';
import { Lookup, MISSING, UNSURE, Unsure } from './lookup.js';
import { copyOfLast } from './unpack.js';

const { version: VERSION, root: ROOT } = LAYOUT;
/** A full cache is cleared after this many misses for each of its entries; the number doubles each time. */
const IMPATIENT = 4;
/** The longest text and the longest key that are cached, in characters. */
const LONGEST_KEPT = 4096;
/** The largest object that is cached, in bytes as stored. */
const LONGEST_ORIGINAL = 512;
/** The most objects and arrays that a cached object consists of. */
const MOST_PARTS = 32;

/**
 * @internal Caches where keys are, and the values that a read cannot change. Every write to a key changes the word of its slot, so
 * one load tells whether an entry is still valid.
 */
export class CachedLookup extends Lookup {
  /** The most entries. */
  readonly #most: number;
  protected readonly entries = new Map<string, CacheEntry>();
  /** Misses until the next entry is added; if the cache is full, until it is cleared. */
  #patience = -1;
  #impatient: number;

  constructor(native: binding.DictHandle, most: number) {
    super(native);
    this.#most = most;
    this.#impatient = most * IMPATIENT;
  }

  /** The value; undefined if the key is missing, `Unsure` if Rust must look. */
  get(key: string): unknown {
    const entry = this.entries.size > 0 ? this.entries.get(key) : undefined;
    if (entry !== undefined) {
      const value = entry.number > 0 ? this.doubles[entry.number] : entry.value;
      if (this.isValid(entry)) {
        if (value !== undefined) return value;
        return entry.original ? entry.copy(entry.original, copyPart) : this.#again(entry, key.length);
      }
    }
    return this.#look(key, entry);
  }

  /** The value of an entry that is still valid. */
  #again(entry: CacheEntry, keyLength: number): unknown {
    this.found.take(entry, undefined);
    const value = this.value(entry.low * 4, keyLength);
    if (entry.original === null || typeof value !== 'object' || value === null) return value;
    if (
      this.kind !== kinds.MESSAGE_PACK ||
      this.length > LONGEST_ORIGINAL ||
      plainParts(value) > MOST_PARTS
    ) {
      entry.original = null;
      return value;
    }
    // In this order: a script may be terminated between the two stores, and `copy` must fit `original`.
    entry.copy = copyOfLast() ?? copyPlain;
    entry.original = value;
    return entry.copy(value, copyPart);
  }

  /** Whether the dict has the key; undefined if Rust must look. */
  has(key: string): boolean | undefined {
    const entry = this.entries.get(key);
    if (entry !== undefined && this.isValid(entry)) return true;
    const record = this.find(key);
    if (record === MISSING) return false;
    return record === UNSURE || !this.isValid(this.found) ? undefined : true;
  }

  #look(key: string, known: CacheEntry | undefined): unknown {
    const record = this.find(key);
    if (record <= MISSING) return record === MISSING ? undefined : Unsure;
    return this.read(record, key, known);
  }

  protected read(record: number, key: string, known: CacheEntry | undefined): unknown {
    const value = this.value(record, key.length);
    if (value !== Unsure) this.#remember(key, known, value);
    return value;
  }

  protected override forget(): void {
    this.entries.clear();
  }

  /** Call it before Rust looks a key up. Returns whether `remember` may cache the result until the next write to the dict. */
  moment(): boolean {
    const words = this.words;
    const found = this.found;
    this.turn(load(words, ROOT), load(words, ROOT + 1));
    found.slot = VERSION;
    found.high = load(words, VERSION + 1);
    found.low = Atomics.load(words, VERSION);
    found.number = 0;
    return (found.low & 1) === 0 && this.isValid(found);
  }

  /** Caches what Rust found after `moment`. */
  remember(key: string, value: unknown): void {
    if (key.length > LONGEST_KEPT || this.#cacheable(value) === undefined) return;
    if (this.isValid(this.found)) this.#remember(key, this.entries.get(key), value);
  }

  /** The value if it can be cached; else undefined. */
  #cacheable(value: unknown): unknown {
    switch (typeof value) {
      case 'string':
        return value.length <= LONGEST_KEPT ? value : undefined;
      case 'number':
        // It may be overwritten in place, which only VERSION tells.
        return this.found.slot === VERSION ? value : undefined;
      case 'object':
        return value === null ? value : undefined;
      default:
        return value;
    }
  }

  /**
   * Caches what was found of the key. The first misses, as many as there are keys, add nothing: most programs read most keys
   * once.
   */
  #remember(key: string, known: CacheEntry | undefined, value: unknown): void {
    if (known !== undefined) return known.take(this.found, this.#cacheable(value));
    if (this.#most === 0) return;
    if (this.#patience < 0) this.#patience = Math.min(this.count, this.#most);
    if (this.#patience > 0) this.#patience--;
    else this.#add(key, value);
  }

  #add(key: string, value: unknown): void {
    if (this.entries.size === this.#most) {
      // The program reads other keys by now. If that repeats, it reads more keys than the cache can hold.
      this.entries.clear();
      this.#impatient *= 2;
    }
    const entry = new CacheEntry();
    entry.take(this.found, this.#cacheable(value));
    this.entries.set(key, entry);
    if (this.entries.size === this.#most) this.#patience = this.#impatient;
  }
}
