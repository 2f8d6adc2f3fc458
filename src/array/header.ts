import { shmError, wrongType } from '../common/errors.js';
import { SharedMemory } from '../segment/memory.js';
import { isNpy, PREAMBLE, readNpy } from './npy.js';
import type { Npy } from './npy.js';
import type { Literal } from './python-literal.js';

/**
 * An element type in a `.npy` header, as numpy's `dtype.descr`: text such as `'<f8'`, or for records a list of
 * fields.
 */
export type NpyType =
  | string
  | number
  | boolean
  | null
  | NpyType[]
  | {
      /** An entry of a Python dict. */
      [key: string]: NpyType;
    };

/** What a `.npy` header says (numpy's `numpy.lib.format`). */
export interface NpyHeader {
  /** Type of the elements. It may be one that a `SharedArray` does not support. */
  descr: NpyType;
  /** Length of each dimension, in elements. */
  shape: number[];
  /** Order of the elements: in `'C'` the last index changes fastest, in `'F'` the first one. */
  order: 'C' | 'F';
  /** Bytes before the first element. */
  byteOffset: number;
}

/**
 * Reads the `.npy` header at the beginning of a segment, whatever its element type. `SharedArray.attach` does
 * not need this call.
 * @throws `ERR_SHM_NOT_AN_ARRAY` if the segment does not begin with such a header; `ERR_SHM_CORRUPT` if the
 * header is damaged; `ERR_SHM_CLOSED`; `ERR_SHM_TRUNCATED` (see `SharedMemory.read`); `ERR_INVALID_ARG_TYPE`.
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
