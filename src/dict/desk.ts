import * as binding from '#binding';

import { LATIN1, NUMBER } from './kinds.js';

/** @internal Where a dict's memory has what is looked at here. */
export const LAYOUT = binding.dictLayout();
/** @internal The calls that are made for each access. */
export const calls = binding.dictCalls();

// What the calls `…_laid` take lies on a desk, which Rust looks at itself: crates/shmkit-node/src/dict/raw.rs has what is where.
const words = new Uint32Array(calls.desk);
const KEY = 16;
const VALUE = 88;
const VALUE_LENGTH = 64;
const doubles = new Float64Array(calls.desk, VALUE, 1);
const bytes = new Uint8Array(calls.desk, VALUE, VALUE_LENGTH);
/** @internal The words of the key that was hashed last, */
export const keyWords = new Int32Array(calls.desk, KEY, LAYOUT.hashed / 4 + 1);
/** @internal and its hash. */
export let keyHash = 0;

/** @internal Lays a short ASCII key on the desk, and hashes it as Rust does; false for all others. */
export function hash(key: string): boolean {
  if (typeof key !== 'string') return false;
  const length = key.length;
  if (length === 0 || length > LAYOUT.hashed) return false;
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
  keyHash = mixed ^ (mixed >>> 13);
  return all < 128;
}

/** @internal Lays a short key and a number, or a short text of characters up to U+00FF, on the desk; false for all others. */
export function lay(dict: number, key: string, value: unknown): boolean {
  if (typeof value === 'number') {
    doubles[0] = value;
    words[2] = NUMBER;
    words[3] = 8;
  } else if (typeof value === 'string') {
    const length = value.length;
    if (length > VALUE_LENGTH) return false;
    let all = 0;
    for (let i = 0; i < length; i++) {
      const character = value.charCodeAt(i);
      all |= character;
      bytes[i] = character;
    }
    if (all > 255) return false;
    words[2] = LATIN1;
    words[3] = length;
  } else return false;
  if (!hash(key)) return false;
  words[0] = dict;
  words[1] = key.length;
  return true;
}
