import { Buffer } from 'node:buffer';
import { types } from 'node:util';
import { deserialize, serialize } from 'node:v8';

import { Packr } from 'msgpackr';

import { ARRAY, BUSY, BYTES, CLONE, MESSAGE_PACK } from './kinds.js';
import { shmError, valueError, wrongType } from '../errors.js';

/** Typed arrays, by their place in this list. */
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
] as const;

/** Where the binding puts what is made here: 4 bytes of length, 4 of kind, the bytes. Used up before the next call. */
export const scratch = Buffer.alloc(64 << 10);
const head = new Uint32Array(scratch.buffer, scratch.byteOffset, 2);
const HEAD = 8;
const packer = new Packr({
  useRecords: false,
  variableMapSize: true,
  int64AsType: 'bigint',
  copyBuffers: true,
});
/** Its own, until the next call. */
const range = { start: 0, end: 0 };

/** @internal A value as the binding takes it: a primitive, or bytes and their kind. */
export interface Encoded {
  readonly value: unknown;
  readonly kind: number;
}

/** @internal `Others wrote all the time`, in place of a value. */
export const Busy = Symbol('busy');

/** @internal A key that can be one. The binding checks its length. */
export function checkKey(key: unknown): string {
  if (typeof key !== 'string') throw wrongType('a key', 'a string', key);
  if (!key.isWellFormed()) throw shmError('ERR_SHM_KEY', 'a key must not have lone surrogates');
  return key;
}

/** @internal A value that can be stored, or an error that says why it cannot. */
export function encode(value: unknown): Encoded {
  switch (typeof value) {
    case 'number':
    case 'string':
    case 'boolean':
    case 'bigint':
      return { value, kind: 0 };
    case 'object':
      return value === null ? { value, kind: 0 } : encodeObject(value);
    default:
      throw valueError(
        `a dict has no ${typeof value === 'undefined' ? 'undefined: delete() the key, or store null' : typeof value}`,
      );
  }
}

function encodeObject(value: object): Encoded {
  if (types.isUint8Array(value)) return { value: Buffer.from(value), kind: BYTES };
  if (types.isTypedArray(value)) {
    const array = ARRAYS.findIndex(({ name }) => name === value[Symbol.toStringTag]);
    if (array >= 0) {
      return {
        value: Buffer.from(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength),
        kind: ARRAY + array,
      };
    }
  }
  try {
    if (isPortable(value, new Met(), 0)) return { value: packer.pack(value), kind: MESSAGE_PACK };
    checkPlain(value, new Set());
    return { value: serialize(value), kind: CLONE };
  } catch (error) {
    throw valueError(`the value cannot be stored: ${(error as Error).message}`);
  }
}

/** How deep what goes to MessagePack may be nested: whoever reads it does so with a stack of his own. */
const DEEPEST = 100;

/**
 * Whether MessagePack gives it back as it is. It would change or refuse -0, lone surrogates, undefined, bigints of more
 * than 64 bits, an own `__proto__` or `toJSON`, what is there twice or in a cycle, and all objects but plain ones, arrays, Date and
 * bytes.
 */
function isPortable(value: unknown, met: Met, depth: number): boolean {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed();
    case 'number':
      return value !== 0 || !Object.is(value, -0);
    case 'boolean':
      return true;
    case 'bigint':
      return value === BigInt.asIntN(64, value) || value === BigInt.asUintN(64, value);
    case 'object':
      return (
        value === null || (depth < DEEPEST && met.isNew(value) && isPortableObject(value, met, depth + 1))
      );
    default:
      return false;
  }
}

function isPortableObject(value: object, met: Met, depth: number): boolean {
  if (Array.isArray(value)) {
    // It may have named properties, and places without anything.
    if (Object.keys(value).length !== value.length) return false;
    for (let i = 0; i < value.length; i++) if (!isPortable(value[i], met, depth)) return false;
    return true;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype) {
    return prototype === Date.prototype ? !Number.isNaN(+(value as Date)) : Buffer.isBuffer(value);
  }
  if (Symbol.iterator in value) return false; // `arguments`
  for (const key in value) {
    if (key === '__proto__' || key === 'toJSON' || !key.isWellFormed()) return false;
    if (!isPortable((value as Record<string, unknown>)[key], met, depth)) return false;
  }
  return true;
}

