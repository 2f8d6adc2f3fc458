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

// What the calls `…_laid` take lies on a desk, which Rust looks at itself: crates/shmkit-node/src/dict/raw.rs has what is where.
/** @internal */
export const words = new Uint32Array(calls.desk);
/** @internal Of these words, what is said of the value: how long its key is, its kind, its bytes, and where they are. */
export const [KEY_LENGTH, KIND, LENGTH, AT] = [1, 2, 3, 4] as const;
const KEY = 20;
const VALUES = 96;
/** The longest value, in bytes. */
const VALUE = 4096;
/** @internal The number, if it is one. */
export const doubles = new Float64Array(calls.desk, VALUES, 1);
/** @internal Both halves: */
export const values = sliceable(calls.desk, VALUES, 2 * VALUE);
/** where texts and bytes are written, */
const bytes = sliceable(calls.desk, VALUES, VALUE);
/** @internal All of it in words. */
export const valueWords = new Int32Array(calls.desk, VALUES, (2 * VALUE) / 4);
/** @internal and where objects are: a getter among them may lay something else on the desk. */
export const packed = sliceable(calls.desk, VALUES + VALUE);
/** @internal The words of the key that was hashed last, and zeros behind it in the last one. */
export const keyWords = new Int32Array(calls.desk, KEY, LAYOUT.hashed / 4 + 1);
/** @internal In place of a hash; and Rust looks for the one key in four thousand million that has it. */
export const UNHASHED = -1;

/** @internal Longer texts are written by a call, which takes as long as the characters of so long a one. */
export const SHORT = 40;
const BEYOND_LATIN1 = /[\u0100-\uffff]/;

/** @internal Lays a short ASCII key on the desk, and hashes it as Rust does; `UNHASHED` for all others. */
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

/** @internal Lays a short key and a number, or a text that is not long, on the desk; the key's hash. `UNHASHED` for all others. */
export function lay(dict: number, key: string, value: unknown): number {
  if (typeof value === 'number') {
    doubles[0] = value;
    return laid(dict, key, NUMBER, 0, 8);
  }
  if (typeof value !== 'string') return UNHASHED;
  const { length } = value;
  if (length > SHORT) return layLong(dict, key, value);
  let all = 0;
  for (let i = 0; i < length; i++) {
    const character = value.charCodeAt(i);
    all |= character;
    bytes[i] = character;
  }
  return all < 256 ? laid(dict, key, LATIN1, 0, length) : layWide(dict, key, value);
}

/** @internal Whether it has characters beyond U+00FF. What the engine holds as bytes is not looked at. */
export function isWide(text: string): boolean {
  return BEYOND_LATIN1.test(text);
}

function layLong(dict: number, key: string, value: string): number {
  const { length } = value;
  if (length > VALUE) return UNHASHED;
  if (isWide(value)) return layWide(dict, key, value);
  bytes.latin1Write(value, 0, length);
  return laid(dict, key, LATIN1, 0, length);
}

function layWide(dict: number, key: string, value: string): number {
  const { length } = value;
  if (length * 2 > VALUE) return UNHASHED;
  bytes.ucs2Write(value, 0, length * 2);
  return laid(dict, key, UTF16, 0, length * 2);
}

/** @internal Lays a short key on the desk, whose value is so many bytes of `packed`; as `lay`. */
export function layPacked(dict: number, key: string, length: number): number {
  return laid(dict, key, MESSAGE_PACK, VALUE, length);
}

/** @internal Lays a short key and bytes of this kind that are not many on the desk; as `lay`. */
export function layBytes(dict: number, key: string, kind: number, value: Uint8Array): number {
  const length = lengthOf(value);
  if (length > VALUE) return UNHASHED;
  bytes.set(value);
  return laid(dict, key, kind, 0, length);
}

function laid(dict: number, key: string, kind: number, at: number, length: number): number {
  const hashed = hash(key);
  if (hashed === UNHASHED) return UNHASHED;
  words[0] = dict;
  words[KEY_LENGTH] = key.length;
  words[KIND] = kind;
  words[LENGTH] = length;
  words[AT] = at;
  return hashed;
}
