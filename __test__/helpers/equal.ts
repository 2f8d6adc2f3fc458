import { isDeepStrictEqual } from 'node:util';

import type { ExecutionContext } from 'ava';

/** `t.deepEqual()` for loops: AVA's own takes up to a millisecond, as it prepares a difference. */
export function deepEqual(t: ExecutionContext, actual: unknown, expected: unknown, message?: string): void {
  if (isDeepStrictEqual(actual, expected)) t.pass();
  else t.deepEqual(actual, expected, message);
}
