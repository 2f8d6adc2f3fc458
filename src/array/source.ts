/** Where the elements of a segment are: what its header says, what its descriptor does, and what the caller. */
import { checkIndex, checkTarget } from '../common/arguments.js';
import { outOfRange, rangeError, shmError, show, wrongType } from '../common/errors.js';
import type { SharedMemory } from '../segment/memory.js';
import type { Descriptor } from '../common/shared-object.js';
import { checkType, findType } from './dtype.js';
import type { TypeFacts } from './dtype.js';
import { headerOf } from './header.js';
import { isNpy, PREAMBLE } from './npy.js';
import {
  checkOrder,
  checkShape,
  isContiguous,
  reachOf,
  sameShape,
  shown,
  sizeOf,
  stridesOf,
} from './shape.js';
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
 * `ERR_SHM_MISMATCH`.
 */
export function locate(memory: SharedMemory, target: string | Descriptor, expected: Expectation): Location {
  const described = typeof target === 'string' ? undefined : locationOf(target);
  if (described !== undefined) return checkMatches(memory, fitting(memory, described), expected);
  const bare = expected.header === 'none' || expected.offset !== undefined;
  if (bare && expected.header === 'npy') {
    throw rangeError("offset is for segments without a header, and header is 'npy'");
  }
  const start = bare ? undefined : memory.read(0, Math.min(PREAMBLE, memory.size));
  if (start !== undefined && isNpy(start)) return checkMatches(memory, locationOfNpy(memory), expected);
  if (expected.header === 'npy' || expected.shape === undefined || expected.type === undefined) {
    const advice =
      expected.header === 'npy' ? 'attach without that option' : 'say what is in it: { shape, dtype }';
    const what = bare ? 'is to be read without a header' : 'does not begin with a .npy header';
    throw shmError('ERR_SHM_NOT_AN_ARRAY', `'${memory.name}' ${what}; ${advice}`, memory.name);
  }
  const { shape, type, order = 'C', offset = 0 } = expected;
  if (offset % type.itemSize !== 0)
    throw outOfRange('offset', `a multiple of ${type.itemSize} bytes (${type.name})`, offset);
  return fitting(memory, {
    type,
    layout: { shape, strides: stridesOf(shape, order), offset: 0 },
    start: offset,
  });
}

/** What a header says. */
function locationOfNpy(memory: SharedMemory): Location {
  const { name } = memory;
  const npy = headerOf(memory);
  const type = typeOfDescr(npy.descr, `'${name}'`, name);
  if (npy.offset % type.itemSize !== 0) {
    const what = `the elements of '${name}' begin at byte ${npy.offset}, which is no multiple of ${type.itemSize} (${type.name})`;
    throw shmError(
      'ERR_SHM_ALIGNMENT',
      `${what}; numpy writes headers of a multiple of 64 bytes, and load() one too`,
      name,
    );
  }
  const shape = shapeOfNpy(npy.shape, `'${name}'`, name);
  const order = npy.order === 'C' ? 'C' : 'F';
  return fitting(memory, {
    type,
    layout: { shape, strides: stridesOf(shape, order), offset: 0 },
    start: npy.offset,
  });
}

/** The type of a header. Error messages name `where` it is. */
export function typeOfDescr(descr: unknown, where: string, segment?: string): TypeFacts {
  const found = typeof descr === 'string' ? findType(descr) : 'one type, and no record of several';
  if (typeof found !== 'string') return found;
  const shownDescr = typeof descr === 'string' ? show(descr) : 'a record';
  throw shmError(
    'ERR_SHM_DTYPE',
    `the elements of ${where} are ${shownDescr}, and must be ${found}`,
    segment,
  );
}

/** The shape of a header. */
export function shapeOfNpy(shape: readonly number[], where: string, segment?: string): number[] {
  try {
    return checkShape(shape);
  } catch (error) {
    throw shmError('ERR_SHM_CORRUPT', `${where} is no array: ${(error as Error).message}`, segment);
  }
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

/** The location, if all of it is inside the segment. */
function fitting({ name, size }: SharedMemory, location: Location): Location {
  const { type, layout, start } = location;
  const [least, most] = sizeOf(layout.shape) === 0 ? [0, -1] : reachOf(layout);
  if (least < 0) {
    const what = `strides ${shown(layout.strides)} from element ${layout.offset} on`;
    throw shmError(
      'ERR_SHM_SIZE',
      `shape ${shown(layout.shape)} with ${what} begins before '${name}' does`,
      name,
    );
  }
  // At least as many as there are elements: with strides of 0, a descriptor could say that a few bytes are billions of them.
  const needed = start + Math.max(most + 1, layout.offset, sizeOf(layout.shape)) * type.itemSize;
  if (needed > size) {
    const what = `${type.name} of shape ${shown(layout.shape)} from byte ${start} on`;
    throw shmError('ERR_SHM_SIZE', `${what} needs ${needed} bytes, and '${name}' has ${size}`, name);
  }
  return location;
}

/** The location, if it is what the caller expects. */
function checkMatches(
  { name }: SharedMemory,
  location: Location,
  { shape, type, order, header, offset }: Expectation,
): Location {
  const { layout, start } = location;
  const differences = differencesOf(location.type.name, layout.shape, { shape, type });
  if (header === 'none') differences.unshift("its descriptor says where it is, and header is 'none'");
  if (order !== undefined && !isContiguous(layout, order)) differences.push(`its order is not '${order}'`);
  if (offset !== undefined && offset !== start)
    differences.push(`its elements begin at byte ${start}, not ${offset}`);
  refuseMismatch(name, 'array', differences);
  return location;
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
