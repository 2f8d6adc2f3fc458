import { checkOptions } from '../common/arguments.js';
import { Buffer } from 'node:buffer';
import { inspect, types } from 'node:util';
import type { InspectOptions } from 'node:util';

import { createList, listCount, listFormat, listIndexOf, listSlots, segmentSize } from '#binding';
import { closedError, detachedError, outOfRange, shmError, valueError, wrongType } from '../common/errors.js';
import {
  BOOL_HI,
  BOOL_LO,
  CODE_BYTES,
  CODE_NONE,
  CODE_PLAIN,
  CODE_STR,
  FLOAT_HI,
  FLOAT_LO,
  FORMAT_BOOL,
  FORMAT_FLOAT,
  FORMAT_INT,
  FORMAT_NONE,
  INT_HI,
  INT_LO,
  NONE_HI,
  NONE_LO,
  sizedWord,
} from './format.js';
import {
  checkInt,
  checkTrailingNul,
  decodeText,
  isFloat,
  isInt,
  maxPayload,
  packItems,
  stripNul,
  unsupported,
  writePayload,
} from './values.js';
import type { Float, ListItem, TrailingNul } from './values.js';
import { warnWhereUntracked } from '../ownership/housekeeping.js';
import { attachKind, created, creation, discard, memoryOver, nativeOf } from '../segment/memory.js';
import type { SharedMemory } from '../segment/memory.js';
import { MemoryHandle } from '../segment/memory-handle.js';
import { ATTACH_OPTIONS, CREATE_OPTIONS } from './options.js';
import type { ListAttachOptions, ListCreateOptions } from './options.js';
import type { Descriptor } from '../common/shared-object.js';

export { float } from './values.js';
export type { ListAttachOptions, ListCreateOptions } from './options.js';
export type { Float, ListItem } from './values.js';

/** Whether an index counts from the end. Others that are no index lead to no slot. */
function isNegative(index: number): boolean {
  return typeof index === 'number' && index < 0 && Number.isInteger(index);
}

/** Looks at an item while another process changes its type, before it counts as damaged. */
const TORN_TRIES = 1000;
/** Slots of up to so many words are copied in a loop, larger ones by the engine. */
const SHORT_WORDS = 16;

// One 64-bit item is moved as one element through this scratch: as two halves, reads that race a writer
// come out torn. Text and bytes are looked at only in their copy here.
let scratchBytes = Buffer.alloc(4096);
let scratchPlain = new Uint8Array(scratchBytes.buffer, scratchBytes.byteOffset, 4096);
let scratchBig = new BigInt64Array(scratchBytes.buffer, scratchBytes.byteOffset, 512);
let scratchInt = new Int32Array(scratchBytes.buffer, scratchBytes.byteOffset, 1024);

function growScratch(words: number): void {
  if (words <= scratchBig.length) return;
  scratchBytes = Buffer.alloc(words * 8);
  scratchPlain = new Uint8Array(scratchBytes.buffer, scratchBytes.byteOffset, words * 8);
  scratchBig = new BigInt64Array(scratchBytes.buffer, scratchBytes.byteOffset, words);
  scratchInt = new Int32Array(scratchBytes.buffer, scratchBytes.byteOffset, words * 2);
}

let over: (shm: SharedMemory, trailingNul: TrailingNul) => ShareableList;

/**
 * A list of fixed length in shared memory, with the same bytes as CPython's
 * `multiprocessing.shared_memory.ShareableList`. Each item can be read and replaced in place, as long as text
 * and bytes fit into the slot that they were created with.
 *
 * ```js
 * using list = ShareableList.create(['howdy', 273.15, 42, null, true], { name: 'board' });
 * list.set(2, 43); // Python: ShareableList(name='board')[2]
 * ```
 *
 * Integers read as `number` if that is exact, otherwise as `bigint`. There is no lock: a process that reads an
 * item while another changes its type may see the old one.
 */
