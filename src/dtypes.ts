/** numpy's names of element types, and the typed array of each. */
export interface DTypes {
  int8: Int8Array;
  uint8: Uint8Array;
  int16: Int16Array;
  uint16: Uint16Array;
  int32: Int32Array;
  uint32: Uint32Array;
  int64: BigInt64Array;
  uint64: BigUint64Array;
  float32: Float32Array;
  float64: Float64Array;
  /** `Float16Array` where the runtime has one (Node 24); else the bits. */
  float16: Uint16Array;
  bool: Uint8Array;
}

/** The name of an element type. */
export type DType = keyof DTypes;

/** @internal */
export type TypedArray = DTypes[DType];

/** @internal What makes typed arrays of a type. */
export interface TypedArrayClass<D extends DType> {
  readonly BYTES_PER_ELEMENT: number;
  readonly name: string;
  new (length: number): DTypes[D];
  new (buffer: ArrayBuffer, offset: number, length: number): DTypes[D];
}

const { Float16Array = Uint16Array } = globalThis as { Float16Array?: typeof Uint16Array };

const CLASSES: { readonly [D in DType]: TypedArrayClass<D> } = {
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
  float16: Float16Array,
  bool: Uint8Array,
};

/** @internal The typed array of a type that the engine has named. */
export function arrayClass<D extends DType>(dtype: D): TypedArrayClass<D> {
  return CLASSES[dtype];
}
