/**
 * Reads MessagePack, as far as dicts need it. Not a library's, because what is read here anybody may have written: every count
 * is checked against the bytes that are there, and nothing is kept of a value that could not be read.
 */
import { Buffer } from 'node:buffer';

import type { Copy } from './copies.js';
import { sliceable } from './call-buffer.js';
import type { Sliceable } from './call-buffer.js';
import { LONGEST_TEXT, mediumText, shortText } from './texts.js';

/** @internal How deep values may be nested: whoever reads them does so on a stack of his own. Python has the same limit. */
export const DEEPEST = 100;
/** @internal Texts of up to so many characters are looked at one by one, which is faster than a call. */
export const SHORT = 64;

/** @internal */
export function viewOf({ buffer, byteOffset, byteLength }: Buffer): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

// ---- keys

/** @internal So many bytes may be looked at or written where a key begins that is expected. */
export const KEY_ROOM = 32;
/** So many keys are remembered, less one. */
const PLACES = 511;

/**
 * @internal A key that was met, and its bytes, that of its length among them, as words that are compared or written at once. Where
 * objects are alike the same keys follow each other, so that each of them is expected after the one before it. That is a
 * guess: nothing but all of its bytes says that a key is there, or its text that it is to be written.
 */
export class Key {
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

/** @internal Those that were met last, by their `placeOf`. */
export const keys: (Key | undefined)[] = Array.from({ length: PLACES + 1 }, () => undefined);
/** @internal Above all others. */
export const top = loose('');

/** @internal A key that is not remembered. */
export function loose(text: string): Key {
  return new Key(text, new Uint8Array(0), 0, 0);
}

/** @internal */
export function placeOf(bytes: Uint8Array, from: number, size: number): number {
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