export class ShareableList extends MemoryHandle implements Iterable<ListItem> {
  /** Number of items. */
  readonly length: number;
  readonly #trailingNul: TrailingNul;
  // Views of the mapping. close() leaves them with no elements, so an access then falls through to the
  // slow path, which says so: the fast ones need no check of their own.
  readonly #big: BigInt64Array;
  readonly #int: Int32Array;
  readonly #float: Float64Array;
  readonly #bytes: Uint8Array;
  /** Where each slot starts, in words; a private copy, so that no header can lead outside the segment. */
  readonly #slots: Uint32Array;
  /** The word where the formats start, and the byte where the codes do. */
  readonly #formats: number;
  readonly #codes: number;

  private constructor(shm: SharedMemory, trailingNul: TrailingNul) {
    super('list', shm);
    this.#trailingNul = trailingNul;
    const slots = listSlots(nativeOf(shm));
    const { buffer } = shm;
    const words = Math.floor(shm.size / 8);
    this.length = slots.length - 1;
    this.#slots = slots;
    this.#formats = slots[this.length]!;
    this.#codes = (this.#formats + this.length) * 8;
    this.#big = new BigInt64Array(buffer, 0, words);
    this.#int = new Int32Array(buffer, 0, words * 2);
    this.#float = new Float64Array(buffer, 0, words);
    this.#bytes = new Uint8Array(buffer);
  }

  /**
   * Creates a list of these items. Text and bytes can later be replaced by what fits into their slot, which has
   * `8 * (UTF-8 bytes // 8 + 1)` bytes.
   * @throws `ERR_SHM_VALUE` for a value that would not be read back the same (integers beyond 64 bits, lone
   * surrogates, trailing NULs); `ERR_INVALID_ARG_TYPE` for another type; `ERR_OUT_OF_RANGE` for more than 32
   * GiB; otherwise as `SharedMemory.create` and `SharedMemory.buffer`.
   */
  static create(values: Iterable<ListItem | Float>, options?: ListCreateOptions): ShareableList {
    const given = checkOptions(options, CREATE_OPTIONS);
    const [name, mode, reserve, populate, track] = creation(given, CREATE_OPTIONS);
    const trailingNul = checkTrailingNul(given.trailingNul);
    if (values === null || values === undefined || typeof values[Symbol.iterator] !== 'function') {
      throw wrongType('values', 'iterable', values);
    }
    const { kinds, words, payload } = packItems(Array.isArray(values) ? values : [...values], trailingNul);
    const native = createList(kinds, words, payload, name, mode, reserve, populate, track);
    if (track) warnWhereUntracked();
    return over(memoryOver(native, created(native, name, segmentSize(native))), trailingNul);
  }

  /**
   * Opens a list that this or another process created, in Node or Python.
   * @throws `ERR_SHM_CORRUPT` if the segment does not hold a list, with what is wrong; otherwise as
   * `SharedMemory.attach` and `SharedMemory.buffer`.
   */
  static attach(target: string | Descriptor, options?: ListAttachOptions): ShareableList {
    const given = checkOptions(options, ATTACH_OPTIONS);
    const trailingNul = checkTrailingNul(given.trailingNul);
    return over(attachKind('list', target, given, ATTACH_OPTIONS), trailingNul);
  }

  static {
    over = (shm, trailingNul) => {
      try {
        return new ShareableList(shm, trailingNul);
      } catch (error) {
        if (shm.created) discard(shm);
        else shm.close();
        throw error;
      }
    };
  }

  /**
   * The `struct` formats of all items, joined, as Python's `ShareableList.format`.
   * @throws `ERR_SHM_CLOSED`; `ERR_SHM_DETACHED` if the segment's buffer was transferred; `ERR_SHM_CORRUPT` if
   * another process damaged an item's format.
   */
  get format(): string {
    this.#checkOpen();
    return listFormat(nativeOf(this.shm));
  }

