/**
 * MessagePack, as far as dicts need it. Not a library's, because what is read here anybody may have written: every count is
 * checked against the bytes that are there, and nothing is kept of a value that could not be read. And what is written
 * comes back as it was, or is not written: -0, lone surrogates, undefined, large bigints, an own `__proto__`, what is there
 * twice or in a cycle, and all objects but plain ones, arrays, Date and Buffer are left to V8.
 */
import { Buffer } from 'node:buffer';

import type { Copy } from './copies.js';
import { lengthOf, packed, sliceable } from './desk.js';
import type { Sliceable } from './desk.js';
import { LONGEST_TEXT, mediumText, shortText } from './texts.js';

/** How deep values may be nested: whoever reads them does so on a stack of his own. Python has the same limit. */
const DEEPEST = 100;
/** Texts of up to so many characters are looked at one by one, which is faster than a call. */
const SHORT = 64;

const FIRST = 4096;
/** So many objects are looked through one by one. */
const FEW = 16;

function viewOf({ buffer, byteOffset, byteLength }: Buffer): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

// ---- keys

/** So many bytes may be looked at or written where a key begins that is expected. */
const KEY_ROOM = 32;
/** So many keys are remembered, less one. */
const PLACES = 511;

/**
 * A key that was met, and its bytes, that of its length among them, as words that are compared or written at once. Where
 * objects are alike the same keys follow each other, so that each of them is expected after the one before it. That is a
 * guess: nothing but all of its bytes says that a key is there, or its text that it is to be written.
 */
class Key {
  readonly text: string;
  /** In bytes; 0 for what is never expected. */
  readonly size: number;
  readonly word0: number;
  readonly mask0: number;
  readonly word1: number;
  readonly mask1: number;
  /** All words, where there are more than these. */
  readonly words: Int32Array | undefined;
  readonly lastMask: number;
  /** The place of what came after it the last time, and of what came first in an object that was its value. */
  next = 0;
  first = 0;
  /** So many objects that were its value had the keys that were expected; and what they are read by if those are many. */
  seen = 0;
  shape: Shape | undefined = undefined;

  constructor(text: string, bytes: Uint8Array, from: number, size: number) {
    const words = new Int32Array(KEY_ROOM / 4);
    for (let i = 0; i < size; i++) words[i >> 2]! |= bytes[from + i]! << ((i & 3) * 8);
    // As the engine has names of properties: others it looks up each time.
    this.text = Object.keys({ [text]: 0 })[0]!;
    this.size = size;
    this.word0 = words[0]!;
    this.mask0 = maskOf(size);
    this.word1 = words[1]!;
    this.mask1 = maskOf(size - 4);
    this.words = size > 8 ? words.subarray(0, (size + 3) >> 2) : undefined;
    this.lastMask = maskOf(((size - 1) & 3) + 1);
  }
}

/** The first so many bytes of a word. */
function maskOf(size: number): number {
  if (size >= 4) return -1;
  return size <= 0 ? 0 : (1 << (size * 8)) - 1;
}

const keys: (Key | undefined)[] = Array.from({ length: PLACES + 1 }, () => undefined);
/** Above all others. */
const top = loose('');

/** A key that is not remembered. */
function loose(text: string): Key {
  return new Key(text, new Uint8Array(0), 0, 0);
}

function placeOf(bytes: Uint8Array, from: number, size: number): number {
  let hash = size;
  for (let i = 1; i < size; i++) hash = (Math.imul(hash, 31) + bytes[from + i]!) | 0;
  return (hash ^ (hash >>> 9)) & PLACES;
}

/** Whether the key is there; `view` has `KEY_ROOM` bytes from there. */
function isAt(key: Key, view: DataView, from: number): boolean {
  if (((view.getInt32(from, true) ^ key.word0) & key.mask0) !== 0) return false;
  if (((view.getInt32(from + 4, true) ^ key.word1) & key.mask1) !== 0) return false;
  const { words } = key;
  if (words === undefined) return true;
  const last = words.length - 1;
  for (let i = 2; i < last; i++) if (view.getInt32(from + i * 4, true) !== words[i]) return false;
  return ((view.getInt32(from + last * 4, true) ^ words[last]!) & key.lastMask) === 0;
}

// ---- writing

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

/** @internal The same; where they are few they are left on the desk, and it is their number. Used up before the next call. */
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

// ---- reading

/** What is read at the moment. No code of anybody else's runs meanwhile. */
let bytes: Sliceable = sliceable(new ArrayBuffer(0));
let view = viewOf(bytes);
let at = 0;
let end = 0;

/**
 * @internal The value of the bytes from `start` to before `stop`, which nobody writes to meanwhile.
 * @throws An `Error` that says what is wrong with them.
 */
