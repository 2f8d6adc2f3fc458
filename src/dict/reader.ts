import * as binding from '#binding';
import { fence, IN_ORDER, load } from '../common/memory-order.js';
import * as callBuffer from './call-buffer.js';
import { hash, isWide, keyWords, LAYOUT, sliceable, UNHASHED } from './call-buffer.js';
import { copyPart, copyPlain, plainParts } from './copies.js';
import type { Copy } from './copies.js';
import * as kinds from './kinds.js';
import { copyOfLast } from './unpack.js';
import { LONGEST_TEXT, mediumText, shortText } from './texts.js';
import { decodeBytes, scratch } from './values.js';

const { version: VERSION, count: COUNT, root: ROOT, limit: LIMIT, free: FREE, blocks: BLOCKS } = LAYOUT;
const ROOMS = Float64Array.from(LAYOUT.rooms);
/** In place of the words of a closed dict, which say to leave everything to Rust. */
const CLOSED = new Int32Array(1024).fill(-1).buffer;
/** Texts and objects beyond this are Rust's to copy. */
const LONGEST = scratch.length;
const scratchWords = new Int32Array(scratch.buffer);
/** Values of up to so many bytes are copied so, as a call takes longer. */
const WORD_BY_WORD = 128;
/** As `find` says: there is none, or Rust is to look. */
const MISSING = 0;
const UNSURE = -1;
/** So far one looks from where the hash leads to. */
const STEPS = 64;
/** Tables of more slots than 2 ** this are Rust's. */
const LARGEST = 24;
/** The word of a slot, as it is stored at once. */
const slotDouble = new Float64Array(1);
const slotWords = new Int32Array(slotDouble.buffer);
/** The upper half of a double with these bits is no number. */
const NO_NUMBER = 0x7ff00000;
/** Sizes of small blocks are multiples of this. */
const GRAIN = ROOMS[0]!;
/** The low half of the word of a slot whose entry was deleted. */
const DELETED = 1;
/** Places are given up for others after so many looks for those, at first, for each of them. */
const IMPATIENT = 4;
/** Texts that are no longer than this are remembered, and keys. */
const LONGEST_KEPT = 4096;
/** And objects of no more bytes than this. */
const LONGEST_ORIGINAL = 512;
/** And of no more objects and arrays in them. */
const MOST_PARTS = 32;

/** @internal In place of a value: Rust is to look. */
export const Unsure = Symbol('unsure');

/**
 * Where a key was found. What its slot said does not come again once it has changed, or not before 2 ** 31 commits: as long as
 * that says it, and the root the same table, that record is the key's.
 */
class CacheEntry {
  slot = 0;
  low = 0;
  high = 0;
  /** Where the number is, in doubles, that is its value; 0 where none is. It may be written over. */
  number = 0;
  /** Its value, of those that are not written over and that whoever reads cannot change; else undefined. */
  value: unknown = undefined;
  /** Its value, of which each reader has a copy, and how that is made. Null where it cannot be. */
  original: object | null | undefined = undefined;
  copy: Copy = copyPlain;

  /** Becomes what another is, with a value of its own. */
  take(other: CacheEntry, value: unknown): void {
    this.slot = other.slot;
    this.low = other.low;
    this.high = other.high;
    this.number = other.number;
    this.value = value;
    this.original = undefined;
  }
}

/**
 * @internal Looks keys up in a dict's memory, as `crates/shmkit/src/dict/read.rs` does: a call of Rust costs more than the
 * look. What is not plain, or is written to meanwhile, is left to Rust: keys that are not short ASCII, large values, all
 * that seems damaged.
 *
 * It remembers where keys are that it is asked for again and again, and values that are as they were as long as they are
 * there: a look at the slot says that, which whoever writes to the key changes.
 */
export class Reader {
  readonly #native: binding.DictHandle;
  /** How many places it remembers. */
  readonly #most: number;
  #buffer: ArrayBuffer = CLOSED;
  #words = new Int32Array(CLOSED);
  #doubles = new Float64Array(CLOSED);
  #bytes = sliceable(CLOSED);
  /** Where the last key was found. */
  readonly #found = new CacheEntry();
  /** What the root said when that and all places were found. */
  #rootLow = 0;
  #rootHigh = 0;
  readonly #entries = new Map<string, CacheEntry>();
  /** So many looks for others until a place is remembered; or, once there are as many as can be, until they are given up. */
  #patience = -1;
  #impatient: number;
  /** Of the last object that was read: its kind, and its bytes. */
  #kind = 0;
  #length = 0;

