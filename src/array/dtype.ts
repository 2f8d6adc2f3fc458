/** The types of elements, as JavaScript has them. The engine says which there are. */
import { types } from 'node:util';

import * as binding from '#binding';
import { wrongType } from '../common/errors.js';

/** The typed array of each element type. */
export interface DTypes {
  /** Signed 8-bit integers. */
  int8: Int8Array;
  /** Unsigned 8-bit integers. */
  uint8: Uint8Array;
  /** Signed 16-bit integers. */
  int16: Int16Array;
  /** Unsigned 16-bit integers. */
  uint16: Uint16Array;
  /** Signed 32-bit integers. */
  int32: Int32Array;
  /** Unsigned 32-bit integers. */
  uint32: Uint32Array;
  /** Signed 64-bit integers, as `bigint`. */
  int64: BigInt64Array;
  /** Unsigned 64-bit integers, as `bigint`. */
  uint64: BigUint64Array;
  /** 32-bit floats (IEEE 754). */
  float32: Float32Array;
  /** 64-bit floats (IEEE 754). */
  float64: Float64Array;
  /** 16-bit floats (IEEE 754). A `Float16Array` if the runtime has one; otherwise the numbers' bits. */
  float16: Uint16Array;
  /** Booleans, one byte each: 0 is false, everything else is true. */
  bool: Uint8Array;
}

/** The element types, by numpy's names. JavaScript may also pass numpy's strings, such as `'<f8'`. */
export type DType = keyof DTypes;

/** What an element reads as: `bigint` for 64-bit integers, otherwise `number` (0 or 1 for `bool`). */
export type ElementOf<D extends DType> = D extends 'int64' | 'uint64' ? bigint : number;

/** A typed array whose class determines the element type. */
export type Typed = DTypes[Exclude<DType, 'float16' | 'bool'>];

/** The element type of a typed array. */
export type DTypeOf<T extends Typed> = T extends Int8Array
  ? 'int8'
  : T extends Int16Array
    ? 'int16'
    : T extends Uint16Array
      ? 'uint16'
      : T extends Int32Array
        ? 'int32'
        : T extends Uint32Array
          ? 'uint32'
          : T extends BigInt64Array
            ? 'int64'
            : T extends BigUint64Array
              ? 'uint64'
              : T extends Float32Array
                ? 'float32'
                : T extends Float64Array
                  ? 'float64'
                  : 'uint8';

export interface TypedClass {
  readonly BYTES_PER_ELEMENT: number;
  readonly name: string;
  new (buffer: ArrayBuffer, byteOffset?: number, length?: number): DTypes[DType];
  new (length: number): DTypes[DType];
}

const { Float16Array } = globalThis as { Float16Array?: unknown };

const CLASSES = {
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  float32: Float32Array,
  float64: Float64Array,
  float16: (Float16Array ?? Uint16Array) as TypedClass,
  bool: Uint8Array,
} satisfies Record<DType, TypedClass>;

/** What is known of a type. */
export interface TypeFacts {
  readonly name: DType;
  /** What numpy writes into headers. */
  readonly typestr: string;
  /** Bytes of one element. */
  readonly itemSize: number;
  /** The engine's number for it. */
  readonly number: number;
  readonly Class: TypedClass;
  /** Its elements are `bigint`. */
  readonly big: boolean;
}

let all: readonly TypeFacts[] | undefined;

/** All of them. The engine is asked when the first one is needed, so that the package loads where there is no engine. */
function allTypes(): readonly TypeFacts[] {
  all ??= binding.arrayTypes().map(({ name, typestr, itemSize }, number) => {
    const Class = CLASSES[name as DType] as TypedClass;
    return { name: name as DType, typestr, itemSize, number, Class, big: name.endsWith('int64') };
  });
  return all;
}

/** Their names, for messages. */
function typeNames(): string {
  return allTypes()
    .map(({ name }) => name)
    .join(', ');
}

/** The type with this number. */
export function typeOf(number: number): TypeFacts {
  return allTypes()[number]!;
}

/** A type that somebody asked for, by its name or numpy's string for it. */
export function checkType(dtype: unknown): TypeFacts {
  if (typeof dtype !== 'string') throw wrongType('dtype', `one of ${typeNames()}`, dtype);
  return allTypes().find(({ name }) => name === dtype) ?? typeOf(binding.parseArrayType(dtype));
}

/** The type that a typed array's class says, of those that TypeScript can tell, too. */
export function typeOfArray(value: unknown): TypeFacts | undefined {
  if (!types.isTypedArray(value)) return undefined;
  const tag = value[Symbol.toStringTag];
  return allTypes().find(({ name, Class }) => name !== 'bool' && name !== 'float16' && Class.name === tag);
}

/** Whether a typed array has elements of this type, as they lie in memory. */
export function holds(value: unknown, { name, Class }: TypeFacts): value is DTypes[DType] {
  if (!types.isTypedArray(value)) return false;
  const tag = value[Symbol.toStringTag];
  return tag === Class.name || (name === 'float16' && tag === 'Uint16Array');
}
