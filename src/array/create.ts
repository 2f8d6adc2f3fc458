/** Segments for arrays: what is made of a shape, of elements, or of a file. */
import { Buffer } from 'node:buffer';

import * as binding from '#binding';
import { rangeError, shmError, wrongType } from '../common/errors.js';
import { warnWhereUntracked } from '../ownership/housekeeping.js';
import { created, createdOrAttached, creation, discard, memoryOver } from '../segment/memory.js';
import type { CreateOptions, NativeHandle, SharedMemory } from '../segment/memory.js';
import { holds } from './dtype.js';
import type { DType, DTypes, TypeFacts } from './dtype.js';
import { accessOf, badValue, store } from './element.js';
import { openNpy } from './file.js';
import { isContiguous, shown, sizeOf, stridesOf } from './shape.js';
import type { Order } from './shape.js';
import { checkHeader, locate } from './source.js';
import type { Expectation, Location } from './source.js';

const NOTHING = Buffer.alloc(0);

/** @internal A segment, and where in it the array is. */
export interface Located {
  readonly memory: SharedMemory;
  readonly location: Location;
}

/** @internal What is wanted of an array that may have to be made. */
export type Whole = Expectation & { readonly shape: number[]; readonly type: TypeFacts };

/** @internal A segment with this header and these elements; zeros in place of none. */
export function make(
  type: TypeFacts,
  shape: number[],
  order: Order,
  header: unknown,
  elements: Uint8Array = NOTHING,
  options: CreateOptions,
): Located {
  const [name, mode, reserve, populate, track] = creation(options);
  const withHeader = (checkHeader(header) ?? 'npy') === 'npy';
  const head = withHeader ? headerOf(type, shape, order) : NOTHING;
  const bytes = bytesFor(head, type, shape);
  const native = binding.createArray(bytes, head, elements, name, mode, reserve, populate, track);
  return finish(native, name, bytes, track, dense(type, shape, order, head.length));
}

/** @internal The array of this name, or one of zeros. */
export function openOrMake(name: string, expected: Whole, options: CreateOptions): Located {
  const [, mode, reserve, populate, track] = creation(options);
  const { type, shape, order = 'C', header } = expected;
  const head = header === 'npy' ? headerOf(type, shape, order) : NOTHING;
  const bytes = bytesFor(head, type, shape);
  const native =
    head.length > 0
      ? binding.createOrAttachArray(name, bytes, head, mode, populate, track)
      : binding.createOrAttachSegment(name, bytes, mode, reserve, populate, track);
  if (track) warnWhereUntracked();
  const memory = memoryOver(native, createdOrAttached(native));
  return { memory, location: releasing(memory, () => locate(memory, name, expected)) };
}

/** @internal A segment with what a `.npy` file holds, which must be of the wanted type. */
export async function loadFile(
  path: string | URL,
  expected: TypeFacts | undefined,
  header: unknown,
  options: CreateOptions,
): Promise<Located> {
  const withHeader = (checkHeader(header) ?? 'npy') === 'npy';
  const [name, mode, , populate, track] = creation(options);
  const { file, location } = await openNpy(path);
  const { type, layout, start } = location;
  const shape = [...layout.shape];
  const order = isContiguous(layout, 'C') ? 'C' : 'F';
  if (expected !== undefined && expected !== type) {
    throw shmError('ERR_SHM_MISMATCH', `the elements of ${file} are ${type.name}, not ${expected.name}`);
  }
  const head = withHeader ? headerOf(type, shape, order) : NOTHING;
  const bytes = Math.max(head.length + sizeOf(shape) * type.itemSize, 1);
  const empty = sizeOf(shape) === 0;
  const native = empty
    ? binding.createArray(bytes, head, NOTHING, name, mode, true, populate, track)
    : await binding.loadArray(bytes, head, file, start, name, mode, populate, track);
  return finish(native, name, bytes, track, dense(type, shape, order, head.length));
}

/** @internal What `open` makes of the segment, which is let go of if it throws. */
export function releasing<T>(memory: SharedMemory, open: () => T): T {
  try {
    return open();
  } catch (error) {
    if (memory.created) discard(memory);
    else memory.close();
    throw error;
  }
}

/** Of a segment, which is never empty. */
function bytesFor(head: Uint8Array, type: TypeFacts, shape: readonly number[]): number {
  const bytes = Math.max(head.length + sizeOf(shape) * type.itemSize, 1);
  if (!Number.isSafeInteger(bytes)) throw rangeError(`shape ${shown(shape)} has too many elements`);
  return bytes;
}

function headerOf(type: TypeFacts, shape: number[], order: Order): Uint8Array {
  return binding.npyHeaderFor(type.number, order === 'F', shape);
}

function dense(type: TypeFacts, shape: number[], order: Order, start: number): Location {
  return { type, layout: { shape, strides: stridesOf(shape, order), offset: 0 }, start };
}

function finish(
  native: NativeHandle,
  name: string | undefined,
  bytes: number,
  track: boolean,
  location: Location,
): Located {
  if (track) warnWhereUntracked();
  return { memory: memoryOver(native, created(native, name, bytes)), location };
}

/** @internal The values as elements of this type. */
export function elementsOf(values: unknown, type: TypeFacts): DTypes[DType] {
  if (holds(values, type)) return values;
  if (
    typeof values !== 'object' ||
    values === null ||
    typeof (values as Partial<Iterable<unknown>>)[Symbol.iterator] !== 'function'
  ) {
    throw wrongType('values', 'a typed array, or iterable', values);
  }
  const list: unknown[] = Array.isArray(values) ? values : [...(values as Iterable<unknown>)];
  const elements = new type.Class(list.length);
  const access = accessOf(type.name, elements);
  for (let i = 0; i < list.length; i++) {
    if (!store(elements, access, i, list[i])) throw badValue(type.name, list[i]);
  }
  return elements;
}

/** @internal Throws if a shape does not have as many elements. */
export function checkCount(count: number, shape: readonly number[]): void {
  const size = sizeOf(shape);
  if (count !== size) throw rangeError(`${count} elements cannot fill shape ${shown(shape)}, of ${size}`);
}

/** @internal All bytes of a typed array. */
export function bytesOf({ buffer, byteOffset, byteLength }: DTypes[DType]): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
