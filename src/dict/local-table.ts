import { IN_ORDER } from '../common/memory-order.js';
import type { CacheEntry } from './cache-entry.js';
import { CachedLookup } from './cache.js';
import * as callBuffer from './call-buffer.js';
import { hash, isWide, keyWords, LAYOUT, UNHASHED } from './call-buffer.js';
import * as kinds from './kinds.js';
import { isSaid, MISSING, ROOMS, WORD_BY_WORD } from './lookup.js';

const { version: VERSION, root: ROOT, free: FREE, blocks: BLOCKS } = LAYOUT;
/** The word of a slot, as it is stored at once. */
const slotDouble = new Float64Array(1);
const slotWords = new Int32Array(slotDouble.buffer);
/** The upper half of a double with these bits is no number. */
const NO_NUMBER = 0x7ff00000;
/** Sizes of small blocks are multiples of this. */
const GRAIN = ROOMS[0]!;

/** @internal All that JavaScript does with a dict's memory by itself: it looks keys up, and writes over what is there. */
export class LocalTable extends CachedLookup {
  /** The same for the one who has the lock, beside whom nobody writes. */
  #isThereNow(place: CacheEntry): boolean {
    const words = this.words;
    return words[ROOT] === this.rootLow && words[ROOT + 1] === this.rootHigh && isSaid(words, place);
  }

  /**
   * With the lock: writes a number over the one that is there, in the three stores of `crates/shmkit/src/dict/write.rs`;
   * whether it has. Whoever dies or is stopped between two of them leaves what he would leave there.
   */
  overwrite(key: string, value: number): boolean {
    // Rust has one NaN for all.
    if (!IN_ORDER || Number.isNaN(value)) return false;
    const words = this.words;
    const known = this.entries.get(key);
    let number = known?.number ?? 0;
    if (number === 0 || !this.#isThereNow(known!)) {
      const record = this.find(key);
      // What is no number is not read: it may be damaged, or a newer version's, and goes.
      if (record <= MISSING || ((words[record + 1]! >>> 8) & 0xff) !== kinds.NUMBER) return false;
      if (typeof this.read(record, key, known) !== 'number') return false;
      number = this.found.number;
      if (number === 0) return false;
    }
    const version = words[VERSION]!;
    // Beyond the last one its upper half changes too.
    if ((version & 1) !== 0 || version === -2) return false;
    // Stores stay in order, and so do those of the lock. The call keeps the engine from leaving out the first one.
    words[VERSION] = version + 1;
    Atomics.load(words, VERSION);
    this.doubles[number] = value;
    words[VERSION] = version + 2;
    return true;
  }

  /**
   * With the lock: puts the staged value in place of a record of the same size, as `set` in
   * `crates/shmkit/src/dict/write.rs` does; whether it has.
   */
  replace(wanted: number): boolean {
    const length = callBuffer.words[callBuffer.LENGTH]!;
    const kind = callBuffer.words[callBuffer.KIND]!;
    // As above.
    if (kind === kinds.NUMBER && Number.isNaN(callBuffer.doubles[0])) return false;
    const from = callBuffer.words[callBuffer.AT]!;
    const bytes = length > WORD_BY_WORD ? callBuffer.values.subarray(from, from + length) : undefined;
    return this.#replace(wanted, callBuffer.words[callBuffer.KEY_LENGTH]!, kind, length, bytes, from);
  }

  /** The same with a text that does not lie there. */
  replaceText(key: string, text: string): boolean {
    if (isWide(text)) return false;
    const wanted = hash(key);
    return wanted !== UNHASHED && this.#replace(wanted, key.length, kinds.LATIN1, text.length, text, 0);
  }

  /** And with bytes. */
  replaceBytes(key: string, kind: number, bytes: Uint8Array): boolean {
    const wanted = hash(key);
    return (
      wanted !== UNHASHED && this.#replace(wanted, key.length, kind, callBuffer.lengthOf(bytes), bytes, 0)
    );
  }

  /**
   * Puts a value in place of a record of the same size: a text, or so many bytes, or words of the call buffer. Between the two
   * versions whoever comes after a death tells what is free from the slots.
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
    // The first that is free, and the one after it: small numbers.
    const first = FREE + size * 2;
    const block = words[first]!;
    if (block < BLOCKS || block % GRAIN !== 0 || block + room > this.bytes.length) return false;
    const at = block / 4;
    const next = words[at]!;
    if (words[first + 1] !== 0 || words[at + 1] !== 0) return false;
    const version = words[VERSION]!;
    // Beyond the last one its upper half changes too; and a double is any word but those that are no number.
    if ((version & 1) !== 0 || version === -2 || ((version + 2) & NO_NUMBER) === NO_NUMBER) return false;
    // All but the record's first two words, where the block says what is free after it: a script may be ended in a loop.
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
    // As above.
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
