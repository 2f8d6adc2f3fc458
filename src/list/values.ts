import { Buffer, isUtf8 } from 'node:buffer';
import { types } from 'node:util';

import { LIST_BOOL, LIST_BYTES, LIST_FLOAT, LIST_INT, LIST_NONE, LIST_STR } from '#binding';
import { shmError, valueError, wrongType } from '../common/errors.js';

/** What a list can hold: Python's `int` (64 bits), `float`, `bool`, `str`, `bytes` and `None`. */
export type ListItem = number | bigint | boolean | string | Uint8Array | null;

/** A number that is stored as Python's `float`, whatever its value. `float()` makes it. */
export interface Float {
  /** The number. */
  readonly value: number;
}

class FloatValue implements Float {
  readonly #value: number;

  constructor(value: number) {
    this.#value = value;
  }

  get value(): number {
    return this.#value;
  }

  static is(value: object): value is FloatValue {
    return #value in value;
  }
}

/**
 * Marks a number to be stored as Python's `float`: `2` becomes `2.0`, and the slot stays a float.
 * @throws `ERR_INVALID_ARG_TYPE` if it is not a number.
 */
export function float(value: number): Float {
  if (typeof value !== 'number') throw wrongType('a float', 'a number', value);
  return new FloatValue(value);
}

/** Whether a value was made by `float()`. */
export function isFloat(value: unknown): value is Float {
  return typeof value === 'object' && value !== null && FloatValue.is(value);
}

const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 63n - 1n;

/** A bigint that fits into Python's `q`. */
export function checkInt(value: bigint): bigint {
  if (value < INT_MIN || value > INT_MAX) {
    throw valueError(`${value}n does not fit into 64 bits, which is what a list's int has`);
  }
  return value;
}

/** Whether a number is stored as an int: whole, safe, and not -0, which only a float keeps. */
export function isInt(value: number): boolean {
  return Number.isSafeInteger(value) && (value !== 0 || 1 / value > 0);
}

/** What to do with text and bytes that end in NUL, which Python's list cannot tell from padding. */
export type TrailingNul = 'refuse' | 'strip';

export function checkTrailingNul(mode: unknown): TrailingNul {
  if (mode === undefined) return 'refuse';
  if (mode !== 'refuse' && mode !== 'strip') throw wrongType('trailingNul', "'refuse' or 'strip'", mode);
  return mode;
}

/** The length of a typed array, whatever a subclass says. */
const lengthOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), 'length')!
  .get! as (this: Uint8Array) => number;

/** The most bytes that a value can have when it is stored. */
export function maxPayload(value: string | Uint8Array): number {
  return typeof value === 'string' ? value.length * 3 : lengthOf.call(value);
}

/** Up to this length a loop is faster than a call into the engine. */
const SHORT = 64;

/**
 * Writes text or bytes at `at` of a private buffer that has room for `maxPayload` of them, and returns how
 * many bytes they are. Whoever changes `value` meanwhile, what was checked is what is in the buffer.
 */
export function writePayload(target: Buffer, at: number, value: string | Uint8Array): number {
  const length = typeof value === 'string' ? writeText(target, at, value) : writeBytes(target, at, value);
  if (length > 0 && target[at + length - 1] === 0) {
    throw valueError(
      "text and bytes that end in NUL would be read back without it; pass { trailingNul: 'strip' } to store them so",
    );
  }
  return length;
}

/** Text or bytes without the NULs at their end. */
export function stripNul(value: string | Uint8Array): string | Uint8Array {
  if (typeof value === 'string') {
    let end = value.length;
    while (end > 0 && value.charCodeAt(end - 1) === 0) end--;
    return value.slice(0, end);
  }
  const copy = new Uint8Array(value);
  let end = copy.length;
  while (end > 0 && copy[end - 1] === 0) end--;
  return copy.subarray(0, end);
}

function writeText(target: Buffer, at: number, text: string): number {
  const { length } = text;
  if (length <= SHORT) {
    let bits = 0;
    for (let i = 0; i < length; i++) {
      const char = text.charCodeAt(i);
      bits |= char;
      target[at + i] = char;
    }
    if (bits < 0x80) return length;
  }
  if (!text.isWellFormed()) {
    throw valueError(
      'a string with a lone surrogate cannot be stored: it has no UTF-8 form; use toWellFormed()',
    );
  }
  return target.write(text, at, length * 3, 'utf8');
}

function writeBytes(target: Buffer, at: number, bytes: Uint8Array): number {
  const length = lengthOf.call(bytes);
  if (length <= SHORT) for (let i = 0; i < length; i++) target[at + i] = bytes[i]!;
  else target.set(bytes, at);
  return length;
}

/** Text from a private copy of its bytes. CPython before us cut it inside a character, now and then. */
export function decodeText(copy: Buffer, length: number, name: string): string {
  const text = copy.toString('utf8', 0, length);
  if (text.includes('\ufffd') && !isUtf8(copy.subarray(0, length))) {
    throw shmError(
      'ERR_SHM_ENCODING',
      `the text is not valid UTF-8 (CPython cuts text that is not ASCII, gh-88336): ${copy.toString('hex', 0, Math.min(length, 32))}`,
      name,
    );
  }
  return text;
}

/** Items as they cross to Rust: a kind and a word for each, and the payloads one after the other. */
export interface PackedItems {
  kinds: Uint8Array;
  words: BigInt64Array;
  payload: Uint8Array;
}

/** Packs items for Rust, which chooses the layout and writes them. */
export function packItems(items: readonly unknown[], mode: TrailingNul): PackedItems {
  const kinds = new Uint8Array(items.length);
  const words = new BigInt64Array(items.length);
  const floats = new Float64Array(words.buffer);
  const halves = new Int32Array(words.buffer);
  let payload: Buffer = EMPTY;
  let used = 0;
  for (let i = 0; i < kinds.length; i++) {
    const item = items[i];
    switch (typeof item) {
      case 'number':
        if (isInt(item)) {
          kinds[i] = LIST_INT;
          halves[2 * i] = item;
          halves[2 * i + 1] = Math.floor(item / 4294967296);
        } else {
          kinds[i] = LIST_FLOAT;
          floats[i] = item;
        }
        continue;
      case 'bigint':
        kinds[i] = LIST_INT;
        words[i] = checkInt(item);
        continue;
      case 'boolean':
        kinds[i] = LIST_BOOL;
        halves[2 * i] = item ? 1 : 0;
        continue;
      case 'string':
        kinds[i] = LIST_STR;
        break;
      default:
        if (item === null) {
          kinds[i] = LIST_NONE;
          continue;
        }
        if (isFloat(item)) {
          kinds[i] = LIST_FLOAT;
          floats[i] = item.value;
          continue;
        }
        if (!types.isUint8Array(item)) throw unsupported(item);
        kinds[i] = LIST_BYTES;
    }
    const value = mode === 'strip' ? stripNul(item) : item;
    const room = used + maxPayload(value);
    if (room > payload.length) payload = grown(payload, used, room);
    const length = writePayload(payload, used, value);
    halves[2 * i] = length;
    used += length;
  }
  return { kinds, words, payload: payload.subarray(0, used) };
}

const EMPTY = Buffer.alloc(0);

function grown(buffer: Buffer, used: number, room: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(Math.max(room, buffer.length * 2, 256));
  buffer.copy(larger, 0, 0, used);
  return larger;
}

/** The error for a value of a type that Python's list has not either. */
export function unsupported(value: unknown): TypeError {
  return wrongType('a list item', 'a number, bigint, boolean, string, Uint8Array, null or float()', value);
}
