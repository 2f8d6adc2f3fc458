import { SharedArray } from 'shmkit';
import type { DType } from 'shmkit';

/** Some elements of each type, with the outermost ones. */
export const SAMPLES: { readonly [D in DType]: readonly (number | bigint)[] } = {
  int8: [0, 1, -1, 127, -128, 5],
  uint8: [0, 1, 255, 128, 127, 5],
  int16: [0, 1, -1, 32767, -32768, 5],
  uint16: [0, 1, 65535, 32768, 32767, 5],
  int32: [0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 5],
  uint32: [0, 1, 2 ** 32 - 1, 2 ** 31, 7, 5],
  int64: [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 5n],
  uint64: [0n, 1n, 2n ** 64n - 1n, 2n ** 63n, 2n ** 63n - 1n, 5n],
  float16: [0, -0, 1.5, NaN, -65504, 5.960464477539063e-8],
  float32: [0, -0, 1.5, NaN, -Infinity, 1.401298464324817e-45],
  float64: [0, -0, 0.1, NaN, -Infinity, 5e-324],
  bool: [0, 1, 1, 0, 1, 0],
};
export const DTYPES = Object.keys(SAMPLES) as DType[];

/** An array of these, with the type known to nobody: as one that somebody else names has it. */
export function arrayOf(
  values: readonly (number | bigint)[],
  shape: readonly number[],
  dtype: DType,
  options: { name?: string; header?: 'npy' | 'none' } = {},
): SharedArray {
  return SharedArray.from(values as number[], {
    shape,
    dtype: dtype as 'float64',
    ...options,
  }) as SharedArray;
}

/** The elements in C order as hexadecimal bytes. */
export function bits(array: SharedArray): string {
  const { buffer, byteOffset, byteLength } = array.toTypedArray();
  return Buffer.from(buffer, byteOffset, byteLength).toString('hex');
}
