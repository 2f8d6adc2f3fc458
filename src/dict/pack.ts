/**
 * Writes MessagePack that comes back as it was, or does not write it: -0, lone surrogates, undefined, large bigints, an own
 * `__proto__`, what is there twice or in a cycle, and all objects but plain ones, arrays, Date and Buffer are left to V8.
 */
import { Buffer } from 'node:buffer';

import { lengthOf, packed } from './call-buffer.js';
import { DEEPEST, Key, KEY_ROOM, keys, loose, placeOf, SHORT, top, viewOf } from './unpack.js';

const FIRST = 4096;
/** So many objects are looked through one by one. */
const FEW = 16;
/** In place of a key's place: it is not remembered, or not written. */
const LOOSE = -1;
const REFUSED = -2;

class Writer {
  /** Where it begins to write. */
  readonly #first: Buffer;
  readonly #firstView: DataView;
  #bytes: Buffer;
  #view: DataView;
  #at = 0;
  /** The objects that were met: so many of the first, which are a few, */
  #count = 0;
  readonly #few: (object | undefined)[] = Array.from({ length: FEW }, () => undefined);
  /** or all of them. */
  #many: Set<object> | undefined;

  constructor(first: Buffer) {
    this.#first = this.#bytes = first;
    this.#firstView = this.#view = viewOf(first);
  }

  /** Whether the value was written; where not it is to be left to V8. */
  write(value: unknown): boolean {
    this.#at = 0;
    // And once more, as a getter may have given them something.
    return inherited() === undefined && this.#value(value, 0, top) && inherited() === undefined;
  }

  /** How many bytes were written, */
  get length(): number {
    return this.#at;
  }

  /** and these are they, until others are written. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  /** Whether they are where it began. */
  get isShort(): boolean {
    return this.#bytes === this.#first;
  }

  /** Lets go of what was written, and of memory that it took. */
  forget(): void {
    this.#bytes = this.#first;
    this.#view = this.#firstView;
    for (let i = 0; i < this.#count; i++) this.#few[i] = undefined;
    this.#count = 0;
    this.#many = undefined;
  }

  /** Where so many bytes are to be written. */
  #room(length: number): number {
    const at = this.#at;
    this.#at = at + length;
    if (this.#at > this.#bytes.length) this.#grow(at);
    return at;
  }

  #grow(used: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#at, this.#bytes.length * 4));
    this.#bytes.copy(larger, 0, 0, used);
    this.#bytes = larger;
    this.#view = viewOf(larger);
  }