  /**
   * Returns the item at `index`; a negative index counts from the end. Bytes are a copy.
   * @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`;
   * `ERR_SHM_ENCODING` for text that CPython cut inside a character (gh-88336); `ERR_SHM_CORRUPT` if another
   * process damaged the item's format.
   */
  get(index: number): ListItem {
    const at = isNegative(index) ? index + this.length : index;
    const slot = this.#slots[at];
    if (slot === undefined || at === this.length || typeof index !== 'number') throw this.#badIndex(index);
    const format = (this.#formats + at) * 2;
    const lo = this.#int[format];
    const hi = this.#int[format + 1];
    if (lo === INT_LO && hi === INT_HI) {
      scratchBig[0] = this.#big[slot]!;
      const low = scratchInt[0]!;
      const high = scratchInt[1]!;
      if (high === low >> 31) return low;
      const value = high * 4294967296 + (low >>> 0);
      return Number.isSafeInteger(value) ? value : scratchBig[0]!;
    }
    if (lo === FLOAT_LO && hi === FLOAT_HI) return this.#float[slot]!;
    if (lo === BOOL_LO && hi === BOOL_HI) return this.#bytes[slot * 8 + 7] !== 0;
    if (lo === NONE_LO && hi === NONE_HI) return null;
    return this.#getSized(at, slot);
  }

  /**
   * Replaces the item at `index`; a negative index counts from the end. A number that is set into a float slot
   * stays a float.
   * @throws `ERR_OUT_OF_RANGE` for an index outside; `ERR_SHM_VALUE` for a value that does not fit into the
   * slot or would not be read back the same; `ERR_INVALID_ARG_TYPE`; `ERR_SHM_READ_ONLY`; `ERR_SHM_CLOSED`;
   * `ERR_SHM_DETACHED`. The list is unchanged then.
   */
  set(index: number, value: ListItem | Float): void {
    const at = isNegative(index) ? index + this.length : index;
    const slot = this.#slots[at];
    if (slot === undefined || at === this.length || typeof index !== 'number') throw this.#badIndex(index);
    const format = (this.#formats + at) * 2;
    const lo = this.#int[format];
    if (lo === undefined || this.shm.readOnly) throw this.#unwritable();
    if (typeof value === 'number') {
      if (lo === FLOAT_LO && this.#int[format + 1] === FLOAT_HI) {
        if (this.#bytes[this.#codes + at] !== CODE_PLAIN) this.#retype(at, FORMAT_FLOAT, CODE_PLAIN);
        this.#float[slot] = value;
      } else if (isInt(value)) {
        if (lo !== INT_LO || this.#int[format + 1] !== INT_HI || this.#bytes[this.#codes + at] !== CODE_PLAIN)
          this.#retype(at, FORMAT_INT, CODE_PLAIN);
        scratchInt[0] = value;
        scratchInt[1] = Math.floor(value / 4294967296);
        this.#big[slot] = scratchBig[0]!;
      } else {
        this.#retype(at, FORMAT_FLOAT, CODE_PLAIN);
        this.#float[slot] = value;
      }
    } else if (typeof value === 'boolean') {
      if (lo !== BOOL_LO || this.#int[format + 1] !== BOOL_HI || this.#bytes[this.#codes + at] !== CODE_PLAIN)
        this.#retype(at, FORMAT_BOOL, CODE_PLAIN);
      scratchBig[0] = 0n;
      scratchBytes[7] = value ? 1 : 0;
      this.#big[slot] = scratchBig[0]!;
    } else if (value === null) {
      if (lo !== NONE_LO || this.#int[format + 1] !== NONE_HI || this.#bytes[this.#codes + at] !== CODE_NONE)
        this.#retype(at, FORMAT_NONE, CODE_NONE);
      this.#big[slot] = 0n;
    } else {
      this.#setRare(at, slot, value);
    }
  }

  /**
   * Returns the first index of an item that equals `value`, or -1. Numbers are compared by their mathematical
   * value, and booleans equal only booleans.
   * @throws `ERR_SHM_CLOSED`, `ERR_SHM_DETACHED`; `ERR_INVALID_ARG_TYPE` for a type that a list cannot hold.
   */
  indexOf(value: ListItem): number {
    return this.#find(value, false);
  }

  /**
   * Whether an item equals `value`; unlike `indexOf` it finds NaN.
   * @throws As `indexOf`.
   */
  includes(value: ListItem): boolean {
    return this.#find(value, true) !== -1;
  }

  /**
   * Returns the number of items that equal `value`.
   * @throws As `indexOf`.
   */
  count(value: ListItem): number {
    this.#checkOpen();
    const packed = this.#needle(value);
    return packed === undefined
      ? 0
      : listCount(nativeOf(this.shm), packed.kinds, packed.words, packed.payload);
  }

  /**
   * Returns a copy of all items.
   * @throws As `get`.
   */
  toArray(): ListItem[] {
    this.#checkOpen();
    const items = new Array<ListItem>(this.length);
    for (let i = 0; i < items.length; i++) items[i] = this.get(i);
    return items;
  }

  /**
   * Iterates over the items, each as it is when it is reached.
   * @throws As `get`.
   */
  [Symbol.iterator](): IterableIterator<ListItem> {
    this.#checkOpen();
    return new ListIterator(this);
  }

  [Symbol.for('nodejs.util.inspect.custom')](depth: number, options: InspectOptions): string {
    const items = this.closed ? 'closed' : depth < 0 ? '[Array]' : inspect(this.#readable(), options);
    return `ShareableList(${items}, name=${inspect(this.name, options)})`;
  }

  /** The items for a person: those that cannot be read show why. */
  #readable(): unknown[] {
    return Array.from({ length: this.length }, (_, index) => {
      try {
        return this.get(index);
      } catch (error) {
        return error;
      }
    });
  }

  /** Text or bytes, or whatever a racing writer made of the item meanwhile. */
  #getSized(at: number, slot: number): ListItem {
    this.#checkOpen();
    const words = this.#slots[at + 1]! - slot;
    for (let tries = 0; tries < TORN_TRIES; tries++) {
      const size = this.#sizedFormat(at);
      const code = this.#bytes[this.#codes + at];
      if (size < 0 || size > words * 8 || (code !== CODE_STR && code !== CODE_BYTES)) {
        if (this.#isPlain(at)) return this.get(at);
        continue;
      }
      this.#copyOut(slot, (size + 7) >> 3);
      let length = size;
      while (length > 0 && scratchBytes[length - 1] === 0) length--;
      if (code === CODE_STR) return this.#decode(length);
      return scratchPlain.slice(0, length);
    }
    throw shmError(
      'ERR_SHM_CORRUPT',
      `item ${at} of '${this.name}' has a format that no list has`,
      this.name,
    );
  }

  #decode(length: number): string {
    // Almost all text is ASCII, and latin1 does not look for anything else.
    let bits = 0;
    for (let i = 0; i < (length + 3) >> 2; i++) bits |= scratchInt[i]!;
    if ((bits & 0x80808080) === 0) return scratchBytes.toString('latin1', 0, length);
    return decodeText(scratchBytes, length, this.name);
  }

  /** The number of the item's `%ds`, or -1. */
  #sizedFormat(at: number): number {
    const start = (this.#formats + at) * 8;
    let size = 0;
    for (let i = 0; i < 8; i++) {
      const char = this.#bytes[start + i]!;
      if (char === 0x73 && i > 0) return size;
      if (char < 0x30 || char > 0x39) return -1;
      size = size * 10 + (char - 0x30);
    }
    return -1;
  }

  #isPlain(at: number): boolean {
    const word = this.#big[this.#formats + at];
    return word === FORMAT_INT || word === FORMAT_FLOAT || word === FORMAT_BOOL || word === FORMAT_NONE;
  }

  #setRare(at: number, slot: number, value: bigint | string | Uint8Array | Float): void {
    if (typeof value === 'string') {
      this.#setPayload(at, slot, this.#stage(at, slot, value), CODE_STR);
    } else if (typeof value === 'bigint') {
      checkInt(value);
      this.#retype(at, FORMAT_INT, CODE_PLAIN);
      this.#big[slot] = value;
    } else if (types.isUint8Array(value)) {
      this.#setPayload(at, slot, this.#stage(at, slot, value), CODE_BYTES);
    } else if (isFloat(value)) {
      const number = value.value;
      this.#retype(at, FORMAT_FLOAT, CODE_PLAIN);
      this.#float[slot] = number;
    } else {
      throw unsupported(value);
    }
  }

  /** Puts text or bytes into the scratch and returns how many bytes they are. */
  #stage(at: number, slot: number, given: string | Uint8Array): number {
    const value = this.#trailingNul === 'strip' ? stripNul(given) : given;
    const capacity = (this.#slots[at + 1]! - slot) * 8;
    const most = maxPayload(value);
    // What cannot fit in any case need not be written out to know it.
    let length = typeof value === 'string' ? value.length : most;
    if (length <= capacity) {
      growScratch((most + 7) >> 3);
      length = writePayload(scratchBytes, 0, value);
    }
    if (length > capacity) {
      const bytes = typeof value === 'string' ? Buffer.byteLength(value) : length;
      throw valueError(
        `${bytes} bytes do not fit into item ${at} of '${this.name}', which has room for ${capacity}`,
      );
    }
    return length;
  }

  /** Writes `length` bytes of the scratch into the slot, and NULs up to its end. */
  #setPayload(at: number, slot: number, length: number, code: number): void {
    const words = this.#slots[at + 1]! - slot;
    growScratch(words);
    // CPython keeps a format that ends in `s`. One that is shorter than this value would cut it, and one that
    // is longer than the slot is damage.
    const size = this.#sizedFormat(at);
    if (size < length || size > words * 8) this.#retype(at, sizedWord(words * 8), code);
    else if (this.#bytes[this.#codes + at] !== code) this.#bytes[this.#codes + at] = code;
    if (words <= SHORT_WORDS) {
      for (let i = length; i < words * 8; i++) scratchBytes[i] = 0;
      for (let i = 0; i < words; i++) this.#big[slot + i] = scratchBig[i]!;
    } else {
      scratchBytes.fill(0, length, words * 8);
      this.#bytes.set(scratchBytes.subarray(0, words * 8), slot * 8);
    }
  }

  /** Copies a slot into the scratch. */
  #copyOut(slot: number, words: number): void {
    if (words <= SHORT_WORDS) {
      for (let i = 0; i < words; i++) scratchBig[i] = this.#big[slot + i]!;
    } else {
      growScratch(words);
      scratchBytes.set(this.#bytes.subarray(slot * 8, (slot + words) * 8));
    }
  }

  #retype(at: number, format: bigint, code: number): void {
    this.#big[this.#formats + at] = format;
    this.#bytes[this.#codes + at] = code;
  }

  #find(value: ListItem, nan: boolean): number {
    this.#checkOpen();
    const packed = this.#needle(value);
    return packed === undefined
      ? -1
      : listIndexOf(nativeOf(this.shm), packed.kinds, packed.words, packed.payload, nan);
  }

  /** A value to look for, or undefined for one that no list can hold. */
  #needle(value: ListItem) {
    try {
      return packItems([value], 'refuse');
    } catch (error) {
      if ((error as { code?: string }).code === 'ERR_SHM_VALUE') return undefined;
      throw error;
    }
  }

  #checkOpen(): void {
    if (this.shm.closed) throw closedError(this.name);
    if (this.#bytes.length === 0) throw detachedError(this.name);
  }

  #badIndex(index: unknown): Error {
    if (typeof index !== 'number') return wrongType('index', 'a number', index);
    if (this.shm.closed) return closedError(this.name);
    return outOfRange('index', `a whole number from ${-this.length} to ${this.length - 1}`, index);
  }

  #unwritable(): Error {
    if (this.shm.closed) return closedError(this.name);
    if (this.#bytes.length === 0) return detachedError(this.name);
    return shmError('ERR_SHM_READ_ONLY', `'${this.name}' is attached read-only in this handle`, this.name);
  }
}

/** A class rather than a generator: V8 keeps its results off the heap. */
class ListIterator implements IterableIterator<ListItem> {
  #next = 0;
  readonly #list: ShareableList;

  constructor(list: ShareableList) {
    this.#list = list;
  }

  next(): IteratorResult<ListItem, undefined> {
    const at = this.#next;
    if (at >= this.#list.length) return { value: undefined, done: true };
    this.#next = at + 1;
    return { value: this.#list.get(at), done: false };
  }

  [Symbol.iterator](): this {
    return this;
  }
}
