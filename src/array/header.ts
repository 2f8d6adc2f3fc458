import { shmError, wrongType } from '../common/errors.js';
import { SharedMemory } from '../segment/memory.js';
import { isNpy, PREAMBLE, readNpy } from './npy.js';
import type { Npy } from './npy.js';
import type { Literal } from './python-literal.js';

/** A type in a `.npy` header: text such as `'<f8'`; of a record a list of its fields, as numpy's `dtype.descr` has them. */
export type NpyType = string | number | boolean | null | NpyType[] | { [key: string]: NpyType };

/** What a `.npy` header says. */
export interface NpyHeader {
  /** The type of the elements; it may be one that a `SharedArray` does not have. */
  descr: NpyType;
  /** The length of each dimension. */
  shape: number[];
  /** Which index goes from element to element: the last one (`'C'`) or the first (`'F'`). */
  order: 'C' | 'F';
  /** Bytes before the first element. */
  byteOffset: number;
}

/**
 * The `.npy` header that a segment begins with, whatever the type of its elements is. `SharedArray.attach` needs no such
 * call.
 * @throws `ERR_SHM_NOT_AN_ARRAY` if it does not begin with one, `ERR_SHM_CORRUPT` if that is damaged, `ERR_SHM_CLOSED`,
 * `ERR_INVALID_ARG_TYPE`.
 */
export function npyHeader(memory: SharedMemory): NpyHeader {
  if (!(memory instanceof SharedMemory)) throw wrongType('memory', 'a SharedMemory', memory);
  const { name, size } = memory;
  const start = memory.read(0, Math.min(PREAMBLE, size));
  if (!isNpy(start)) {
    throw shmError('ERR_SHM_NOT_AN_ARRAY', `'${name}' does not begin with a .npy header`, name);
  }
  const { descr, shape, order, offset } = headerOf(memory);
  return { descr: plain(descr), shape, order: order === 'C' ? 'C' : 'F', byteOffset: offset };
}

/** @internal The header of a segment that begins with one. */
export function headerOf(memory: SharedMemory): Npy {
  const { name, size } = memory;
  try {
    return readNpy(size, (offset, length) => memory.read(offset, length));
  } catch (error) {
    throw shmError('ERR_SHM_CORRUPT', `'${name}' is no array: ${(error as Error).message}`, name);
  }
}

function plain(value: Literal): NpyType {
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([key, part]): [string, NpyType] => [String(key), plain(part)]));
  }
  return Array.isArray(value) ? value.map(plain) : value;
}
