import type { AttachOptions, CreateOptions } from '../segment/memory.js';
import type { DType } from './dtype.js';
import type { Order } from './shape.js';

/** Options for creating an array. */
export interface ArrayOptions<D extends DType = DType> extends CreateOptions {
  /**
   * Type of the elements, by numpy's name. Default `'float64'`; `from` and `load` by default keep the type of
   * the elements or the file.
   */
  dtype?: D;
  /**
   * `'npy'`: the segment begins with numpy's `.npy` header, which has type, shape and order, so that `np.load`
   * opens it in place. `'none'`: it holds elements only, as `np.ndarray(shape, dtype, buffer)` takes them. With
   * a header or given elements, the memory is always reserved. Default `'npy'`.
   */
  header?: 'npy' | 'none';
}

/** Options for creating an array of zeros. */
export interface ArrayCreateOptions<D extends DType = DType> extends ArrayOptions<D> {
  /** Order of the elements in memory. Default `'C'`. */
  order?: Order;
}

/** Options for creating an array of given elements. */
export interface ArrayFromOptions<D extends DType = DType> extends ArrayOptions<D> {
  /** Length of each dimension, in elements. Default: one dimension. The given elements are in C order. */
  shape?: number | readonly number[];
}

/** Options for attaching to an array. What the header or the descriptor says already must agree with them. */
export interface ArrayAttachOptions<D extends DType = DType> extends AttachOptions {
  /**
   * Length of each dimension, in elements. Default: what the header says; required for a segment without one.
   */
  shape?: number | readonly number[];
  /**
   * Type of the elements, by numpy's name. Default: what the header says; required for a segment without one.
   */
  dtype?: D;
  /** Order of the elements in memory. Default: what the header says, or `'C'` for a segment without one. */
  order?: Order;
  /** Bytes before the first element, as in `np.ndarray`, for segments without a header. Default 0. */
  offset?: number;
  /** Whether the segment begins with a `.npy` header. Default: `'npy'` if it does, otherwise `'none'`. */
  header?: 'npy' | 'none';
}

const CREATION = ['name', 'mode', 'reserve', 'populate', 'track'];
/** @internal The names of ArrayCreateOptions. */
export const CREATE_OPTIONS = [...CREATION, 'dtype', 'order', 'header'];
/** @internal The names of ArrayFromOptions. */
export const FROM_OPTIONS = [...CREATION, 'dtype', 'shape', 'header'];
/** @internal The names of ArrayOptions. */
export const LOAD_OPTIONS = [...CREATION, 'dtype', 'header'];
/** @internal The names of ArrayAttachOptions. */
export const ATTACH_OPTIONS = [
  'readOnly',
  'foreign',
  'reserve',
  'shape',
  'dtype',
  'order',
  'offset',
  'header',
] as const;
