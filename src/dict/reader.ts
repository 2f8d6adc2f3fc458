import * as binding from '#binding';
import { IN_ORDER, load } from '../loads.js';
import { hash, keyHash, keyWords, LAYOUT, sliceable } from './desk.js';
import * as kinds from './kinds.js';
import { LONGEST_TEXT, mediumText, shortText } from './texts.js';
import { decodeBytes, scratch } from './values.js';

const { version: VERSION, count: COUNT, root: ROOT, limit: LIMIT } = LAYOUT;
const ROOMS = Float64Array.from(LAYOUT.rooms);
/** In place of the words of a closed dict, which say to leave everything to Rust. */
const CLOSED = new Int32Array(1024).fill(-1).buffer;
/** Texts and objects beyond this are Rust's to copy. */
const LONGEST = scratch.length;
const scratchWords = new Int32Array(scratch.buffer);
/** Values of up to so many bytes are copied so: a call takes longer. */
const WORD_BY_WORD = 128;
/** As `find` says: there is none, or Rust is to look. */
const MISSING = 0;
const UNSURE = -1;
/** So far one looks from where the hash leads to. */
const STEPS = 64;
/** Tables of more slots than 2 ** this are Rust's. */
const LARGEST = 24;
/** The low half of the word of a slot whose entry was deleted. */
const DELETED = 1;
/** Stored to before loads that have to be the last ones, where the processor would do them earlier. */
const fence = new Int32Array(1);

/** @internal In place of a value: Rust is to look. */
export const Unsure = Symbol('unsure');

/**
 * @internal Looks keys up in a dict's memory, as `crates/shmkit/src/dict/read.rs` does: a call of Rust costs more than the
 * look. What is not plain, or is written to meanwhile, is left to Rust: keys that are not short ASCII, large values, all
 * that seems damaged.
 */
export class Reader {
  readonly #native: binding.DictHandle;
  #buffer: ArrayBuffer = CLOSED;
  #words = new Int32Array(CLOSED);
  #doubles = new Float64Array(CLOSED);
  #bytes = sliceable(CLOSED);
  /** Where the last key was found, and what the slot and the root said there. */
  #slot = 0;
  #low = 0;
  #high = 0;
  #rootLow = 0;
  #rootHigh = 0;

  constructor(native: binding.DictHandle) {
    this.#native = native;
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
    const record = this.#find(key);
    if (record > MISSING) return this.#value(record, key.length);
    return record === MISSING ? undefined : Unsure;
  }

  /** Whether there is such a key; undefined where Rust is to look. */
  has(key: string): boolean | undefined {
    const record = this.#find(key);
    if (record === MISSING) return false;
    return record === UNSURE || !this.#isSame() ? undefined : true;
  }

  /**
   * With the lock: writes a number over the one that is there, in the three stores of `crates/shmkit/src/dict/write.rs`;
   * whether it has. Whoever dies or is stopped between two of them leaves what he would leave there.
   */
  overwrite(key: string, value: number): boolean {
    // Rust has one NaN for all.
    if (!IN_ORDER || Number.isNaN(value)) return false;
    const record = this.#find(key);
    if (record <= MISSING) return false;
    const words = this.#words;
    const head = words[record + 1]!;
    if (((head >>> 8) & 0xff) !== kinds.NUMBER || words[record + 2] !== 8 || words[record + 3] !== 0) {
      return false;
    }
    const from = record * 4;
    const start = from + 16 + ((key.length + 7) & ~7);
    const room = ROOMS[head & 0xff];
    if (room === undefined || start + 8 > from + room || from + room > this.#bytes.length) return false;
    const version = words[VERSION]!;
    // Beyond the last one its upper half changes too.
    if ((version & 1) !== 0 || version === -2) return false;
    // A call, which nothing that follows comes before; after it are plain stores, which stay in order, and the lock's.
    Atomics.store(words, VERSION, version + 1);
    this.#doubles[start / 8] = value;
    words[VERSION] = version + 2;
    return true;
  }

  /** Where the key's record is, in words. */
  #find(key: string): number {
    if (!hash(key)) return UNSURE;
    const words = this.#words;
    const rootLow = load(words, ROOT);
    const rootHigh = load(words, ROOT + 1);
    const log = rootLow & 0xff;
    if (log > LARGEST) return UNSURE;
    const mask = (1 << log) - 1;
    const table = (((rootHigh & 0xff) << 24) | (rootLow >>> 8)) * 4;
    for (let step = 0; step < STEPS; step++) {
      const slot = table + ((keyHash + step) & mask) * 4;
      if (slot < 0 || slot + 4 > words.length) return this.#follow();
      const low = load(words, slot);
      if (low === 0) return isStill(words, rootLow, rootHigh) ? MISSING : UNSURE;
      if (low !== DELETED && words[slot + 2] === keyHash) {
        this.#slot = slot;
        this.#low = low;
        this.#high = load(words, slot + 1);
        this.#rootLow = rootLow;
        this.#rootHigh = rootHigh;
        const record = low * 4;
        if (record <= 0 || record + 4 + keyWords.length > words.length) return this.#follow();
        return words[record] === key.length && hasKey(words, record + 4, key.length) ? record : UNSURE;
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
        break;
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
        // Only what is known to be whole is looked into.
        if (length > WORD_BY_WORD) this.#bytes.copy(scratch, 0, start, end);
        else {
          for (let i = 0, first = start >> 2; i * 4 < length; i++) scratchWords[i] = words[first + i]!;
        }
        return this.#isSame() ? decodeBytes(scratch, kind, 0, length) : Unsure;
    }
    return this.#isSame() ? value : Unsure;
  }

  /** Whether what was found is there still, and so was all the time. */
  #isSame(): boolean {
    const words = this.#words;
    return (
      isStill(words, this.#rootLow, this.#rootHigh) &&
      load(words, this.#slot) === this.#low &&
      load(words, this.#slot + 1) === this.#high
    );
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
    this.#buffer = buffer;
    this.#words = new Int32Array(buffer);
    this.#doubles = new Float64Array(buffer);
    this.#bytes = sliceable(buffer);
  }

  /** Its buffer, which it uses no more: all looks are Rust's from now on. */
  close(): ArrayBuffer {
    const buffer = this.#buffer;
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

/** Whether the table is that one, now that everything before was read. */
function isStill(words: Int32Array, rootLow: number, rootHigh: number): boolean {
  if (!IN_ORDER) Atomics.store(fence, 0, 0);
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