export function unpack(source: Buffer, start: number, stop: number): unknown {
  if (bytes !== source) {
    bytes = source as Sliceable;
    view = viewOf(source);
  }
  at = start;
  end = stop;
  missed = undefined;
  shapeRead = undefined;
  const value = readValue(0, top);
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

function readValue(depth: number, above: Key): unknown {
  const type = bytes[take(1)]!;
  if (type < 0x80) return type;
  if (type < 0x90) return readMap(type & 0x0f, depth, above);
  if (type < 0xa0) return readArray(type & 0x0f, depth, above);
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
      return readArray(view.getUint16(take(2)), depth, above);
    case 0xdd:
      return readArray(view.getUint32(take(4)), depth, above);
    case 0xde:
      return readMap(view.getUint16(take(2)), depth, above);
    case 0xdf:
      return readMap(view.getUint32(take(4)), depth, above);
    default:
      throw new Error('it has a type that is unknown');
  }
}

function checkNested(count: number, depth: number): void {
  // Each part has a byte at least.
  if (count > end - at) throw new Error('it ends too early');
  if (depth >= DEEPEST) throw new Error('it is nested too deeply');
}

function readArray(length: number, depth: number, above: Key): unknown[] {
  checkNested(length, depth);
  // A list that grows takes room for 17.
  if (length === 1) return [readValue(depth + 1, above)];
  if (length === 2) return [readValue(depth + 1, above), readValue(depth + 1, above)];
  if (length === 3) {
    return [readValue(depth + 1, above), readValue(depth + 1, above), readValue(depth + 1, above)];
  }
  const array: unknown[] = [];
  for (let i = 0; i < length; i++) array.push(readValue(depth + 1, above));
  return array;
}

function readMap(size: number, depth: number, above: Key): Record<string, unknown> {
  checkNested(size * 2, depth);
  const { shape } = above;
  if (shape === undefined || shape.keys.length !== size) return readParts({}, 0, size, depth, above);
  const made = shape.make(readKnown, shape.keys, depth);
  if (missed === undefined) {
    if (depth === 0) shapeRead = shape;
    return made;
  }
  // What was read before that is in it.
  const whole = shape.keys.slice(0, shape.keys.indexOf(missed));
  missed = undefined;
  const object: Record<string, unknown> = {};
  for (const { text } of whole) object[text] = made[text];
  above.seen = 0;
  above.shape = undefined;
  return readParts(object, whole.length, size, depth, whole.at(-1) ?? above);
}

/** The keys of an object from the `first` one on, one by one. */
function readParts(
  object: Record<string, unknown>,
  first: number,
  size: number,
  depth: number,
  above: Key,
): Record<string, unknown> {
  let before = above;
  let isExpected = first === 0;
  for (let i = first; i < size; i++) {
    let key = keys[i === 0 ? before.first : before.next];
    if (key !== undefined && at + KEY_ROOM <= bytes.length && isAt(key, view, at)) take(key.size);
    else {
      isExpected = false;
      const place = readKey();
      if (typeof place === 'string') key = loose(place);
      else {
        key = keys[place]!;
        if (i === 0) before.first = place;
        else before.next = place;
      }
    }
    object[key.text] = readValue(depth + 1, key);
    before = key;
  }
  if (!isExpected) above.seen = 0;
  else if (size > 1 && ++above.seen >= OFTEN) {
    above.shape = shapeOf(Object.keys(object), above);
    if (above.shape === undefined) above.seen = NEVER;
  }
  return object;
}

/** The shape of the whole value that was read last. */
let shapeRead: Shape | undefined;

/** @internal How copies are made of the value that was just read; undefined where its shape is not known. */
export function copyOfLast(): Copy | undefined {
  return shapeRead?.copy;
}

/** The key of a shape that was not where it was expected: the rest of the shape is not looked for. */
let missed: Key | undefined;

/** The value of a key that is expected here. */
function readKnown(key: Key, depth: number): unknown {
  if (missed !== undefined) return undefined;
  if (at + KEY_ROOM <= bytes.length && isAt(key, view, at)) {
    take(key.size);
    return readValue(depth + 1, key);
  }
  missed = key;
  return undefined;
}

/**
 * Keys that follow each other again and again, and how an object of them is made: as a program's own objects are, which is
 * five times as fast as one property after the other.
 */
interface Shape extends Functions {
  readonly keys: readonly Key[];
}
interface Functions {
  readonly make: Make;
  readonly copy: Copy;
}

type Make = (read: typeof readKnown, keys: readonly Key[], depth: number) => Record<string, unknown>;

/** After so many objects in a row of the same keys. */
const OFTEN = 8;
const NEVER = -(2 ** 30);
/** Shapes of so many keys at most, */
const MOST_KEYS = 64;
/** and so many of them: their code is never given up. */
const SHAPES = 256;
const shapes = new Map<string, Functions | undefined>();

