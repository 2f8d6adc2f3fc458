import * as binding from '#binding';
import { shmError, wrongType } from '../common/errors.js';
import { nativeOf, SharedMemory } from '../segment/memory.js';

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
  const npy = binding.npyOfSegment(nativeOf(memory));
  if (npy === null) {
    throw shmError('ERR_SHM_NOT_AN_ARRAY', `'${memory.name}' does not begin with a .npy header`, memory.name);
  }
  const { descr, shape, fortran, start } = npy;
  return { descr: JSON.parse(descr) as NpyType, shape, order: fortran ? 'F' : 'C', byteOffset: start };
}
