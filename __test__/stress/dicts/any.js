/** Random keys and values of every kind. Strings and bytes of 16 or more begin with a checksum of the rest. */
import { Buffer } from 'node:buffer';
import { types } from 'node:util';

import { random } from '../../fixtures/random.js';
import { sum } from './values.js';

const POOL = 160 << 10;
/** Shorter ones have no checksum. */
const SUMMED = 16;
const HEX = 8;
const draw = random(20_26);
const drawn = (count, unit) => String.fromCharCode(...Array.from({ length: count }, unit));
const pool = (unit) => Array.from({ length: POOL >> 10 }, () => drawn(1024, unit)).join('');
const BYTES = Buffer.from(Uint8Array.from({ length: POOL }, () => draw(256)));
export const LATIN = pool(() => draw(256));
/** Of all planes, with lone surrogates among them. */
export const WIDE = pool(() => (draw(3) === 0 ? 0xd800 + draw(0x800) : draw(0xffff)));

const ARRAYS = [
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  BigInt64Array,
  BigUint64Array,
  Float32Array,
  Float64Array,
];
const NUMBERS = [
  0,
  -0,
  Number.NaN,
  Infinity,
  -Infinity,
  0.1,
  -1.5,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  -(2 ** 31) - 1,
  2 ** 32,
  2 ** 53,
  -(2 ** 53),
  2 ** 63,
  2 ** 64,
  Number.MAX_VALUE,
  Number.MIN_VALUE,
];
const BIGINTS = [
  0n,
  -1n,
  2n ** 63n - 1n,
  2n ** 63n,
  -(2n ** 63n),
  -(2n ** 63n) - 1n,
  2n ** 64n - 1n,
  2n ** 64n,
];
/** No invalid date: isDeepStrictEqual() says that it differs from itself. */
const DATES = [0, -1, 1, 951_782_400_123, -62_135_596_800_000, 4_294_967_296_000, 8.64e15, -8.64e15];
/** Names of fields that have a meaning of their own in JavaScript. */
const FIELDS = [
  '',
  'a',
  'b',
  'list',
  'constructor',
  'toJSON',
  'toString',
  'length',
  '0',
  'then',
  '__proto__',
  'ключ',
];

const sumOf = (units) => sum(Buffer.from(units, 'utf16le')).toString(16).padStart(HEX, '0');

/** A text of about this many characters from a pool, which begins with `head`. */
export function text(below, size, from, head = '') {
  const room = Math.max(size - head.length, 0);
  const at = below(from.length - room);
  if (head === '' && size < SUMMED) return from.slice(at, at + size);
  const rest = head + from.slice(at, at + Math.max(room, SUMMED) - HEX);
  return sumOf(rest) + rest;
}

/** Bytes that begin with `head` after their checksum. */
export function bytes(below, size, head = Buffer.alloc(0)) {
  const at = below(BYTES.length - size);
  const made = Buffer.from(BYTES.subarray(at, at + size));
  if (size < SUMMED) return made;
  head.copy(made, 4);
  made.writeUInt32LE(sum(made.subarray(4)), 0);
  return made;
}

/** Whether the checksum of a text or of bytes is right. */
export function isIntact(value) {
  if (value.length < SUMMED) return true;
  if (typeof value === 'string') return value.slice(0, HEX) === sumOf(value.slice(HEX));
  return value.readUInt32LE(0) === sum(value.subarray(4));
}

/** Whether all texts and bytes in the value are intact. */
export function isWhole(value, seen = new Set()) {
  if (typeof value === 'string' || Buffer.isBuffer(value)) return isIntact(value);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || seen.has(value))
    return true;
  seen.add(value);
  const parts = types.isMap(value)
    ? [...value].flat()
    : types.isSet(value)
      ? [...value]
      : Object.values(value);
  return parts.every((part) => isWhole(part, seen));
}

/** 0 to `largest`; short lengths are more frequent. */
export function length(below, largest) {
  return below(1 << below(Math.floor(Math.log2(largest)) + 1)) + below(2);
}

function bigint(below) {
  if (below(2) === 0) return BIGINTS[below(BIGINTS.length)];
  let value = 0n;
  for (let words = below(10); words > 0; words--) value = (value << 32n) | BigInt(below(2 ** 32));
  return below(2) === 0 ? value : -value;
}

