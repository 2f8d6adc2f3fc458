/**
 * Whether loads and stores are done in the order in which they are written. Where they are not, all loads are atomic, which
 * costs a call of 4 ns each.
 */
export const IN_ORDER = process.arch === 'x64';

/** A word that others write: not before what was loaded before it. */
export function load(words: Int32Array, at: number): number {
  return IN_ORDER ? words[at]! : Atomics.load(words, at);
}
