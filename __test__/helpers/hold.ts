import type { ExecutionContext } from 'ava';

/** Keeps a guard, a txn or a handle until the end of the test. */
export function hold(t: ExecutionContext, held: Disposable): void {
  t.teardown(() => held[Symbol.dispose]());
}