/** The shape of an object with these keys, each of which was expected; undefined where there is to be none. */
function shapeOf(names: readonly string[], above: Key): Shape | undefined {
  const found: Key[] = [];
  let place = above.first;
  for (const name of names) {
    const key = keys[place];
    // Numbers go before all other keys, and what is there twice is not.
    if (key?.text !== name) return undefined;
    found.push(key);
    place = key.next;
  }
  const code = JSON.stringify(names);
  let functions = shapes.get(code);
  if (functions === undefined && names.length <= MOST_KEYS && shapes.size < SHAPES) {
    functions = functionsOf(names.map((name) => JSON.stringify(name)));
    shapes.set(code, functions);
  }
  return functions && { keys: found, ...functions };
}

/** Undefined where a program's code may not be made of text. */
function functionsOf(names: readonly string[]): Functions | undefined {
  // Each name is written as JSON is, which JavaScript reads as the same text; none is '__proto__'.
  const made = names.map((name, i) => `${name}: read(keys[${i}], depth)`);
  const copied = names.map((name) => `${name}: part(value[${name}])`);
  try {
    return {
      make: new Function('read', 'keys', 'depth', `return { ${made.join()} };`) as Make,
      copy: new Function('value', 'part', `return { ${copied.join()} };`) as Copy,
    };
  } catch {
    return undefined;
  }
}

/** A key that was not expected: the place where it is remembered, or its text. */
function readKey(): number | string {
  const from = at;
  const type = bytes[take(1)]!;
  if (type < 0xa0 || type > 0xbf) {
    // Python's keys may be numbers, and long ones have their length in front.
    at--;
    const key = readValue(DEEPEST, top);
    if (typeof key === 'object' || typeof key === 'boolean') throw new Error('it has a key that is none');
    return checkName(String(key));
  }
  const size = 1 + (type & 0x1f);
  take(size - 1);
  const place = placeOf(bytes, from, size);
  const key = keys[place];
  if (key !== undefined && key.size === size && from + KEY_ROOM <= bytes.length && isAt(key, view, from)) {
    return place;
  }
  const name = checkName(bytes.utf8Slice(from + 1, at));
  // Of damaged bytes no text is made that has them in turn.
  if (name.includes('\ufffd')) return name;
  keys[place] = new Key(name, bytes, from, size);
  return place;
}

function checkName(name: string): string {
  if (name === '__proto__') throw new Error('it has a key that is never written');
  return name;
}

/** What of its two first words is a text's, by its length. */
const MASK0 = Int32Array.from({ length: 9 }, (_, length) => maskOf(length));
const MASK1 = Int32Array.from({ length: 9 }, (_, length) => maskOf(length - 4));

/** Short texts that were met last, which are often the same ones again: by a hash of their words, and those. */
const MET = 512;
const metWords = new Int32Array(MET * 2);
const metTexts = Array.from({ length: MET }, () => '');

/** A text of up to 8 ASCII characters, and zeros behind them. */
function met(length: number, a: number, b: number): string {
  const place = Math.imul(a ^ Math.imul(b, 0x85ebca6b), 0x9e3779b1) >>> 23;
  const text = metTexts[place]!;
  if (metWords[place * 2] === a && metWords[place * 2 + 1] === b && text.length === length) return text;
  metWords[place * 2] = a;
  metWords[place * 2 + 1] = b;
  return (metTexts[place] = shortText(length, a, b));
}

function readText(length: number): string {
  const from = take(length);
  if (length <= 8 && from + 8 <= bytes.length) {
    const a = view.getInt32(from, true) & MASK0[length]!;
    const b = view.getInt32(from + 4, true) & MASK1[length]!;
    if (((a | b) & 0x80808080) === 0) return met(length, a, b);
  }
  if (length > SHORT) return bytes.toString('utf8', from, at);
  let all = 0;
  if (length <= LONGEST_TEXT && from + LONGEST_TEXT <= bytes.length) {
    const whole = from + (length & ~3);
    for (let i = from; i < whole; i += 4) all |= view.getInt32(i, true);
    if ((length & 3) !== 0) all |= view.getInt32(whole, true) & maskOf(length & 3);
    if ((all & 0x80808080) !== 0) return bytes.utf8Slice(from, at);
    return mediumText(
      length,
      view.getInt32(from, true),
      view.getInt32(from + 4, true),
      view.getInt32(from + 8, true),
      view.getInt32(from + 12, true),
      view.getInt32(from + 16, true),
      view.getInt32(from + 20, true),
    );
  }
  for (let i = from; i < at; i++) all |= bytes[i]!;
  return all < 0x80 ? bytes.latin1Slice(from, at) : bytes.utf8Slice(from, at);
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