/** The objects of one value. */
class Met {
  readonly #few: object[] = [];
  #many: Set<object> | undefined;

  isNew(value: object): boolean {
    if (this.#many === undefined) {
      if (this.#few.includes(value)) return false;
      if (this.#few.push(value) > 16) this.#many = new Set(this.#few);
      return true;
    }
    return this.#many.size < this.#many.add(value).size;
  }
}

/** Of an instance of a class nothing but its fields would be left, without a word. */
function checkPlain(value: unknown, seen: Set<object>): void {
  if (typeof value !== 'object' || value === null || seen.has(value)) return;
  seen.add(value);
  let parts: Iterable<unknown>;
  if (Array.isArray(value) || types.isSet(value)) parts = value;
  else if (types.isMap(value)) parts = [...value].flat();
  else if (isWhole(value)) return;
  else {
    const prototype: unknown = Object.getPrototypeOf(value);
    // Of another context too, whose Object is another one.
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      throw valueError(`there is an instance of ${value.constructor.name} in it: store what it is made of`);
    }
    parts = Object.values(value);
  }
  for (const part of parts) checkPlain(part, seen);
}

/** What is cloned as a whole, or refused by V8 itself. */
function isWhole(value: object): boolean {
  return (
    types.isDate(value) ||
    types.isRegExp(value) ||
    types.isNativeError(value) ||
    types.isAnyArrayBuffer(value) ||
    ArrayBuffer.isView(value) ||
    types.isBoxedPrimitive(value) ||
    types.isPromise(value) ||
    types.isWeakMap(value) ||
    types.isWeakSet(value)
  );
}

/** @internal The value of what the binding gives: a primitive, or a copy of bytes with their kind behind them. */
export function decode(raw: unknown): unknown {
  if (typeof raw !== 'object' || raw === null) return raw;
  if (raw === scratch) {
    const [length, kind] = head as unknown as [number, number];
    return decodeBytes(scratch, kind, HEAD, HEAD + length);
  }
  const bytes = raw as Buffer;
  const kind = bytes[bytes.length - 1] as number;
  if (kind === BUSY) return Busy;
  return decodeBytes(bytes, kind, 0, bytes.length - 1);
}

/** @internal A fresh copy of a value that has not been stored yet. */
export function copyOf({ value, kind }: Encoded): unknown {
  return kind === 0 ? value : decodeBytes(value as Buffer, kind, 0, (value as Buffer).length);
}

/** @internal A fresh value of these bytes, which nobody writes to meanwhile. */
export function decodeBytes(bytes: Buffer, kind: number, start: number, end: number): unknown {
  if (kind === MESSAGE_PACK || kind === CLONE) return decodeObject(bytes, kind, start, end);
  if (kind === BYTES) return Buffer.from(bytes.subarray(start, end));
  const array = ARRAYS[kind - ARRAY];
  if (array === undefined) throw valueError(`a newer version of shmkit stored this value (kind ${kind})`);
  const copy = new Uint8Array(bytes.subarray(start, end)); // aligned
  return new array(copy.buffer, 0, Math.floor(copy.length / array.BYTES_PER_ELEMENT));
}

/** @internal The same over bytes in place; undefined for what cannot be so. */
export function viewOf(buffer: ArrayBuffer, kind: number): NodeJS.TypedArray | undefined {
  if (kind === BYTES) return Buffer.from(buffer);
  const array = ARRAYS[kind - ARRAY];
  return array && new array(buffer, 0, Math.floor(buffer.byteLength / array.BYTES_PER_ELEMENT));
}

function decodeObject(bytes: Buffer, kind: number, start: number, end: number): unknown {
  try {
    if (kind === MESSAGE_PACK) {
      range.start = start;
      range.end = end;
      return packer.unpack(bytes, range);
    }
    // Memory of its own: typed arrays inside are views of it.
    const { buffer } = new Uint8Array(bytes.subarray(start, end));
    return deserialize(Buffer.from(buffer));
  } catch (error) {
    throw shmError(
      'ERR_SHM_CORRUPT',
      `the value was damaged by another process: ${(error as Error).message}`,
    );
  }
}
