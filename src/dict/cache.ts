import type * as binding from '#binding';
import { load } from '../common/memory-order.js';
import { CacheEntry } from './cache-entry.js';
import { LAYOUT } from './call-buffer.js';
import { copyPart, copyPlain, plainParts } from './copies.js';
import * as kinds from './kinds.js';
import { Lookup, MISSING, UNSURE, Unsure } from './lookup.js';
import { copyOfLast } from './unpack.js';

const { version: VERSION, root: ROOT } = LAYOUT;
/** Places are given up for others after so many looks for those, at first, for each of them. */
const IMPATIENT = 4;
/** Texts that are no longer than this are remembered, and keys. */
const LONGEST_KEPT = 4096;
/** And objects of no more bytes than this. */
const LONGEST_ORIGINAL = 512;
/** And of no more objects and arrays in them. */
const MOST_PARTS = 32;

/**
 * @internal Remembers where keys are that it is asked for again and again, and values that are as they were as long as they
 * are there: a look at the slot says that, which whoever writes to the key changes.
 */
export class CachedLookup extends Lookup {
  /** How many places it remembers. */
  readonly #most: number;
  protected readonly entries = new Map<string, CacheEntry>();
  /** So many looks for others until a place is remembered; or, once there are as many as can be, until they are given up. */
  #patience = -1;
  #impatient: number;

  constructor(native: binding.DictHandle, most: number) {
    super(native);
    this.#most = most;
    this.#impatient = most * IMPATIENT;
  }

  /** The value, undefined where there is none, `Unsure` where Rust is to look. */
  get(key: string): unknown {
    const place = this.entries.size > 0 ? this.entries.get(key) : undefined;
    if (place !== undefined) {
      const value = place.number > 0 ? this.doubles[place.number] : place.value;
      if (this.isThere(place)) {
        if (value !== undefined) return value;
        return place.original ? place.copy(place.original, copyPart) : this.#again(place, key.length);
      }
    }
    return this.#look(key, place);
  }

  /** The value of a key that is still where it was. */
  #again(place: CacheEntry, keyLength: number): unknown {
    this.found.take(place, undefined);
    const value = this.value(place.low * 4, keyLength);
    if (place.original === null || typeof value !== 'object' || value === null) return value;
    if (
      this.kind !== kinds.MESSAGE_PACK ||
      this.length > LONGEST_ORIGINAL ||
      plainParts(value) > MOST_PARTS
    ) {
      place.original = null;
      return value;
    }
    // First, or a script that is ended here leaves the copy of another one.
    place.copy = copyOfLast() ?? copyPlain;
    place.original = value;
    return place.copy(value, copyPart);
  }

  /** Whether there is such a key; undefined where Rust is to look. */
  has(key: string): boolean | undefined {
    const place = this.entries.get(key);
    if (place !== undefined && this.isThere(place)) return true;
    const record = this.find(key);
    if (record === MISSING) return false;
    return record === UNSURE || !this.isThere(this.found) ? undefined : true;
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

  /** Before Rust looks for a key: whether it may be remembered what it finds, until anybody writes anything. */
  moment(): boolean {
    const words = this.words;
    const found = this.found;
    this.turn(load(words, ROOT), load(words, ROOT + 1));
    found.slot = VERSION;
    found.high = load(words, VERSION + 1);
    found.low = Atomics.load(words, VERSION);
    found.number = 0;
    return (found.low & 1) === 0 && this.isThere(found);
  }

  /** And this is what it found. */
  remember(key: string, value: unknown): void {
    if (key.length > LONGEST_KEPT || this.#cacheable(value) === undefined) return;
    if (this.isThere(this.found)) this.#remember(key, this.entries.get(key), value);
  }

  /** A value that is remembered with the place that was found; undefined in place of others. */
  #cacheable(value: unknown): unknown {
    switch (typeof value) {
      case 'string':
        return value.length <= LONGEST_KEPT ? value : undefined;
      case 'number':
        // It may be written over, which VERSION alone says.
        return this.found.slot === VERSION ? value : undefined;
      case 'object':
        return value === null ? value : undefined;
      default:
        return value;
    }
  }

  /**
   * What was found of the key. Before one has looked as often as there are keys it would be for nothing: most are looked at
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
      // Others are wanted by now. If that is so again and again there are too many of them.
      this.entries.clear();
      this.#impatient *= 2;
    }
    const place = new CacheEntry();
    place.take(this.found, this.#cacheable(value));
    this.entries.set(key, place);
    if (this.entries.size === this.#most) this.#patience = this.#impatient;
  }
}
