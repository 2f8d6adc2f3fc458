import { SharedArray } from 'shmkit';
import type { DType } from 'shmkit';

type Body = (array: SharedArray<'float64'>, passes: number) => number;

/* One loop for each, as each place in a program has its own. */

export const GET: Record<'one' | 'two' | 'data', Body> = {
  one(array, passes) {
    let sum = 0;
    for (let pass = 0; pass < passes; pass++) {
      for (let i = 0; i < array.size; i++) sum += array.get(i);
    }
    return sum;
  },
  two(array, passes) {
    const [rows = 0, columns = 0] = array.shape;
    let sum = 0;
    for (let pass = 0; pass < passes; pass++) {
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) sum += array.get(i, j);
      }
    }
    return sum;
  },
  data(array, passes) {
    const { data } = array;
    let sum = 0;
    for (let pass = 0; pass < passes; pass++) {
      for (let i = 0; i < data.length; i++) sum += data[i]!;
    }
    return sum;
  },
};

export const SET: typeof GET = {
  one(array, passes) {
    for (let pass = 0; pass < passes; pass++) {
      for (let i = 0; i < array.size; i++) array.set(pass, i);
    }
    return array.get(0);
  },
  two(array, passes) {
    const [rows = 0, columns = 0] = array.shape;
    for (let pass = 0; pass < passes; pass++) {
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) array.set(pass, i, j);
      }
    }
    return array.get(0, 0);
  },
  data(array, passes) {
    const { data } = array;
    for (let pass = 0; pass < passes; pass++) {
      for (let i = 0; i < data.length; i++) data[i] = pass;
    }
    return data[0]!;
  },
};

const TYPES: DType[] = ['int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'float32', 'bool', 'float64'];

/** What a program with many arrays has done before, see `useAllKinds`. */
export function useAllTypes(): void {
  for (let round = 0; round < 10; round++) {
    for (const dtype of TYPES) {
      for (const shape of [[100], [10, 10]]) {
        using array = SharedArray.create(shape, { dtype }) as SharedArray<'float64'>;
        const body = shape.length === 1 ? 'one' : 'two';
        GET[body](array, 20);
        SET[body](array, 100);
        array.unlink();
      }
    }
  }
}