  constructor(native: binding.DictHandle, most: number) {
    this.#native = native;
    this.#most = most;
    this.#impatient = most * IMPATIENT;
    this.#open();
  }

  /** Changes with every commit, and is odd while one is applied. 32 bits of it. */
  get version(): number {
    return Atomics.load(this.#words, VERSION);
  }

  /** How many entries there are, about. */
  get count(): number {
    return (this.#words[COUNT] as number) >>> 0;
  }

  /** The value, undefined where there is none, `Unsure` where Rust is to look. */
  get(key: string): unknown {
    const place = this.#entries.size > 0 ? this.#entries.get(key) : undefined;
    if (place !== undefined) {
      const value = place.number > 0 ? this.#doubles[place.number] : place.value;
      if (this.#isThere(place)) {
        if (value !== undefined) return value;
        return place.original ? place.copy(place.original, copyPart) : this.#again(place, key.length);
      }
    }
    return this.#look(key, place);
  }

  /** The value of a key that is still where it was. */
  #again(place: CacheEntry, keyLength: number): unknown {
    this.#found.take(place, undefined);
    const value = this.#value(place.low * 4, keyLength);
    if (place.original === null || typeof value !== 'object' || value === null) return value;
    if (
      this.#kind !== kinds.MESSAGE_PACK ||
      this.#length > LONGEST_ORIGINAL ||
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
    const place = this.#entries.get(key);
    if (place !== undefined && this.#isThere(place)) return true;
    const record = this.#find(key);
    if (record === MISSING) return false;
    return record === UNSURE || !this.#isThere(this.#found) ? undefined : true;
  }

  #look(key: string, known: CacheEntry | undefined): unknown {
    const record = this.#find(key);
    if (record <= MISSING) return record === MISSING ? undefined : Unsure;
    return this.#read(record, key, known);
  }

  #read(record: number, key: string, known: CacheEntry | undefined): unknown {
    const value = this.#value(record, key.length);
    if (value !== Unsure) this.#remember(key, known, value);
    return value;
  }

  /** Goes on with another table, if it is another one: its places are others. */
  #turn(rootLow: number, rootHigh: number): void {
    if (rootLow === this.#rootLow && rootHigh === this.#rootHigh) return;
    this.#entries.clear();
    this.#rootLow = rootLow;
    this.#rootHigh = rootHigh;
  }

  /** Whether what was found is there still, and so was all the time, now that everything before was read. */
  #isThere(place: CacheEntry): boolean {
    const words = this.#words;
    return isStill(words, this.#rootLow, this.#rootHigh) && isSaid(words, place);
  }

  /** The same for the one who has the lock, beside whom nobody writes. */
  #isThereNow(place: CacheEntry): boolean {
    const words = this.#words;
    return words[ROOT] === this.#rootLow && words[ROOT + 1] === this.#rootHigh && isSaid(words, place);
  }

  /** Before Rust looks for a key: whether it may be remembered what it finds, until anybody writes anything. */
  moment(): boolean {
    const words = this.#words;
    const found = this.#found;
    this.#turn(load(words, ROOT), load(words, ROOT + 1));
    found.slot = VERSION;
    found.high = load(words, VERSION + 1);
    found.low = Atomics.load(words, VERSION);
    found.number = 0;
    return (found.low & 1) === 0 && this.#isThere(found);
  }

