/** Where an array's elements are, for those who ask for one at a time. V8 inlines what is small, so all of this is. */
import { rangeError } from '../common/errors.js';
import type { DType, DTypes } from './dtype.js';
import { accessOf, NO_ACCESS } from './element.js';
import { checkAt, shown } from './shape.js';
import type { Layout } from './shape.js';

/** Plain fields: those of the class are private, which costs more than the access itself. */
export interface Cells {
  /** Without elements once it is closed, so that nobody need ask whether it is. */
  data: DTypes[DType];
  readonly access: number;
  /** Of those who write. */
  readonly writing: number;
  readonly ndim: number;
  readonly offset: number;
  // Of the first three dimensions.
  readonly length0: number;
  readonly length1: number;
  readonly length2: number;
  readonly stride0: number;
  readonly stride1: number;
  readonly stride2: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

export function cellsOf(
  dtype: DType,
  data: DTypes[DType],
  readOnly: boolean,
  { shape, strides, offset }: Layout,
): Cells {
  const [length0 = 0, length1 = 0, length2 = 0] = shape;
  const [stride0 = 0, stride1 = 0, stride2 = 0] = strides;
  return {
    data,
    access: accessOf(dtype, data),
    writing: readOnly ? NO_ACCESS : accessOf(dtype, data),
    ndim: shape.length,
    offset,
    length0,
    length1,
    length2,
    stride0,
    stride1,
    stride2,
    shape,
    strides,
  };
}

type Index = number | undefined;

/** Which element of the buffer the indexes lead to. */
export function at(cells: Cells, i: Index, j: Index, k: Index, l: Index): number {
  if (cells.ndim === 1 && j === undefined) return at1(cells, i!);
  if (cells.ndim === 2 && k === undefined) return at2(cells, i!, j!);
  if (cells.ndim === 3 && l === undefined) return at3(cells, i!, j!, k!);
  return atAny(cells, [i, j, k, l]);
}

function at1(cells: Cells, i: number): number {
  return (
    cells.offset +
    (typeof i === 'number' && i >>> 0 === i && i < cells.length0 ? i : outside(cells, i, 0)) * cells.stride0
  );
}

function at2(cells: Cells, i: number, j: number): number {
  return (
    at1(cells, i) +
    (typeof j === 'number' && j >>> 0 === j && j < cells.length1 ? j : outside(cells, j, 1)) * cells.stride1
  );
}

function at3(cells: Cells, i: number, j: number, k: number): number {
  return (
    at2(cells, i, j) +
    (typeof k === 'number' && k >>> 0 === k && k < cells.length2 ? k : outside(cells, k, 2)) * cells.stride2
  );
}

/** For any number of dimensions. */
export function atAny(cells: Cells, given: readonly Index[]): number {
  const index = given.slice(0, given.findLastIndex((one) => one !== undefined) + 1);
  if (index.length !== cells.ndim) throw wrongCount(cells, index.length);
  let sum = cells.offset;
  for (const [axis, one] of index.entries()) sum += outside(cells, one, axis) * cells.strides[axis]!;
  return sum;
}

/** An index that is negative, large or none. */
function outside(cells: Cells, index: unknown, axis: number): number {
  if (index === undefined) throw wrongCount(cells, axis);
  return checkAt(index, cells.shape[axis]!, axis);
}

function wrongCount({ shape }: Cells, count: number): Error {
  const indexes = count === 1 ? '1 index does' : `${count} indexes do`;
  return rangeError(`${indexes} not lead to an element of shape ${shown(shape)}`);
}
