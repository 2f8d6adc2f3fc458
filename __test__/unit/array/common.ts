/** What the arrays' tests share. */
import type { ExecutionContext } from 'ava';
import { SharedArray } from 'shmkit';

import { freshName } from '../../fixtures/segments.js';

/** 0, 1, 2, … */
export function counting(t: ExecutionContext, ...shape: number[]): SharedArray<'float64'> {
  const size = shape.reduce((product, length) => product * length, 1);
  const a = SharedArray.from(
    Float64Array.from({ length: size }, (_, i) => i),
    { shape, name: freshName(t) },
  );
  t.teardown(() => a.close());
  return a;
}
