import * as binding from '#binding';
import { fence, IN_ORDER, load } from '../common/memory-order.js';
import { CacheEntry, hasSameWord } from './cache-entry.js';
import { hash, keyWords, LAYOUT, sliceable, UNHASHED } from './call-buffer.js';
import * as kinds from './kinds.js';
import { LONGEST_TEXT, mediumText, shortText } from './texts.js';
import { decodeBytes, scratch } from './values.js';

const { version: VERSION, count: COUNT, root: ROOT, limit: LIMIT } = LAYOUT;
/** @internal Bytes of a block of each size. */
export const ROOMS = Float64Array.from(LAYOUT.classSizes);
/** The memory of a closed dict: its words send every lookup to Rust. */
const CLOSED = new Int32Array(1024).fill(-1).buffer;
/** Rust copies values that are longer than this, in bytes. */
const LONGEST = scratch.length;
const scratchWords = new Int32Array(scratch.buffer);
/** @internal Values of at most this many bytes are copied word by word, which is faster than a call. */
export const WORD_BY_WORD = 128;
/** @internal Instead of a record's index: the key is missing. */
export const MISSING = 0;
/** @internal Instead of a record's index: Rust must look. */
export const UNSURE = -1;
/** Slots to probe from the one that the hash names. */
const STEPS = 64;
/** The binary logarithm of the most slots of a table; Rust searches larger ones. */
const LARGEST = 24;
/** The low half of the word of a slot whose entry was deleted. */
const DELETED = 1;

/** @internal Instead of a value: Rust must look. */
export const Unsure = Symbol('unsure');

/**
 * @internal Looks keys up in a dict's memory, with the same steps as `crates/shmkit/src/dict/read.rs`, because a call to Rust
 * takes longer than the lookup. It leaves to Rust keys that are not short ASCII, large values, values that change during the
 * lookup, and anything that seems damaged.
 *
 * `CachedLookup` and `LocalTable` extend it, so that one object has all that an access needs.
 */
export class Lookup {
  readonly #native: binding.DictHandle;
  #buffer: ArrayBuffer = CLOSED;
  protected words = new Int32Array(CLOSED);
  protected doubles = new Float64Array(CLOSED);
  protected bytes = sliceable(CLOSED);
  /** Where the last key was found. */
  protected readonly found = new CacheEntry();
  /** The root's word when that was found. */
  protected rootLow = 0;
  protected rootHigh = 0;
  /** The kind of the last object that was read, and its length in bytes. */
  protected kind = 0;
  protected length = 0;

  constructor(native: binding.DictHandle) {
    this.#native = native;
    this.#open();
  }

  /** The low 32 bits of the version: it changes with every commit and is odd while one is applied. */
  get version(): number {
    return Atomics.load(this.words, VERSION);
  }

  /** About the number of entries: it may be changing. */
  get count(): number {
    return (this.words[COUNT] as number) >>> 0;
  }

  /** Whether an entry is still valid, and has been since it was found. All earlier reads come before this. */
  protected isValid(entry: CacheEntry): boolean {
    const words = this.words;
    return isRoot(words, this.rootLow, this.rootHigh) && hasSameWord(words, entry);
  }

  /** Switches to another table, if the root names another one. */
  protected turn(rootLow: number, rootHigh: number): void {
    if (rootLow === this.rootLow && rootHigh === this.rootHigh) return;
    this.forget();
    this.rootLow = rootLow;
    this.rootHigh = rootHigh;
  }

  /** Called when the table is replaced: entries of the old one are invalid. */
  protected forget(): void {
    // There are none here.
  }

  /** The index of the key's record, in words. */
  protected find(key: string): number {
    const wanted = hash(key);
    return wanted === UNHASHED ? UNSURE : this.seek(wanted, key.length);
  }

  /** The same for the key in the call buffer. */
  protected seek(wanted: number, keyLength: number): number {
    const words = this.words;
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
      if (low === 0) return isRoot(words, rootLow, rootHigh) ? MISSING : UNSURE;
      if (low !== DELETED && words[slot + 2] === wanted) {
        const found = this.found;
        this.turn(rootLow, rootHigh);
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

  /** Reads the value of the record that was found. */
  protected value(record: number, keyLength: number): unknown {
    const words = this.words;
    const head = words[record + 1]!;
    const length = words[record + 2]!;
    // In bytes from here on.
    const from = record * 4;
    const start = from + 16 + ((keyLength + 7) & ~7);
    const end = start + length;
    const room = ROOMS[head & 0xff];
    if (length < 0 || length > LONGEST || words[record + 3] !== 0) return Unsure;
    if (room === undefined || end > from + room) return Unsure;
    if (end > this.bytes.length) return (this.#follow(), Unsure);
    let value: unknown;
    const found = this.found;
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
        value = this.doubles[start / 8];
        if (kind === kinds.NUMBER) found.number = start / 8;
        return this.isValid(found) ? value : Unsure;
      case kinds.LATIN1:
        value =
          length <= LONGEST_TEXT && start + LONGEST_TEXT <= this.bytes.length
            ? textAt(words, start >> 2, length)
            : this.bytes.latin1Slice(start, end);
        break;
      case kinds.UTF16:
        value = this.bytes.ucs2Slice(start, end);
        break;
      case kinds.BIGINT:
        return Unsure;
      default:
        this.kind = kind;
        this.length = length;
        // Decode a copy, and only after it is known to be whole.
        if (length > WORD_BY_WORD) this.bytes.copy(scratch, 0, start, end);
        else {
          for (let i = 0, first = start >> 2; i * 4 < length; i++) scratchWords[i] = words[first + i]!;
        }
        return this.isValid(found) ? decodeBytes(scratch, kind, 0, length) : Unsure;
    }
    return this.isValid(found) ? value : Unsure;
  }

  /** Called for an index beyond the buffer: the dict may have grown. */
  #follow(): typeof UNSURE {
    const words = this.words;
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
    // This one first, since it may overflow the stack: the fields must all belong to one buffer.
    this.bytes = sliceable(buffer);
    this.#buffer = buffer;
    this.words = new Int32Array(buffer);
    this.doubles = new Float64Array(buffer);
  }

  /** Stops using the buffer and returns it. All lookups go to Rust from now on. */
  close(): ArrayBuffer {
    const buffer = this.#buffer;
    this.forget();
    this.#over(CLOSED);
    return buffer;
  }
}

/** A text. It reads each word once, because another process may be writing. */
function textAt(words: Int32Array, at: number, length: number): string {
  const a = words[at]!;
  const b = words[at + 1]!;
  if (length <= 8) return shortText(length, a, b);
  return mediumText(length, a, b, words[at + 2]!, words[at + 3]!, words[at + 4]!, words[at + 5]!);
}

/** Whether the root still names this table. All earlier reads come before this. */
function isRoot(words: Int32Array, rootLow: number, rootHigh: number): boolean {
  if (!IN_ORDER) fence();
  // This call keeps the compiler from moving earlier loads behind it.
  return Atomics.load(words, ROOT) === rootLow && load(words, ROOT + 1) === rootHigh;
}

/** Whether the record has the key that was hashed last. It ignores the padding behind the key. */
function hasKey(words: Int32Array, at: number, length: number): boolean {
  const whole = length >> 2;
  for (let i = 0; i < whole; i++) if (words[at + i] !== keyWords[i]) return false;
  const rest = length & 3;
  return rest === 0 || ((words[at + whole]! ^ keyWords[whole]!) & ((1 << (rest * 8)) - 1)) === 0;
}