function typedArray(below, largest) {
  const made = ARRAYS[below(ARRAYS.length)];
  const size = length(below, largest) & -8;
  const at = below((BYTES.length - size) >> 3) << 3;
  return new made(new Uint8Array(BYTES.subarray(at, at + size)).buffer);
}

function object(below, largest, depth) {
  const made = {};
  for (let fields = below(6); fields > 0; fields--) {
    const field = below(3) > 0 ? `field ${below(1000)}` : FIELDS[below(FIELDS.length)];
    // Not by assignment, because of '__proto__'.
    Object.defineProperty(made, field, {
      value: anyValue(below, largest >> 2, depth + 1),
      configurable: true,
      enumerable: true,
      writable: true,
    });
  }
  return made;
}

const array = (below, largest, depth) =>
  Array.from({ length: below(6) }, () => anyValue(below, largest >> 2, depth + 1));

/** Values that only a structured clone keeps. */
const RARE = [
  (below, largest, depth) => new Map([[object(below, largest, depth), array(below, largest, depth)]]),
  (below, largest, depth) => new Set(array(below, largest, depth)),
  (below) => new Date(DATES[below(DATES.length)]),
  (below) => new Date(below(2 ** 32) * 1000 + below(1000)),
  (below) => new RegExp(`a+b${below(100)}`, 'gi'),
  (below) => new RangeError(`of ${below(100)}`),
  (below, largest, depth) => {
    const cycle = object(below, largest, depth);
    cycle.itself = { list: [cycle] };
    return cycle;
  },
  (below, largest, depth) => {
    const one = object(below, largest, depth);
    return [one, { again: one }];
  },
  (below, largest, depth) => {
    const sparse = array(below, largest, depth);
    sparse[sparse.length + 1 + below(3)] = 'far';
    return sparse;
  },
  (below) => {
    let nested = [];
    for (let levels = below(150); levels > 0; levels--) nested = [nested];
    return nested;
  },
  (below, largest) => ({ inside: typedArray(below, largest), twice: 2 }),
];

/** A value of any kind. Its strings, bytes and arrays have at most about `largest` units. */
export function anyValue(below, largest, depth = 0) {
  switch (below(depth < 3 ? 18 : 13)) {
    case 0:
      return null;
    case 1:
      return below(2) === 0;
    case 2:
    case 3:
      return below(1000);
    case 4:
      return NUMBERS[below(NUMBERS.length)];
    case 5:
      return (below(2 ** 32) - 2 ** 31) * 2 ** (below(200) - 100);
    case 6:
      return bigint(below);
    case 7:
    case 8:
      return text(below, length(below, largest), LATIN);
    case 9:
    case 10:
      return text(below, length(below, largest), WIDE);
    case 11:
      return bytes(below, length(below, largest));
    case 12:
      return depth === 0 ? typedArray(below, largest) : '';
    case 13:
    case 14:
    case 15:
      return object(below, largest, depth);
    case 16:
      return array(below, largest, depth);
    default:
      return RARE[below(RARE.length)](below, largest, depth);
  }
}

const NAMES = [
  '__proto__',
  'constructor',
  'toString',
  ' ',
  '\n',
  '\0',
  '\x7f',
  'ÿ',
  '\uffff',
  '\u{10ffff}',
  '-0',
];
/** The length of the longest key that lmdb accepts, in bytes. */
const LONGEST = 1978;
const FORMS = [
  (i) => `${i}`,
  (i) => `key ${i}`,
  (i) => `a/prefix/that/many/have/${i}`,
  (i) => `a/prefix/that/many/have/and/a/longer/one/${'of/'.repeat(30)}${i}`,
  (i) => `${i}/and/an/end/that/many/have`,
  (i) => `ключ ${i}`,
  (i) => `🎉${i}`,
  (i) => `\0${i}\0`,
];

/** That many different keys, always the same ones. */
export function anyKeys(count) {
  const below = random(count);
  return Array.from({ length: count }, (_, i) => {
    if (i < NAMES.length) return NAMES[i];
    if (below(30) === 0) return `${'x'.repeat(below(LONGEST - 20))}${i}`;
    if (below(100) === 0) return `${i}`.padStart(LONGEST, 'y');
    return FORMS[below(FORMS.length)](i);
  });
}