  #byte(byte: number): void {
    const at = this.#room(1);
    this.#bytes[at] = byte;
  }

  /** A length or number of 1, 2 or 4 bytes, after its type. */
  #sized(type: number, size: 1 | 2 | 4, value: number): void {
    const at = this.#room(1 + size);
    this.#bytes[at] = type;
    if (size === 1) this.#bytes[at + 1] = value;
    else if (size === 2) this.#view.setUint16(at + 1, value);
    else this.#view.setUint32(at + 1, value);
  }

  #value(value: unknown, depth: number, above: Key): boolean {
    // One by one: the engine asks for the type of each, but calls itself to tell it by name.
    if (typeof value === 'string') return this.#text(value);
    if (typeof value === 'number') return this.#number(value);
    if (typeof value === 'boolean' || value === null) {
      this.#byte(value === null ? 0xc0 : value ? 0xc3 : 0xc2);
      return true;
    }
    if (typeof value === 'object') {
      return depth < DEEPEST && this.#isNew(value) && this.#object(value, depth + 1, above);
    }
    return typeof value === 'bigint' && this.#bigint(value);
  }

  #number(value: number): boolean {
    if ((value | 0) === value || (Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff)) {
      if (value >= 0) {
        if (Object.is(value, -0)) return false;
        if (value < 0x80) this.#byte(value);
        else if (value < 0x100) this.#sized(0xcc, 1, value);
        else if (value < 0x1_0000) this.#sized(0xcd, 2, value);
        else this.#sized(0xce, 4, value);
      } else if (value >= -0x20) this.#byte(value & 0xff);
      else if (value >= -0x80) this.#sized(0xd0, 1, value & 0xff);
      else if (value >= -0x8000) this.#sized(0xd1, 2, value & 0xffff);
      else this.#sized(0xd2, 4, value >>> 0);
    } else {
      const at = this.#room(9);
      this.#bytes[at] = 0xcb;
      this.#view.setFloat64(at + 1, value);
    }
    return true;
  }

  #bigint(value: bigint): boolean {
    const signed = value === BigInt.asIntN(64, value);
    if (!signed && value !== BigInt.asUintN(64, value)) return false;
    const at = this.#room(9);
    this.#bytes[at] = signed ? 0xd3 : 0xcf;
    this.#bytes.writeBigUInt64BE(BigInt.asUintN(64, value), at + 1);
    return true;
  }

  #text(text: string): boolean {
    const { length } = text;
    if (length <= SHORT) {
      const head = length < 32 ? 1 : 2;
      const at = this.#room(head + length);
      const bytes = this.#bytes;
      let all = 0;
      for (let i = 0; i < length; i++) {
        const character = text.charCodeAt(i);
        all |= character;
        bytes[at + head + i] = character;
      }
      if (all < 0x80) {
        bytes[at] = head === 1 ? 0xa0 | length : 0xd9;
        if (head === 2) bytes[at + 1] = length;
        return true;
      }
      this.#at = at;
    }
    if (!text.isWellFormed()) return false;
    const size = Buffer.byteLength(text);
    if (size < 32) this.#byte(0xa0 | size);
    else if (size < 0x100) this.#sized(0xd9, 1, size);
    else if (size < 0x1_0000) this.#sized(0xda, 2, size);
    else this.#sized(0xdb, 4, size);
    const at = this.#room(size);
    this.#bytes.write(text, at, 'utf8');
    return true;
  }

  /** Whether it is there for the first time. */
  #isNew(value: object): boolean {
    if (this.#many !== undefined) return this.#many.size < this.#many.add(value).size;
    const few = this.#few;
    const count = this.#count;
    for (let i = 0; i < count; i++) if (few[i] === value) return false;
    if (count < FEW) {
      few[count] = value;
      this.#count = count + 1;
    } else {
      this.#many = new Set(few as object[]).add(value);
    }
    return true;
  }

  #object(value: object, depth: number, above: Key): boolean {
    if (Array.isArray(value)) return this.#array(value, depth, above);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype) {
      if (prototype === Date.prototype) return this.#date(+(value as Date));
      return Buffer.isBuffer(value) && this.#buffer(value);
    }
    const head = this.#room(1);
    let count = 0;
    let before = above;
    // In this form the engine looks none of them up. They are its own: nothing is inherited, as `write` saw.
    for (const name in value) {
      const part = (value as Record<string, unknown>)[name];
      if (count === 0 && isDigit(name) && isArguments(value)) return false;
      let key = keys[count === 0 ? before.first : before.next];
      if (key !== undefined && key.text === name) this.#known(key);
      else {
        const place = this.#key(name);
        if (place === REFUSED) return false;
        if (place === LOOSE) key = loose(name);
        else {
          key = keys[place]!;
          if (count === 0) before.first = place;
          else before.next = place;
        }
      }
      if (!this.#value(part, depth, key)) return false;
      before = key;
      count++;
    }
    if (count < 16) this.#bytes[head] = 0x80 | count;
    else this.#insertCount(head, count);
    return count > 0 || !isArguments(value);
  }

  /** Before the parts that were written, as it does not fit into the one byte that it was thought to take. */
  #insertCount(head: number, count: number): void {
    const size = count < 0x1_0000 ? 2 : 4;
    const end = this.#room(size);
    this.#bytes.copyWithin(head + 1 + size, head + 1, end);
    this.#at = head;
    this.#sized(size === 2 ? 0xde : 0xdf, size, count);
    this.#at = end + size;
  }

  /** Writes a key. */
  #known({ word0, word1, words, size }: Key): void {
    const at = this.#room(KEY_ROOM);
    const view = this.#view;
    view.setInt32(at, word0, true);
    view.setInt32(at + 4, word1, true);
    if (words !== undefined) {
      for (let i = 2; i < words.length; i++) view.setInt32(at + i * 4, words[i]!, true);
    }
    this.#at = at + size;
  }

  /** Writes a key that was not expected; the place where it is remembered. */
  #key(name: string): number {
    const at = this.#at;
    if (name === '__proto__' || !this.#text(name)) return REFUSED;
    const size = this.#at - at;
    const bytes = this.#bytes;
    if (size > KEY_ROOM || bytes[at]! >= 0xc0) return LOOSE;
    const place = placeOf(bytes, at, size);
    if (keys[place]?.text !== name) keys[place] = new Key(name, bytes, at, size);
    return place;
  }

  #array(value: readonly unknown[], depth: number, above: Key): boolean {
    const { length } = value;
    // It may have named properties, and places without anything.
    if (Object.keys(value).length !== length) return false;
    if (length < 16) this.#byte(0x90 | length);
    else if (length < 0x1_0000) this.#sized(0xdc, 2, length);
    else this.#sized(0xdd, 4, length);
    for (let i = 0; i < length; i++) if (!this.#value(value[i], depth, above)) return false;
    return true;
  }

  /** The timestamp of the specification, in one of its three forms. */
  #date(time: number): boolean {
    if (Number.isNaN(time)) return false;
    const seconds = Math.floor(time / 1000);
    const nanoseconds = (time - seconds * 1000) * 1e6;
    if (nanoseconds === 0 && seconds >= 0 && seconds <= 0xffff_ffff) {
      const at = this.#room(6);
      this.#bytes.writeUInt16BE(0xd6ff, at);
      this.#bytes.writeUInt32BE(seconds, at + 2);
    } else if (seconds >= 0 && seconds < 2 ** 34) {
      const at = this.#room(10);
      this.#bytes.writeUInt16BE(0xd7ff, at);
      this.#bytes.writeUInt32BE(nanoseconds * 4 + Math.floor(seconds / 2 ** 32), at + 2);
      this.#bytes.writeUInt32BE(seconds >>> 0, at + 6);
    } else {
      const at = this.#room(15);
      this.#bytes.writeUIntBE(0xc70cff, at, 3);
      this.#bytes.writeUInt32BE(nanoseconds, at + 3);
      this.#bytes.writeBigInt64BE(BigInt(seconds), at + 7);
    }
    return true;
  }

  #buffer(value: Buffer): boolean {
    const length = lengthOf(value);
    if (length < 0x100) this.#sized(0xc4, 1, length);
    else if (length < 0x1_0000) this.#sized(0xc5, 2, length);
    else this.#sized(0xc6, 4, length);
    const at = this.#room(length);
    this.#bytes.set(value, at);
    return true;
  }
}

