/**
 * MessagePack, as far as dicts need it. Not a library's, because what is read here anybody may have written: every count is
 * checked against the bytes that are there, and nothing is kept of a value that could not be read. And what is written
 * comes back as it was, or is not written: -0, lone surrogates, undefined, large bigints, an own `__proto__`, what is there
 * twice or in a cycle, and all objects but plain ones, arrays, Date and Buffer are left to V8.
 */
import { Buffer } from 'node:buffer';

/** How deep values may be nested: whoever reads them does so on a stack of his own. Python has the same limit. */
const DEEPEST = 100;
/** So much memory is kept for the next value. */
const KEPT = 1 << 20;
/** Texts of up to so many characters are looked at one by one, which is faster than a call. */
const SHORT = 40;

const FIRST = 4096;

function viewOf({ buffer, byteOffset, byteLength }: Buffer): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

// ---- writing

class Writer {
  #bytes = Buffer.allocUnsafeSlow(FIRST);
  #view = viewOf(this.#bytes);
  #at = 0;
  #few: object[] = [];
  #many: Set<object> | undefined;

  /** The value's bytes; undefined where it is to be left to V8. */
  write(value: unknown): Buffer | undefined {
    this.#at = 0;
    this.#few.length = 0;
    this.#many = undefined;
    const bytes = this.#value(value, 0) ? Buffer.from(this.#bytes.subarray(0, this.#at)) : undefined;
    if (this.#bytes.length > KEPT) this.#use(Buffer.allocUnsafeSlow(FIRST));
    return bytes;
  }

  /** Where so many bytes are to be written. */
  #room(length: number): number {
    const at = this.#at;
    this.#at = at + length;
    if (this.#at > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(this.#at, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, at);
      this.#use(larger);
    }
    return at;
  }

  #use(bytes: Buffer<ArrayBuffer>): void {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
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

