import { types } from 'node:util';

import {
  checkBoolean,
  checkCount,
  checkMode,
  checkName,
  checkOptions,
  checkTarget,
} from '../common/arguments.js';
import { checkType } from '../array/dtype.js';
import type { DType, DTypes, TypedClass } from '../array/dtype.js';
import { checkExpectation, differencesOf, refuseMismatch } from '../array/source.js';
import type { Expectation } from '../array/source.js';
import { outOfRange, wrongType } from '../common/errors.js';
import type { CreateOptions } from '../segment/memory.js';
import type { Descriptor } from '../common/shared-object.js';

/** @internal What makes typed arrays of the items' type. */
export interface ItemClass<D extends DType> extends TypedClass {
  new (buffer: ArrayBuffer, byteOffset?: number, length?: number): DTypes[D];
  new (length: number): DTypes[D];
}

/** Options for creating a queue or a broadcast. The memory is always reserved. */
export interface RingOptions<D extends DType> extends Omit<CreateOptions, 'reserve'> {
  /** Number of slots, each of which holds one item: 1 to 2 ** 24, and 4 GB in all. */
  slots: number;
  /** Length of each dimension of an item, in elements. Default: one element. Items are flat typed arrays. */
  shape?: readonly number[];
  /** Type of the elements, by numpy's name. Default `'float64'`. */
  dtype?: D;
  /**
   * POSIX permission bits, set exactly: the umask has no effect. Every process that takes part needs read and
   * write permission. Default `0o600`.
   */
  mode?: number;
}

/** Options for attaching to a queue or a broadcast. What you say about the items must agree with them. */
export interface RingAttachOptions<D extends DType = DType> {
  /** Type of the elements, by numpy's name. Default: any. */
  dtype?: D;
  /** Length of each dimension of an item, in elements. Default: any. */
  shape?: number | readonly number[];
  /** Allow a segment of another user. Default false. */
  foreign?: boolean;
}

/** @internal */
export const RING_OPTIONS = ['name', 'mode', 'populate', 'track', 'slots', 'shape', 'dtype'];

/** @internal Options, checked. */
export interface RingArguments {
  readonly slots: number;
  readonly dtype: string;
  readonly shape: number[];
  readonly name: string | undefined;
  readonly mode: number;
  readonly populate: boolean;
  readonly track: boolean;
}

/** @internal */
export function ringArguments(options: RingOptions<DType>): RingArguments {
  const { name, mode, populate, track, slots, shape, dtype } = options;
  return {
    track: checkBoolean('track', track, true),
    slots: checkSlots(slots),
    dtype: dtype === undefined ? 'float64' : checkType(dtype).name,
    shape: checkShape(shape),
    name: name === undefined ? undefined : checkName(name),
    mode: checkMode(mode),
    populate: checkBoolean('populate', populate, false),
  };
}

/** @internal The same of a ring that there may have been before, which is as it is: its items must be these. */
export function checkMatchesOptions<R extends AnyRing>(
  ring: R,
  kind: string,
  { slots, dtype, shape }: RingArguments,
  [found, expected]: readonly [found: string, expected: string],
): R {
  return checkMatches(ring, kind, itemExpectation(dtype, shape), [
    ring.slots !== slots && `it has ${ring.slots} slots, not ${slots}`,
    found !== expected && `it is ${found}, not ${expected}`,
  ]);
}

/** @internal What to attach to, checked, and what its items are taken for. */
export function ringAttachment(
  kind: string,
  target: string | Descriptor,
  options: RingAttachOptions | undefined,
): { name: string; foreign: boolean; id: string | undefined; expected: Expectation } {
  const { name, id } = checkTarget(target, kind);
  const { dtype, shape, foreign } = checkOptions(options, ['dtype', 'shape', 'foreign']);
  return {
    name,
    foreign: checkBoolean('foreign', foreign, false),
    id,
    expected: itemExpectation(dtype, shape),
  };
}

/** @internal The ring, if its items are what the caller takes them for; else it is closed. */
export function checkMatches<R extends AnyRing>(
  ring: R,
  kind: string,
  expected: Pick<Expectation, 'shape' | 'type'>,
  others: readonly (string | false)[] = [],
): R {
  try {
    const differences = [
      ...differencesOf(ring.dtype, ring.shape, expected),
      ...others.filter((it) => it !== false),
    ];
    refuseMismatch(ring.name, kind, differences);
    return ring;
  } catch (error) {
    ring.close();
    throw error;
  }
}

interface AnyRing {
  readonly name: string;
  readonly slots: number;
  readonly dtype: string;
  readonly shape: readonly number[];
  close(): void;
}

/** @internal Refuses what is no item of this class and length. */
export function checkItem(name: string, Class: TypedClass, length: number, item: unknown): void {
  // By its name: one of another realm (a vm's context, Jest's) is as good.
  if (!types.isTypedArray(item) || item[Symbol.toStringTag] !== Class.name)
    throw wrongType(`an item of '${name}'`, `a ${Class.name} of length ${length}`, item);
  if (item.length !== length) throw outOfRange('the length of an item', `${length}`, item.length);
}

/** @internal As `SharedQueue(…)` and the like show it. */
export function describeItem(dtype: string, shape: readonly number[]): string {
  return `${dtype}${shape.length > 0 ? `[${shape.join(', ')}]` : ''}`;
}

function checkSlots(slots: unknown): number {
  const count = checkCount('slots', slots);
  if (count >= 2 ** 32) throw outOfRange('slots', 'far less', slots);
  return count;
}

function checkShape(shape: unknown): number[] {
  if (shape === undefined) return [];
  if (!Array.isArray(shape)) throw wrongType('shape', 'an array of numbers', shape);
  return Array.from(shape, (length, index) => checkCount(`shape[${index}]`, length));
}

function itemExpectation(dtype: unknown, shape: unknown): Expectation {
  return checkExpectation({ dtype, shape, order: undefined, offset: undefined, header: undefined });
}
