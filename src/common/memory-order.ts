/**
 * Whether loads and stores are done in the order in which they are written. Where they are not, all loads are atomic, which
 * costs a call of 4 ns each. `SHMKIT_MEMORY_ORDER=weak` has the tests take that path on x64.
 */
export const IN_ORDER = process.arch === 'x64' && process.env['SHMKIT_MEMORY_ORDER'] !== 'weak';

/** A word that others write: not before what was loaded before it. It is undefined where there is none. */
export function load(words: Int32Array, at: number): number {
  // Atomics.load() throws where there is no word: on a detached view, and at an index from damaged memory.
  return IN_ORDER || !(at >= 0 && at < words.length) ? words[at]! : Atomics.load(words, at);
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
