import type { AttachOptions, CreateOptions } from '../segment/memory.js';
import type { DType } from './dtype.js';
import type { Order } from './shape.js';

/** How to create an array. */
export interface ArrayOptions<D extends DType = DType> extends CreateOptions {
  /** The elements' type. Default `'float64'`. */
  dtype?: D;
  /**
   * `'npy'` (default): the segment begins with numpy's header, which says type, shape and order; `np.load` opens it in
   * place. `'none'`: it is nothing but elements, as what `np.ndarray(shape, dtype, buffer)` takes. With a header, or with
   * elements, the memory is always reserved.
   */
  header?: 'npy' | 'none';
}

/** How to create an array of zeros. */
export interface ArrayCreateOptions<D extends DType = DType> extends ArrayOptions<D> {
  /** Which index goes from element to element: the last one (`'C'`, default) or the first. */
  order?: Order;
}

/** How to create an array of given elements. */
export interface ArrayFromOptions<D extends DType = DType> extends ArrayOptions<D> {
  /** Default: one dimension. The elements are in C order. */
  shape?: number | readonly number[];
}

/** How to attach to an array. What header or descriptor say already must agree with it. */
export interface ArrayAttachOptions<D extends DType = DType> extends AttachOptions {
  shape?: number | readonly number[];
  dtype?: D;
  /** Default `'C'`. */
  order?: Order;
  /** Bytes before the first element, as in `np.ndarray`; for segments without a header. Default 0. */
  offset?: number;
  /** Default: `'npy'` where the segment begins with such a header, else `'none'`. */
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
