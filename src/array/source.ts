/** Where the elements of a segment are: what its header says, what its descriptor does, and what the caller. */
import * as binding from '#binding';
import { checkIndex, checkTarget } from '../common/arguments.js';
import { outOfRange, shmError, wrongType } from '../common/errors.js';
import { nativeOf } from '../segment/memory.js';
import type { SharedMemory } from '../segment/memory.js';
import type { Descriptor } from '../common/shared-object.js';
import { checkType, typeOf } from './dtype.js';
import type { TypeFacts } from './dtype.js';
import { checkOrder, checkShape, sameShape, shown } from './shape.js';
import type { Layout, Order } from './shape.js';

/** What somebody who attaches says of the array. */
export interface Expectation {
  readonly shape: number[] | undefined;
  readonly type: TypeFacts | undefined;
  readonly order: Order | undefined;
  /** Bytes. */
  readonly offset: number | undefined;
  readonly header: 'npy' | 'none' | undefined;
}

/** A type, and where its elements are. */
export interface Location {
  readonly type: TypeFacts;
  readonly layout: Layout;
  /** Bytes before element 0. */
  readonly start: number;
}

export function checkHeader(header: unknown): 'npy' | 'none' | undefined {
  if (header === undefined || header === 'npy' || header === 'none') return header;
  throw wrongType('header', "'npy' or 'none'", header);
}

export function checkExpectation(given: {
  // All of them: what is left out would be looked up in `Object.prototype`.
  shape: unknown;
  dtype: unknown;
  order: unknown;
  offset: unknown;
  header: unknown;
}): Expectation {
  return {
    shape: given.shape === undefined ? undefined : checkShape(given.shape),
    type: given.dtype === undefined ? undefined : checkType(given.dtype),
    order: checkOrder(given.order),
    offset:
      given.offset === undefined ? undefined : checkIndex('offset', given.offset, Number.MAX_SAFE_INTEGER),
    header: checkHeader(given.header),
  };
}

/**
 * Where the array of a segment is.
 * @throws `ERR_SHM_NOT_AN_ARRAY`, `ERR_SHM_CORRUPT`, `ERR_SHM_DTYPE`, `ERR_SHM_ALIGNMENT`, `ERR_SHM_SIZE`,
 * `ERR_SHM_MISMATCH`, `ERR_OUT_OF_RANGE`.
 */
export function locate(
  memory: SharedMemory,
  target: string | Descriptor,
  { type, shape, order, offset, header }: Expectation,
): Location {
  const described = typeof target === 'string' ? undefined : locationOf(target);
  const numbers = binding.locateArray(
    nativeOf(memory),
    described && numbersOf(described),
    type?.number,
    shape,
    order && order === 'F',
    offset,
    header && header === 'npy',
  );
  return described ?? locationFrom(numbers);
}

/** A location as the binding takes it. */
function numbersOf({ type, layout, start }: Location): Float64Array {
  return Float64Array.of(type.number, start, layout.offset, ...layout.shape, ...layout.strides);
}

/** A location as the binding gives it. */
export function locationFrom([type, start, offset, ...axes]: Float64Array): Location {
  const dimensions = axes.length / 2;
  const [shape, strides] = [axes.slice(0, dimensions), axes.slice(dimensions)];
  return { type: typeOf(type!), layout: { shape, strides, offset: offset! }, start: start! };
}

/** What a descriptor says; undefined where it says nothing. */
function locationOf(descriptor: Descriptor): Location | undefined {
  const { dtype, shape, strides, offset, byteOffset } = descriptor;
  checkTarget(descriptor, 'array');
  if (shape === undefined) return undefined;
  const type = checkType(dtype);
  const checked = checkShape(shape);
  if (!Array.isArray(strides) || strides.length !== checked.length || !strides.every(Number.isSafeInteger)) {
    throw wrongType("the descriptor's strides", `an array of ${checked.length} whole numbers`, strides);
  }
  const start = checkIndex("the descriptor's byteOffset", byteOffset, Number.MAX_SAFE_INTEGER);
  if (start % type.itemSize !== 0)
    throw outOfRange("the descriptor's byteOffset", `a multiple of ${type.itemSize} (${type.name})`, start);
  const first = checkIndex("the descriptor's offset", offset, Number.MAX_SAFE_INTEGER);
  return { type, layout: { shape: checked, strides: [...(strides as number[])], offset: first }, start };
}

/** What the caller takes type and shape for, and they are not. */
export function differencesOf(
  dtype: string,
  shape: readonly number[],
  expected: Pick<Expectation, 'shape' | 'type'>,
): string[] {
  const differences: string[] = [];
  if (expected.type !== undefined && expected.type.name !== dtype)
    differences.push(`its elements are ${dtype}, not ${expected.type.name}`);
  if (expected.shape !== undefined && !sameShape(expected.shape, shape))
    differences.push(`its shape is ${shown(shape)}, not ${shown(expected.shape)}`);
  return differences;
}

/** @throws `ERR_SHM_MISMATCH`, if there are any. */
export function refuseMismatch(name: string, what: string, differences: readonly string[]): void {
  if (differences.length === 0) return;
  throw shmError('ERR_SHM_MISMATCH', `'${name}' is another ${what}: ${differences.join('; ')}`, name);
}
