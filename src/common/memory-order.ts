/**
 * Whether loads and stores are done in the order in which they are written. Where they are not, all loads are atomic, which
 * costs a call of 4 ns each.
 */
export const IN_ORDER = process.arch === 'x64';

/** A word that others write: not before what was loaded before it. */
export function load(words: Int32Array, at: number): number {
  return IN_ORDER ? words[at]! : Atomics.load(words, at);
}

const own = new Int32Array(1);

/** Nothing before it is done after it, and nothing after it before it. */
export function fence(): void {
  // On x64 the store alone would do. Elsewhere the store waits for all before it, and the load for the store.
  Atomics.store(own, 0, 0);
  if (!IN_ORDER) Atomics.load(own, 0);
}

/** A count that another writes, at once: nothing after it is loaded before it. */
export function loadCount(counts: Float64Array, at: number): number {
  const count = counts[at]!;
  if (!IN_ORDER) fence();
  return count;
}

/** Stores a count at once: nothing before it is seen after it. */
export function storeCount(counts: Float64Array, at: number, count: number): void {
  if (!IN_ORDER) fence();
  counts[at] = count;
}