/** What somebody has given to all objects, so that a loop over theirs comes to it. */
function inherited(): string | undefined {
  // oxlint-disable-next-line guard-for-in
  for (const name in Object.prototype) return name;
  return undefined;
}

function isDigit(name: string): boolean {
  const first = name.charCodeAt(0);
  return first >= 0x30 && first <= 0x39;
}

/** Whether it is the `arguments` of a function, which V8 does not take for an object. */
function isArguments(value: object): boolean {
  return Symbol.iterator in value;
}

/** So many bytes are copied one by one. */
const FEW_BYTES = 128;

let spare: Writer | undefined = new Writer(packed);

/** @internal The value's bytes; undefined where it is to be left to V8. */
export function pack(value: object): Buffer | undefined {
  const done = packOnto(value);
  if (typeof done !== 'number') return done;
  // Of a pool's memory, so that these few bytes take no longer than the packing.
  const bytes = Buffer.allocUnsafe(done);
  if (done > FEW_BYTES) bytes.set(packed.subarray(0, done));
  else for (let i = 0; i < done; i++) bytes[i] = packed[i]!;
  return bytes;
}

/** @internal The same; a few bytes are left in the call buffer, and their number is returned. Used up before the next call. */
export function packOnto(value: object): Buffer | number | undefined {
  // A getter may come here again.
  const writer = spare ?? new Writer(Buffer.allocUnsafeSlow(FIRST));
  const onDesk = spare !== undefined;
  spare = undefined;
  try {
    if (!writer.write(value)) return undefined;
    return writer.isShort && onDesk ? writer.length : Buffer.from(writer.bytes);
  } finally {
    if (onDesk) spare = writer;
    writer.forget();
  }
}
