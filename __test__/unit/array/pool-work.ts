/** What the workers of the arrays' tests do. */
import { SharedArray } from 'shmkit';

export function double(row: SharedArray<'float64'>): number {
  return row.scale(2).sum();
}

export function make(shape: number[]): SharedArray {
  return SharedArray.create(shape, { dtype: 'int16' }).fill(7) as SharedArray;
}

export function column(array: SharedArray, index: number): SharedArray {
  return array.slice(null, index);
}
