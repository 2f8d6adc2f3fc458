import { IN_ORDER } from '../common/memory-order.js';
import { hasSameWord } from './cache-entry.js';
import type { CacheEntry } from './cache-entry.js';
import { CachedLookup } from './cached-lookup.js';
import * as callBuffer from './call-buffer.js';
import { hash, isWide, keyWords, LAYOUT, UNHASHED } from './call-buffer.js';
import * as kinds from './kinds.js';
import { MISSING, ROOMS, WORD_BY_WORD } from './lookup.js';

const { version: VERSION, root: ROOT, free: FREE, blocks: BLOCKS } = LAYOUT;
/** A slot's word as a double, so that one store writes all of it. */
const slotDouble = new Float64Array(1);
const slotWords = new Int32Array(slotDouble.buffer);
/** If the upper half of a double has all of these bits, it is NaN or infinite. */
const NO_NUMBER = 0x7ff00000;
/** The granularity of small blocks, in bytes. */
const GRAIN = ROOMS[0]!;

/** @internal All that JavaScript does in a dict's memory without Rust: it looks keys up, and overwrites values in place. */
export class LocalTable extends CachedLookup {
  /** As `isValid`, for the holder of the lock: nothing else writes. */
  #isValidNow(entry: CacheEntry): boolean {
    const words = this.words;
    return words[ROOT] === this.rootLow && words[ROOT + 1] === this.rootHigh && hasSameWord(words, entry);
  }

  /**
   * Overwrites a number in place, with the three stores that `crates/shmkit/src/dict/write.rs` makes; returns whether it did. The
   * caller holds the lock. If it dies between two stores, it leaves what the Rust code would leave.
   */
  overwrite(key: string, value: number): boolean {
    // All NaNs are stored as one, which Rust does.
    if (!IN_ORDER || Number.isNaN(value)) return false;
    const words = this.words;
    const known = this.entries.get(key);
    let number = known?.number ?? 0;
    if (number === 0 || !this.#isValidNow(known!)) {
      const record = this.find(key);
      // Do not read a value of another kind: it may be damaged or from a newer version, and is about to be replaced.
      if (record <= MISSING || ((words[record + 1]! >>> 8) & 0xff) !== kinds.NUMBER) return false;
      if (typeof this.read(record, key, known) !== 'number') return false;
      number = this.found.number;
      if (number === 0) return false;
    }
    const version = words[VERSION]!;
    // At the next wrap-around the upper half of the version changes too: Rust does that.
    if ((version & 1) !== 0 || version === -2) return false;
    // Stores stay in order on x64, and so do those of the lock. The load keeps the compiler from dropping the first store.
    words[VERSION] = version + 1;
    Atomics.load(words, VERSION);
    this.doubles[number] = value;
    words[VERSION] = version + 2;
    return true;
  }

  /**
   * Replaces a record by the staged value if both have the same size class, as `set` in `crates/shmkit/src/dict/write.rs` does;
   * returns whether it did. The caller holds the lock.
   */
  replace(wanted: number): boolean {
    const length = callBuffer.words[callBuffer.LENGTH]!;
    const kind = callBuffer.words[callBuffer.KIND]!;
    // All NaNs are stored as one, which Rust does.
    if (kind === kinds.NUMBER && Number.isNaN(callBuffer.doubles[0])) return false;
    const from = callBuffer.words[callBuffer.AT]!;
    const bytes = length > WORD_BY_WORD ? callBuffer.values.subarray(from, from + length) : undefined;
    return this.#replace(wanted, callBuffer.words[callBuffer.KEY_LENGTH]!, kind, length, bytes, from);
  }

  /** The same with a text that is not staged. */
  replaceText(key: string, text: string): boolean {
    if (isWide(text)) return false;
    const wanted = hash(key);
    return wanted !== UNHASHED && this.#replace(wanted, key.length, kinds.LATIN1, text.length, text, 0);
  }

  /** The same with bytes that are not staged. */
  replaceBytes(key: string, kind: number, bytes: Uint8Array): boolean {
    const wanted = hash(key);
    return (
      wanted !== UNHASHED && this.#replace(wanted, key.length, kind, callBuffer.lengthOf(bytes), bytes, 0)
    );
  }

  /**
   * Replaces a record by a text, by bytes, or by words of the call buffer. After a death between the two stores to the version,
   * recovery derives the free blocks from the slots.
   */
  #replace(
    wanted: number,
    keyLength: number,
    kind: number,
    length: number,
    value: string | Uint8Array | undefined,
    from: number,
  ): boolean {
    if (!IN_ORDER) return false;
    const words = this.words;
    const record = this.seek(wanted, keyLength);
    if (record <= MISSING) return false;
    const size = words[record + 1]! & 0xff;
    const room = ROOMS[size];
    const keyEnd = (16 + keyLength + 7) & ~7;
    if (room === undefined || keyEnd + length > room || (size > 0 && keyEnd + length <= ROOMS[size - 1]!))
      return false;
    // The first free block, and the one after it. Large offsets are left to Rust.
    const first = FREE + size * 2;
    const block = words[first]!;
    if (block < BLOCKS || block % GRAIN !== 0 || block + room > this.bytes.length) return false;
    const at = block / 4;
    const next = words[at]!;
    if (words[first + 1] !== 0 || words[at + 1] !== 0) return false;
    const version = words[VERSION]!;
    // At a wrap-around the upper half of the version changes too. And V8 may change the bits of a NaN when it stores one.
    if ((version & 1) !== 0 || version === -2 || ((version + 2) & NO_NUMBER) === NO_NUMBER) return false;
    // All but the first two words, which link the free list: a script may be terminated in a loop.
    words[at + 2] = length;
    words[at + 3] = 0;
    for (let i = 0; i * 4 < keyLength; i++) words[at + 4 + i] = keyWords[i]!;
    const to = block + keyEnd;
    if (value === undefined) {
      for (let i = 0; i * 4 < length; i++) words[to / 4 + i] = callBuffer.valueWords[from / 4 + i]!;
    } else if (typeof value === 'string') this.bytes.latin1Write(value, to, length);
    else this.bytes.set(value, to);
    slotWords[0] = block / 16;
    slotWords[1] = version + 2;
    // As in `overwrite`.
    words[VERSION] = version + 1;
    Atomics.load(words, VERSION);
    words[at] = keyLength;
    words[at + 1] = (kind << 8) | size;
    this.doubles[this.found.slot / 2] = slotDouble[0]!;
    words[record] = next;
    words[record + 1] = 0;
    words[first] = record * 4;
    words[VERSION] = version + 2;
    return true;
  }
}
