/**
 * One element, read and written. Each type has an access of its own: V8 keeps note of what each one meets, and one that
 * meets all types is ten times as slow.
 */
import { outOfRange, valueError, wrongType } from '../common/errors.js';
import type { DType, DTypes } from './dtype.js';
import { fromHalf, toHalf } from './half.js';

const INT8 = 0;
const UINT8 = 1;
const INT16 = 2;
const UINT16 = 3;
const INT32 = 4;
const UINT32 = 5;
const INT64 = 6;
const UINT64 = 7;
const FLOAT32 = 8;
const FLOAT64 = 9;
/** In a `Uint16Array`. */
const HALF = 10;
const BOOL = 11;
/** In a `Float16Array`. */
const FLOAT16 = 12;

/** How the elements of an array are reached. */
export function accessOf(dtype: DType, data: DTypes[DType]): number {
  if (dtype === 'float16') return data instanceof Uint16Array ? HALF : FLOAT16;
  return CODES[dtype];
}

const CODES: Record<Exclude<DType, 'float16'>, number> = {
  int8: INT8,
  uint8: UINT8,
  int16: INT16,
  uint16: UINT16,
  int32: INT32,
  uint32: UINT32,
  int64: INT64,
  uint64: UINT64,
  float32: FLOAT32,
  float64: FLOAT64,
  bool: BOOL,
};

/** The element; undefined where there is none. */
export function load(data: DTypes[DType], access: number, at: number): number | bigint | undefined {
  switch (access) {
    case INT8:
      return (data as Int8Array)[at];
    case UINT8:
      return (data as Uint8Array)[at];
    case INT16:
      return (data as Int16Array)[at];
    case UINT16:
      return (data as Uint16Array)[at];
    case INT32:
      return (data as Int32Array)[at];
    case UINT32:
      return (data as Uint32Array)[at];
    case INT64:
      return (data as BigInt64Array)[at];
    case UINT64:
      return (data as BigUint64Array)[at];
    case FLOAT32:
      return (data as Float32Array)[at];
    case FLOAT64:
      return (data as Float64Array)[at];
    case HALF:
      return loadHalf(data as Uint16Array, at);
    case BOOL:
      return loadBool(data as Uint8Array, at);
    default:
      return data[at];
  }
}

function loadHalf(data: Uint16Array, at: number): number | undefined {
  const bits = data[at];
  return bits === undefined ? undefined : fromHalf(bits);
}

function loadBool(data: Uint8Array, at: number): number | undefined {
  const byte = data[at];
  return byte === undefined || byte === 0 ? byte : 1;
}

/** Of arrays that are attached read-only: no value can be stored. */
export const NO_ACCESS = -1;

/** Stores a value; false, and nothing is stored, where the type has no such value or `data` no such place. */
export function store(data: DTypes[DType], access: number, at: number, value: unknown): boolean {
  if (typeof value !== 'number') return typeof value === 'bigint' && storeBig(data, access, at, value);
  switch (access) {
    case FLOAT64:
      if (at >= (data as Float64Array).length) return false;
      (data as Float64Array)[at] = value;
      return true;
    case FLOAT32:
      if (at >= (data as Float32Array).length) return false;
      (data as Float32Array)[at] = value;
      return true;
    case INT32:
      if ((value | 0) !== value || at >= (data as Int32Array).length) return false;
      (data as Int32Array)[at] = value;
      return true;
    case UINT8:
      if ((value & 0xff) !== value || at >= (data as Uint8Array).length) return false;
      (data as Uint8Array)[at] = value;
      return true;
    default:
      return storeRare(data, access, at, value);
  }
}

function storeRare(data: DTypes[DType], access: number, at: number, value: number): boolean {
  switch (access) {
    case INT8:
      if ((value << 24) >> 24 !== value || at >= (data as Int8Array).length) return false;
      (data as Int8Array)[at] = value;
      return true;
    case INT16:
      if ((value << 16) >> 16 !== value || at >= (data as Int16Array).length) return false;
      (data as Int16Array)[at] = value;
      return true;
    case UINT16:
      if ((value & 0xffff) !== value || at >= (data as Uint16Array).length) return false;
      (data as Uint16Array)[at] = value;
      return true;
    case UINT32:
      if (value >>> 0 !== value || at >= (data as Uint32Array).length) return false;
      (data as Uint32Array)[at] = value;
      return true;
    case BOOL:
      if (at >= (data as Uint8Array).length) return false;
      (data as Uint8Array)[at] = value === 0 ? 0 : 1;
      return true;
    case HALF:
    case FLOAT16:
      if (at >= data.length) return false;
      data[at] = access === HALF ? toHalf(value) : value;
      return true;
    default:
      return false;
  }
}

function storeBig(data: DTypes[DType], access: number, at: number, value: bigint): boolean {
  switch (access) {
    case INT64:
      if (BigInt.asIntN(64, value) !== value || at >= (data as BigInt64Array).length) return false;
      (data as BigInt64Array)[at] = value;
      return true;
    case UINT64:
      if (BigInt.asUintN(64, value) !== value || at >= (data as BigUint64Array).length) return false;
      (data as BigUint64Array)[at] = value;
      return true;
    default:
      return false;
  }
}

/** Why a value cannot be an element, or a kernel's operand. */
export function badValue(dtype: DType, value: unknown): Error {
  const big = dtype.endsWith('int64');
  const wanted = big ? 'a bigint, such as 5n' : 'a number';
  if (typeof value !== (big ? 'bigint' : 'number')) {
    return wrongType('the value', `${wanted}: the elements are ${dtype}`, value);
  }
  if (typeof value === 'number' && !Number.isInteger(value)) {
    return valueError(`${value} is no integer, and the elements are ${dtype}`);
  }
  const bits = Number(/\d+$/.exec(dtype)?.[0]);
  const [least, most] = dtype.startsWith('u')
    ? [0n, 2n ** BigInt(bits) - 1n]
    : [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n];
  return outOfRange('the value', `from ${least} to ${most} (${dtype})`, value);
}
