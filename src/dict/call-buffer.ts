import { Buffer } from 'node:buffer';
import { types } from 'node:util';

import * as binding from '#binding';

import { LATIN1, MESSAGE_PACK, NUMBER, UTF16 } from './kinds.js';

/** @internal Where a dict's memory has what is looked at here. */
export const LAYOUT = binding.dictLayout();
/** @internal The calls that are made for each access. */
export const calls = binding.dictCalls();

/** @internal With what `toString` and `write` come down to, which take a fifth longer. */
export interface Sliceable extends Buffer {
  latin1Slice(start: number, end: number): string;
  ucs2Slice(start: number, end: number): string;
  utf8Slice(start: number, end: number): string;
  latin1Write(text: string, start: number, length: number): number;
  ucs2Write(text: string, start: number, length: number): number;
}

/** @internal All bytes of a buffer. */
export function sliceable(buffer: ArrayBuffer, start = 0, length = buffer.byteLength - start): Sliceable {
  return Buffer.from(buffer, start, length) as Sliceable;
}

const { byteLength, buffer } = Object.getOwnPropertyDescriptors(
  Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array,
);

/** @internal How many bytes there are, whatever somebody else's object says of itself. */
export function lengthOf(bytes: Uint8Array): number {
  return byteLength.get!.call(bytes) as number;
}

/** @internal Whether another thread may make more of them at any moment. */
export function mayGrow(bytes: Uint8Array): boolean {
  return types.isSharedArrayBuffer(buffer.get!.call(bytes));
}

// The call buffer: memory that JavaScript and Rust share. The calls without arguments, such as `set_staged`, read their
// arguments from it, which costs half of what arguments cost. crates/shmkit-node/src/dict/raw.rs has the layout.
/** @internal The words of the call buffer. */
export const words = new Uint32Array(calls.buffer);
/**
 * @internal Indexes of words: the length of the key, and the kind, length and offset of the value. Then where keys and values
 * are, and the longest staged value, in bytes.
 */
export const {
  keyLength: KEY_LENGTH,
  kind: KIND,
  length: LENGTH,
  at: AT,
  key: KEY,
  values: VALUES,
  most: VALUE,
} = binding.callBufferLayout();
/** @internal The value, if it is a number. */
export const doubles = new Float64Array(calls.buffer, VALUES, 1);
/** @internal All values: the two areas below. */
export const values = sliceable(calls.buffer, VALUES, 2 * VALUE);
/** The area for texts and bytes. */
const bytes = sliceable(calls.buffer, VALUES, VALUE);
/** @internal The values as words. */
export const valueWords = new Int32Array(calls.buffer, VALUES, (2 * VALUE) / 4);
/** @internal The area for packed objects. A getter of the object that is being packed may stage another value. */
export const packed = sliceable(calls.buffer, VALUES + VALUE);
/** @internal The words of the key that was hashed last; the last word is padded with zeros. */
export const keyWords = new Int32Array(calls.buffer, KEY, LAYOUT.hashed / 4 + 1);
/** @internal Instead of a hash: Rust hashes the key. One key in 2³² has this hash, and is Rust's too. */
export const UNHASHED = -1;

/** @internal The longest text that is copied character by character; copying a longer one by a call is faster. */
export const SHORT = 40;
const BEYOND_LATIN1 = /[\u0100-\uffff]/;

/** @internal Stages a short ASCII key and returns its hash, the same as Rust's; `UNHASHED` for any other key. */
export function hash(key: string): number {
  if (typeof key !== 'string') return UNHASHED;
  const length = key.length;
  if (length === 0 || length > LAYOUT.hashed) return UNHASHED;
  const whole = length & ~3;
  let mixed = length;
  let all = 0;
  for (let i = 0; i < whole; i += 4) {
    const a = key.charCodeAt(i);
    const b = key.charCodeAt(i + 1);
    const c = key.charCodeAt(i + 2);
    const d = key.charCodeAt(i + 3);
    all |= a | b | c | d;
    const word = a | (b << 8) | (c << 16) | (d << 24);
    keyWords[i >> 2] = word;
    mixed = Math.imul(mixed ^ word, 0x9e3779b1);
    mixed ^= mixed >>> 15;
  }
  let last = 0;
  for (let i = whole; i < length; i++) {
    const character = key.charCodeAt(i);
    all |= character;
    last |= character << ((i & 3) * 8);
  }
  keyWords[whole >> 2] = last;
  mixed = Math.imul(mixed ^ last, 0x9e3779b1);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed, 0x85ebca6b);
  return all < 128 ? mixed ^ (mixed >>> 13) : UNHASHED;
}

/**
 * @internal Stages a short key, and a number or a text that is not long. Returns the hash of the key, or `UNHASHED` if one
 * of them cannot be staged.
 */
export function stage(dict: number, key: string, value: unknown): number {
  if (typeof value === 'number') {
    doubles[0] = value;
    return staged(dict, key, NUMBER, 0, 8);
  }
  if (typeof value !== 'string') return UNHASHED;
  const { length } = value;
  if (length > SHORT) return stageLong(dict, key, value);
  let all = 0;
  for (let i = 0; i < length; i++) {
    const character = value.charCodeAt(i);
    all |= character;
    bytes[i] = character;
  }
  return all < 256 ? staged(dict, key, LATIN1, 0, length) : stageWide(dict, key, value);
}

/** @internal Whether the text has characters above U+00FF. The engine does not scan a text that it holds as bytes. */
export function isWide(text: string): boolean {
  return BEYOND_LATIN1.test(text);
}

function stageLong(dict: number, key: string, value: string): number {
  const { length } = value;
  if (length > VALUE) return UNHASHED;
  if (isWide(value)) return stageWide(dict, key, value);
  bytes.latin1Write(value, 0, length);
  return staged(dict, key, LATIN1, 0, length);
}

function stageWide(dict: number, key: string, value: string): number {
  const { length } = value;
  if (length * 2 > VALUE) return UNHASHED;
  bytes.ucs2Write(value, 0, length * 2);
  return staged(dict, key, UTF16, 0, length * 2);
}

/** @internal Stages a short key, whose value is the first `length` bytes of `packed`; returns as `stage`. */
export function stagePacked(dict: number, key: string, length: number): number {
  return staged(dict, key, MESSAGE_PACK, VALUE, length);
}

/** @internal Stages a short key and a few bytes of this kind; returns as `stage`. */
export function stageBytes(dict: number, key: string, kind: number, value: Uint8Array): number {
  const length = lengthOf(value);
  if (length > VALUE) return UNHASHED;
  bytes.set(value);
  return staged(dict, key, kind, 0, length);
}

function staged(dict: number, key: string, kind: number, at: number, length: number): number {
  const hashed = hash(key);
  if (hashed === UNHASHED) return UNHASHED;
  words[0] = dict;
  words[KEY_LENGTH] = key.length;
  words[KIND] = kind;
  words[LENGTH] = length;
  words[AT] = at;
  return hashed;
}