  /** And this is what it found. */
  remember(key: string, value: unknown): void {
    if (key.length > LONGEST_KEPT || this.#cacheable(value) === undefined) return;
    if (this.#isThere(this.#found)) this.#remember(key, this.#entries.get(key), value);
  }

  /** A value that is remembered with the place that was found; undefined in place of others. */
  #cacheable(value: unknown): unknown {
    switch (typeof value) {
      case 'string':
        return value.length <= LONGEST_KEPT ? value : undefined;
      case 'number':
        // It may be written over, which VERSION alone says.
        return this.#found.slot === VERSION ? value : undefined;
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
    if (known !== undefined) return known.take(this.#found, this.#cacheable(value));
    if (this.#most === 0) return;
    if (this.#patience < 0) this.#patience = Math.min(this.count, this.#most);
    if (this.#patience > 0) this.#patience--;
    else this.#add(key, value);
  }

  #add(key: string, value: unknown): void {
    if (this.#entries.size === this.#most) {
      // Others are wanted by now. If that is so again and again there are too many of them.
      this.#entries.clear();
      this.#impatient *= 2;
    }
    const place = new CacheEntry();
    place.take(this.#found, this.#cacheable(value));
    this.#entries.set(key, place);
    if (this.#entries.size === this.#most) this.#patience = this.#impatient;
  }

  /**
   * With the lock: writes a number over the one that is there, in the three stores of `crates/shmkit/src/dict/write.rs`;
   * whether it has. Whoever dies or is stopped between two of them leaves what he would leave there.
   */
  overwrite(key: string, value: number): boolean {
    // Rust has one NaN for all.
    if (!IN_ORDER || Number.isNaN(value)) return false;
    const words = this.#words;
    const known = this.#entries.get(key);
    let number = known?.number ?? 0;
    if (number === 0 || !this.#isThereNow(known!)) {
      const record = this.#find(key);
      // What is no number is not read: it may be damaged, or a newer version's, and goes.
      if (record <= MISSING || ((words[record + 1]! >>> 8) & 0xff) !== kinds.NUMBER) return false;
      if (typeof this.#read(record, key, known) !== 'number') return false;
      number = this.#found.number;
      if (number === 0) return false;
    }
    const version = words[VERSION]!;
    // Beyond the last one its upper half changes too.
    if ((version & 1) !== 0 || version === -2) return false;
    // Stores stay in order, and so do those of the lock. The call keeps the engine from leaving out the first one.
    words[VERSION] = version + 1;
    Atomics.load(words, VERSION);
    this.#doubles[number] = value;
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
   * Puts a value in place of a record of the same size: a text, or so many bytes, or words of the callBuffer. Between the two
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
    const words = this.#words;
    const record = this.#seek(wanted, keyLength);
    if (record <= MISSING) return false;
    const size = words[record + 1]! & 0xff;
    const room = ROOMS[size];
    const keyEnd = (16 + keyLength + 7) & ~7;
    if (room === undefined || keyEnd + length > room || (size > 0 && keyEnd + length <= ROOMS[size - 1]!))
      return false;
    // The first that is free, and the one after it: small numbers.
    const first = FREE + size * 2;
    const block = words[first]!;
    if (block < BLOCKS || block % GRAIN !== 0 || block + room > this.#bytes.length) return false;
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
    } else if (typeof value === 'string') this.#bytes.latin1Write(value, to, length);
    else this.#bytes.set(value, to);
    slotWords[0] = block / 16;
    slotWords[1] = version + 2;
    // As above.
    words[VERSION] = version + 1;
    Atomics.load(words, VERSION);
    words[at] = keyLength;
    words[at + 1] = (kind << 8) | size;
    this.#doubles[this.#found.slot / 2] = slotDouble[0]!;
    words[record] = next;
    words[record + 1] = 0;
    words[first] = record * 4;
    words[VERSION] = version + 2;
    return true;
  }

  /** Where the key's record is, in words. */
  #find(key: string): number {
    const wanted = hash(key);
    return wanted === UNHASHED ? UNSURE : this.#seek(wanted, key.length);
  }

  /** The same of the key on the callBuffer. */
  #seek(wanted: number, keyLength: number): number {
    const words = this.#words;
    const rootLow = load(words, ROOT);
    const rootHigh = load(words, ROOT + 1);
    const log = rootLow & 0xff;
    if (log > LARGEST) return UNSURE;
    const mask = (1 << log) - 1;
    const table = (((rootHigh & 0xff) << 24) | (rootLow >>> 8)) * 4;
    for (let step = 0; step < STEPS; step++) {
      const slot = table + ((wanted + step) & mask) * 4;
      if (slot < 0 || slot + 4 > words.length) return this.#follow();
      const low = load(words, slot);
      if (low === 0) return isStill(words, rootLow, rootHigh) ? MISSING : UNSURE;
      if (low !== DELETED && words[slot + 2] === wanted) {
        const found = this.#found;
        this.#turn(rootLow, rootHigh);
        found.slot = slot;
        found.low = low;
        found.high = load(words, slot + 1);
        const record = low * 4;
        if (record <= 0 || record + 4 + keyWords.length > words.length) return this.#follow();
        return words[record] === keyLength && hasKey(words, record + 4, keyLength) ? record : UNSURE;
      }
    }
    return UNSURE;
  }

  /** The value of the record that was found. */
  #value(record: number, keyLength: number): unknown {
    const words = this.#words;
    const head = words[record + 1]!;
    const length = words[record + 2]!;
    // From here on in bytes.
    const from = record * 4;
    const start = from + 16 + ((keyLength + 7) & ~7);
    const end = start + length;
    const room = ROOMS[head & 0xff];
    if (length < 0 || length > LONGEST || words[record + 3] !== 0) return Unsure;
    if (room === undefined || end > from + room) return Unsure;
    if (end > this.#bytes.length) return (this.#follow(), Unsure);
    let value: unknown;
    const found = this.#found;
    found.number = 0;
    const kind = (head >>> 8) & 0xff;
    switch (kind) {
      case kinds.NULL:
        value = null;
        break;
      case kinds.FALSE:
        value = false;
        break;
      case kinds.TRUE:
        value = true;
        break;
      case kinds.NUMBER:
      case kinds.FLOAT:
        if (length !== 8) return Unsure;
        value = this.#doubles[start / 8];
        if (kind === kinds.NUMBER) found.number = start / 8;
        return this.#isThere(found) ? value : Unsure;
      case kinds.LATIN1:
        value =
          length <= LONGEST_TEXT && start + LONGEST_TEXT <= this.#bytes.length
            ? textAt(words, start >> 2, length)
            : this.#bytes.latin1Slice(start, end);
        break;
      case kinds.UTF16:
        value = this.#bytes.ucs2Slice(start, end);
        break;
      case kinds.BIGINT:
        return Unsure;
      default:
        this.#kind = kind;
        this.#length = length;
        // Only what is known to be whole is looked into.
        if (length > WORD_BY_WORD) this.#bytes.copy(scratch, 0, start, end);
        else {
          for (let i = 0, first = start >> 2; i * 4 < length; i++) scratchWords[i] = words[first + i]!;
        }
        return this.#isThere(found) ? decodeBytes(scratch, kind, 0, length) : Unsure;
    }
    return this.#isThere(found) ? value : Unsure;
  }

  /** A look beyond the buffer's end: the dict may have grown. */
  #follow(): typeof UNSURE {
    const words = this.#words;
    const limit = (words[LIMIT]! >>> 0) + (words[LIMIT + 1]! >>> 0) * 2 ** 32;
    if (Math.min(limit, LAYOUT.most) > this.#buffer.byteLength) this.#open();
    return UNSURE;
  }

  #open(): void {
    const old = this.#buffer;
    this.#over(binding.dictBuffer(this.#native));
    if (old !== CLOSED) binding.detachDictBuffer(old);
  }

  #over(buffer: ArrayBuffer): void {
    // First: where the stack ends in it all stay those of one buffer.
    this.#bytes = sliceable(buffer);
    this.#buffer = buffer;
    this.#words = new Int32Array(buffer);
    this.#doubles = new Float64Array(buffer);
  }

  /** Its buffer, which it uses no more: all looks are Rust's from now on. */
  close(): ArrayBuffer {
    const buffer = this.#buffer;
    this.#entries.clear();
    this.#over(CLOSED);
    return buffer;
  }
}

/** A text, of which each word is read once: others may write to them. */
function textAt(words: Int32Array, at: number, length: number): string {
  const a = words[at]!;
  const b = words[at + 1]!;
  if (length <= 8) return shortText(length, a, b);
  return mediumText(length, a, b, words[at + 2]!, words[at + 3]!, words[at + 4]!, words[at + 5]!);
}

/** Whether its slot says what it said. */
function isSaid(words: Int32Array, place: CacheEntry): boolean {
  return load(words, place.slot) === place.low && load(words, place.slot + 1) === place.high;
}

/** Whether the table is that one, now that everything before was read. */
function isStill(words: Int32Array, rootLow: number, rootHigh: number): boolean {
  if (!IN_ORDER) fence();
  // The call keeps the engine from moving what comes before it to behind it.
  return Atomics.load(words, ROOT) === rootLow && load(words, ROOT + 1) === rootHigh;
}

/** Whether the key that was hashed is there; what comes behind its end does not count. */
function hasKey(words: Int32Array, at: number, length: number): boolean {
  const whole = length >> 2;
  for (let i = 0; i < whole; i++) if (words[at + i] !== keyWords[i]) return false;
  const rest = length & 3;
  return rest === 0 || ((words[at + whole]! ^ keyWords[whole]!) & ((1 << (rest * 8)) - 1)) === 0;
}
