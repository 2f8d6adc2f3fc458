/** Shapes and strides, as numpy has them, but in elements. */
import { outOfRange, rangeError, wrongType } from '../common/errors.js';

/** As many as numpy has at most. */
const DIMENSIONS = 64;

/** Which elements of a buffer make up an array. */
export interface Layout {
  readonly shape: readonly number[];
  /** Elements from one index to the next, by dimension. */
  readonly strides: readonly number[];
  /** The element that all indexes 0 lead to. */
  readonly offset: number;
}

/**
 * Order of elements in memory, as in numpy: in `'C'` the last index changes fastest, in `'F'` the first one.
 */
export type Order = 'C' | 'F';

/**
 * What to take of a dimension: an index, which drops the dimension; `[start, end, step]`, as a Python slice; or
 * null for all of it.
 */
export type SliceRange =
  | number
  | readonly [
      start?: number | null | undefined,
      end?: number | null | undefined,
      step?: number | null | undefined,
    ]
  | null;

/** A shape as messages have it. */
export function shown(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

/** A list of lengths, or one. */
export function checkShape(given: unknown): number[] {
  const shape: unknown = typeof given === 'number' ? [given] : given;
  if (!Array.isArray(shape)) throw wrongType('shape', 'a number or an array of numbers', given);
  if (shape.length > DIMENSIONS)
    throw rangeError(`shape has ${shape.length} dimensions, and ${DIMENSIONS} are the most there can be`);
  for (const [axis, length] of shape.entries()) {
    if (typeof length !== 'number') throw wrongType(`shape[${axis}]`, 'a number', length);
    if (!Number.isSafeInteger(length) || length < 0)
      throw outOfRange(`shape[${axis}]`, 'a whole number, 0 or more', length);
  }
  const checked = shape.map((length: number) => length + 0); // a -0 would be seen
  if (!Number.isSafeInteger(sizeOf(checked))) {
    throw rangeError(`shape ${shown(checked)} has too many elements`);
  }
  return checked;
}

export function checkOrder(order: unknown): Order | undefined {
  if (order === undefined || order === 'C' || order === 'F') return order;
  throw wrongType('order', "'C' or 'F'", order);
}

/** How many elements. */
export function sizeOf(shape: readonly number[]): number {
  return shape.includes(0) ? 0 : shape.reduce((product, length) => product * length, 1);
}

/** The strides of elements that lie one after the other. */
export function stridesOf(shape: readonly number[], order: Order): number[] {
  const strides = new Array<number>(shape.length);
  let next = 1;
  for (let i = 0; i < shape.length; i++) {
    const axis = order === 'C' ? shape.length - 1 - i : i;
    strides[axis] = next;
    // Of an array without elements no stride is ever used.
    next = Math.min(next * Math.max(shape[axis]!, 1), Number.MAX_SAFE_INTEGER);
  }
  return strides;
}

/** Whether the elements lie one after the other in this order. Dimensions of one index have no say, as in numpy. */
export function isContiguous({ shape, strides }: Layout, order: Order): boolean {
  if (sizeOf(shape) === 0) return true;
  const dense = stridesOf(shape, order);
  return strides.every((stride, axis) => stride === dense[axis] || shape[axis] === 1);
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}

/** The least and the greatest element that an index leads to, which there must be. */
export function reachOf({ shape, strides, offset }: Layout): [least: number, most: number] {
  let [least, most] = [offset, offset];
  for (const [axis, length] of shape.entries()) {
    const far = (length - 1) * strides[axis]!;
    if (far < 0) least += far;
    else most += far;
  }
  return [least, most];
}

/** The part that is picked by an index or a range for each of the first dimensions. */
export function slice(layout: Layout, ranges: readonly unknown[]): Layout {
  const { shape } = layout;
  if (ranges.length > shape.length) {
    throw rangeError(`${ranges.length} ranges are too many for shape ${shown(shape)}`);
  }
  const picked = { shape: [] as number[], strides: [] as number[], offset: layout.offset };
  let first = 0;
  for (const [axis, length] of shape.entries()) {
    const stride = layout.strides[axis]!;
    const range = ranges[axis] ?? null;
    if (typeof range === 'number') {
      first += checkAt(range, length, axis) * stride;
      continue;
    }
    if (range !== null && !Array.isArray(range)) {
      throw wrongType(`range ${axis}`, 'a number, [start, end, step] or null', range);
    }
    const [start, count, step] = resolve(range ?? [], length, axis);
    picked.shape.push(count);
    picked.strides.push(count > 1 ? stride * step + 0 : stride);
    if (count > 0) first += start * stride;
  }
  if (sizeOf(picked.shape) > 0) picked.offset += first; // no elements are nowhere
  return picked;
}

/** A range as Python's `slice.indices` has it: the first index, how many, and the step. */
function resolve(
  range: readonly unknown[],
  length: number,
  axis: number,
): [start: number, count: number, step: number] {
  if (range.length > 3) {
    throw rangeError(`range ${axis} must be [start, end, step], and has ${range.length} values`);
  }
  const [start, end, step = 1] = range.map((value, part) => {
    if (value === null || value === undefined) return undefined;
    const what = `the ${['start', 'end', 'step'][part]} of range ${axis}`;
    if (typeof value !== 'number') throw wrongType(what, 'a number', value);
    if (!Number.isSafeInteger(value) || (part === 2 && value === 0))
      throw outOfRange(what, part === 2 ? 'a whole number other than 0' : 'a whole number', value);
    return value;
  });
  const [low, high] = step > 0 ? [0, length] : [-1, length - 1];
  const clamp = (index: number): number =>
    Math.min(Math.max(index < 0 ? index + length : index, low), high) + 0;
  const from = start === undefined ? (step > 0 ? low : high) : clamp(start);
  const to = end === undefined ? (step > 0 ? high : low) : clamp(end);
  return [from, Math.max(0, Math.ceil((to - from) / step)), step];
}

/** An index of a dimension, from its start. */
export function checkAt(index: unknown, length: number, axis: number): number {
  if (typeof index !== 'number') throw wrongType(`index ${axis}`, 'a number', index);
  const at = index < 0 ? index + length : index;
  if (Number.isInteger(index) && at >= 0 && at < length) return at;
  if (length === 0) throw rangeError(`there is no index ${index} in a dimension of length 0 (index ${axis})`);
  throw outOfRange(`index ${axis}`, `a whole number from ${-length} to ${length - 1}`, index);
}

/** The same elements in C order in another shape, of which one length may be -1: what is left. */
export function reshape(layout: Layout, given: unknown): Layout {
  const { offset } = layout;
  const size = sizeOf(layout.shape);
  const wanted: unknown = typeof given === 'number' ? [given] : given;
  const open = Array.isArray(wanted) ? wanted.indexOf(-1) : -1;
  let shape: number[];
  if (open === -1) {
    shape = checkShape(wanted);
    if (sizeOf(shape) !== size) throw misfit(layout, `${shown(shape)}, which has ${sizeOf(shape)}`);
  } else {
    const others = checkShape((wanted as unknown[]).with(open, 1));
    const rest = sizeOf(others);
    if (rest === 0 || size % rest !== 0) {
      throw misfit(layout, `${shown(others.with(open, -1))}, which has a multiple of ${rest}`);
    }
    shape = others.with(open, size / rest);
  }
  if (!isContiguous(layout, 'C')) {
    throw rangeError(
      `shape ${shown(layout.shape)} with strides ${shown(layout.strides)} is not contiguous in C order, and cannot ` +
        `be looked at as ${shown(shape)}; SharedArray.from(array.toTypedArray(), { shape }) makes a copy`,
    );
  }
  return { shape, strides: stridesOf(shape, 'C'), offset };
}

function misfit({ shape }: Layout, wanted: string): RangeError {
  return rangeError(`the ${sizeOf(shape)} elements of shape ${shown(shape)} cannot have shape ${wanted}`);
}

export function transpose({ shape, strides, offset }: Layout): Layout {
  return { shape: shape.toReversed(), strides: strides.toReversed(), offset };
}
