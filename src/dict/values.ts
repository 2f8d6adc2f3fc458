import { Buffer } from 'node:buffer';
import { types } from 'node:util';
import { deserialize, serialize } from 'node:v8';

import { BUSY, BYTES, CLONE, KINDS, MESSAGE_PACK } from './kinds.js';
import { lengthOf, mayGrow, sliceable } from './call-buffer.js';
import { pack, packOnto } from './pack.js';
import { unpack } from './unpack.js';
import { isOverflow, shmError, valueError, wrongType } from '../common/errors.js';

interface TypedArrayClass {
  readonly name: string;
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, start: number, length: number): NodeJS.TypedArray;
}

/** The classes of typed arrays, by the kinds of their values. */
const ARRAYS: (TypedArrayClass | undefined)[] = [];
for (const Class of [
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
]) {
  ARRAYS[KINDS[Class.name] ?? BUSY] = Class;
}

/** Where the binding puts what is made here: 4 bytes of length, 4 of kind, the bytes. Used up before the next call. */
export const scratch = sliceable(new ArrayBuffer(64 << 10));
const head = new Uint32Array(scratch.buffer, scratch.byteOffset, 2);
const HEAD = 8;
/** How deep a clone may be nested: whoever reads it has another stack. */
const DEEPEST = 500;

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

/** @internal A function of the caller's. */
export function checkBody(body: unknown): void {
  if (typeof body !== 'function') throw wrongType('what is to be done', 'a function', body);
}

/**
 * @internal What becomes of bytes: they are kept, or stored before anybody else can change them, so that they need not be
 * copied. Or they are stored before any other value is encoded, and may be left in the call buffer: what is packed there is
 * given by its length.
 */
type Use = 'kept' | 'borrowed' | 'staged';

/** @internal A value that can be stored, or an error that says why it cannot. */
export function encode(value: unknown, use: Use = 'kept'): Encoded {
  switch (typeof value) {
    case 'number':
    case 'string':
    case 'boolean':
    case 'bigint':
      return { value, kind: 0 };
    case 'object':
      return value === null ? { value, kind: 0 } : encodeObject(value, use);
    default:
      throw valueError(
        `a dict has no ${typeof value === 'undefined' ? 'undefined: delete() the key, or store null' : typeof value}`,
      );
  }
}

function encodeObject(value: object, use: Use): Encoded {
  try {
    if (ArrayBuffer.isView(value) && types.isTypedArray(value)) {
      const kind = kindOf(value);
      if (kind !== undefined) {
        // What is detached has none, and is refused below. What may grow is as long as it is now.
        if (kind === BYTES && use === 'staged' && isLasting(value as Uint8Array)) return { value, kind };
        const bytes = Buffer.from(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength);
        return { value: use === 'kept' ? Buffer.from(bytes) : bytes, kind };
      }
    }
    const packed = use === 'staged' ? packOnto(value) : pack(value);
    if (packed !== undefined) return { value: packed, kind: MESSAGE_PACK };
    checkPlain(value, new Set(), 0);
    return { value: serialize(value), kind: CLONE };
  } catch (error) {
    if (isOverflow(error)) throw error;
    throw valueError(`the value cannot be stored: ${(error as Error).message}`);
  }
}

/** Whether there are bytes, and as many of them until they are stored. */
function isLasting(bytes: Uint8Array): boolean {
  return lengthOf(bytes) > 0 && !mayGrow(bytes);
}

/** Undefined of the arrays of a newer engine. */
function kindOf(array: NodeJS.TypedArray): number | undefined {
  if (types.isUint8Array(array)) return BYTES;
  return KINDS[array[Symbol.toStringTag]];
}

/** Of an instance of a class nothing but its fields would be left, without a word. */
function checkPlain(value: unknown, seen: Set<object>, depth: number): void {
  if (typeof value !== 'object' || value === null || seen.has(value)) return;
  if (depth > DEEPEST) throw valueError(`it is nested more than ${DEEPEST} levels deep`);
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
  for (const part of parts) checkPlain(part, seen, depth + 1);
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
  const { buffer } = new Uint8Array(bytes.subarray(start, end)); // aligned
  const array = viewOf(buffer, kind);
  if (kind < BYTES) throw damaged('it has another length');
  if (array === undefined) throw valueError(`a newer version of shmkit stored this value (kind ${kind})`);
  return array;
}

/** @internal The same over bytes in place; undefined for what cannot be so. */
export function viewOf(buffer: ArrayBuffer, kind: number): NodeJS.TypedArray | undefined {
  if (kind === BYTES) return Buffer.from(buffer);
  const array = ARRAYS[kind];
  return array && new array(buffer, 0, Math.floor(buffer.byteLength / array.BYTES_PER_ELEMENT));
}

function decodeObject(bytes: Buffer, kind: number, start: number, end: number): unknown {
  try {
    if (kind === MESSAGE_PACK) return unpack(bytes, start, end);
    // Memory of its own: typed arrays inside are views of it.
    const { buffer } = new Uint8Array(bytes.subarray(start, end));
    return deserialize(Buffer.from(buffer));
  } catch (error) {
    if (isOverflow(error)) throw error;
    throw damaged((error as Error).message);
  }
}

function damaged(why: string): Error {
  return shmError('ERR_SHM_CORRUPT', `the value was damaged by another process: ${why}`);
}