  #value(value: unknown, depth: number): boolean {
    switch (typeof value) {
      case 'string':
        return this.#text(value);
      case 'number':
        return this.#number(value);
      case 'boolean':
        this.#byte(value ? 0xc3 : 0xc2);
        return true;
      case 'bigint':
        return this.#bigint(value);
      case 'object':
        if (value === null) {
          this.#byte(0xc0);
          return true;
        }
        return depth < DEEPEST && this.#isNew(value) && this.#object(value, depth + 1);
      default:
        return false;
    }
  }

  #number(value: number): boolean {
    if (Number.isInteger(value) && value >= -0x8000_0000 && value <= 0xffff_ffff) {
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
    if (length < 32) {
      const at = this.#room(1 + length);
      const bytes = this.#bytes;
      let all = 0;
      for (let i = 0; i < length; i++) {
        const character = text.charCodeAt(i);
        all |= character;
        bytes[at + 1 + i] = character;
      }
      bytes[at] = 0xa0 | length;
      if (all < 0x80) return true;
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
    if (this.#many === undefined) {
      if (this.#few.includes(value)) return false;
      if (this.#few.push(value) > 16) this.#many = new Set(this.#few);
      return true;
    }
    return this.#many.size < this.#many.add(value).size;
  }

  #object(value: object, depth: number): boolean {
    if (Array.isArray(value)) return this.#array(value, depth);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype) {
      if (prototype === Date.prototype) return this.#date(+(value as Date));
      return Buffer.isBuffer(value) && this.#buffer(value);
    }
    if (Symbol.iterator in value) return false; // `arguments`
    const keys = Object.keys(value);
    if (keys.length < 16) this.#byte(0x80 | keys.length);
    else if (keys.length < 0x1_0000) this.#sized(0xde, 2, keys.length);
    else this.#sized(0xdf, 4, keys.length);
    for (const key of keys) {
      if (key === '__proto__' || !this.#text(key)) return false;
      if (!this.#value((value as Record<string, unknown>)[key], depth)) return false;
    }
    return true;
  }

  #array(value: readonly unknown[], depth: number): boolean {
    const { length } = value;
    // It may have named properties, and places without anything.
    if (Object.keys(value).length !== length) return false;
    if (length < 16) this.#byte(0x90 | length);
    else if (length < 0x1_0000) this.#sized(0xdc, 2, length);
    else this.#sized(0xdd, 4, length);
    for (let i = 0; i < length; i++) if (!this.#value(value[i], depth)) return false;
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
    const { length } = value;
    if (length < 0x100) this.#sized(0xc4, 1, length);
    else if (length < 0x1_0000) this.#sized(0xc5, 2, length);
    else this.#sized(0xc6, 4, length);
    const at = this.#room(length);
    value.copy(this.#bytes, at);
    return true;
  }
}

let spare: Writer | undefined = new Writer();

/** @internal The value's bytes; undefined where it is to be left to V8. */
export function pack(value: object): Buffer | undefined {
  // A getter may come here again.
  const writer = spare ?? new Writer();
  spare = undefined;
  try {
    return writer.write(value);
  } finally {
    spare = writer;
  }
}

// ---- reading

/** What is read at the moment. No code of anybody else's runs meanwhile. */
let bytes: Buffer = Buffer.alloc(0);
let view = viewOf(bytes);
let at = 0;
let end = 0;

/**
 * @internal The value of the bytes from `start` to before `stop`, which nobody writes to meanwhile.
 * @throws An `Error` that says what is wrong with them.
 */
export function unpack(source: Buffer, start: number, stop: number): unknown {
  if (bytes !== source) {
    bytes = source;
    view = viewOf(source);
  }
  at = start;
  end = stop;
  const value = readValue(0);
  if (at !== end) throw new Error('there are bytes behind the value');
  return value;
}

/** Where the next so many bytes are. */
function take(length: number): number {
  const from = at;
  if (length > end - from) throw new Error('it ends too early');
  at = from + length;
  return from;
}

function readValue(depth: number): unknown {
  const type = bytes[take(1)]!;
  if (type < 0x80) return type;
  if (type < 0x90) return readMap(type & 0x0f, depth);
  if (type < 0xa0) return readArray(type & 0x0f, depth);
  if (type < 0xc0) return readText(type & 0x1f);
  if (type >= 0xe0) return type - 0x100;
  switch (type) {
    case 0xc0:
      return null;
    case 0xc2:
      return false;
    case 0xc3:
      return true;
    case 0xc4:
      return readBuffer(bytes[take(1)]!);
    case 0xc5:
      return readBuffer(view.getUint16(take(2)));
    case 0xc6:
      return readBuffer(view.getUint32(take(4)));
    case 0xc7:
      if (bytes[take(1)] !== 12) throw new Error('it has a type that is unknown');
      return readDate(12);
    case 0xca:
      return view.getFloat32(take(4));
    case 0xcb:
      return view.getFloat64(take(8));
    case 0xcc:
      return bytes[take(1)];
    case 0xcd:
      return view.getUint16(take(2));
    case 0xce:
      return view.getUint32(take(4));
    case 0xcf:
      return view.getBigUint64(take(8));
    case 0xd0:
      return view.getInt8(take(1));
    case 0xd1:
      return view.getInt16(take(2));
    case 0xd2:
      return view.getInt32(take(4));
    case 0xd3:
      return view.getBigInt64(take(8));
    case 0xd6:
      return readDate(4);
    case 0xd7:
      return readDate(8);
    case 0xd9:
      return readText(bytes[take(1)]!);
    case 0xda:
      return readText(view.getUint16(take(2)));
    case 0xdb:
      return readText(view.getUint32(take(4)));
    case 0xdc:
      return readArray(view.getUint16(take(2)), depth);
    case 0xdd:
      return readArray(view.getUint32(take(4)), depth);
    case 0xde:
      return readMap(view.getUint16(take(2)), depth);
    case 0xdf:
      return readMap(view.getUint32(take(4)), depth);
    default:
      throw new Error('it has a type that is unknown');
  }
}

function checkNested(count: number, depth: number): void {
  // Each part has a byte at least.
  if (count > end - at) throw new Error('it ends too early');
  if (depth >= DEEPEST) throw new Error('it is nested too deeply');
}

function readArray(length: number, depth: number): unknown[] {
  checkNested(length, depth);
  const array: unknown[] = [];
  for (let i = 0; i < length; i++) array.push(readValue(depth + 1));
  return array;
}

function readMap(size: number, depth: number): Record<string, unknown> {
  checkNested(size * 2, depth);
  const object: Record<string, unknown> = {};
  for (let i = 0; i < size; i++) {
    const key = readKey();
    if (key === '__proto__') throw new Error('it has a key that is never written');
    object[key] = readValue(depth + 1);
  }
  return object;
}

/** Keys are often the same ones: those that were met are told by their bytes. */
interface Known {
  readonly length: number;
  readonly bytes: Uint8Array;
  readonly text: string;
}
const known: (Known | undefined)[] = Array.from({ length: 512 }, () => undefined);

function readKey(): string {
  const type = bytes[take(1)]!;
  if (type < 0xa1 || type > 0xbf) {
    // Python's keys may be numbers, and long ones have their length in front.
    at--;
    const key = readValue(DEEPEST);
    if (typeof key === 'object' || typeof key === 'boolean') throw new Error('it has a key that is none');
    return String(key);
  }
  const length = type & 0x1f;
  const from = take(length);
  let hash = length;
  for (let i = from; i < at; i++) hash = (Math.imul(hash, 31) + bytes[i]!) | 0;
  const place = (hash ^ (hash >>> 9)) & 511;
  const met = known[place];
  if (met !== undefined && met.length === length && isAt(met.bytes, from)) return met.text;
  const text = bytes.toString('utf8', from, at);
  known[place] = { length, bytes: Uint8Array.prototype.slice.call(bytes, from, at), text };
  return text;
}

function isAt(wanted: Uint8Array, from: number): boolean {
  for (let i = 0; i < wanted.length; i++) if (bytes[from + i] !== wanted[i]) return false;
  return true;
}

function readText(length: number): string {
  const from = take(length);
  if (length > SHORT) return bytes.toString('utf8', from, at);
  let all = 0;
  for (let i = from; i < at; i++) all |= bytes[i]!;
  if (all >= 0x80) return bytes.toString('utf8', from, at);
  if (length > 8 || from + 8 > bytes.length) return bytes.toString('latin1', from, at);
  // A call of `toString` takes twice as long.
  return String.fromCharCode(
    bytes[from]!,
    bytes[from + 1]!,
    bytes[from + 2]!,
    bytes[from + 3]!,
    bytes[from + 4]!,
    bytes[from + 5]!,
    bytes[from + 6]!,
    bytes[from + 7]!,
  ).slice(0, length);
}

function readBuffer(length: number): Buffer {
  const from = take(length);
  return Buffer.from(bytes.subarray(from, at));
}

function readDate(length: 4 | 8 | 12): Date {
  if (bytes[take(1)] !== 0xff) throw new Error('it has a type that is unknown');
  const from = take(length);
  if (length === 4) return new Date(view.getUint32(from) * 1000);
  const first = view.getUint32(from);
  if (length === 12) {
    return new Date(Number(view.getBigInt64(from + 4)) * 1000 + Math.floor(first / 1e6));
  }
  const seconds = (first & 3) * 2 ** 32 + view.getUint32(from + 4);
  return new Date(seconds * 1000 + Math.floor((first >>> 2) / 1e6));
}
