import { load } from '../common/memory-order.js';
import { copyPlain } from './copies.js';
import type { Copy } from './copies.js';

/**
 * @internal Where a key was found. A slot's word does not repeat within 2 ** 31 commits. So while the slot still has this word,
 * and the root still names the same table, the record still belongs to the key.
 */
export class CacheEntry {
  slot = 0;
  low = 0;
  high = 0;
  /** The index of the value in `doubles` if the value is a number, which may be overwritten in place; else 0. */
  number = 0;
  /** The value, if it is immutable and is never overwritten in place; else undefined. */
  value: unknown = undefined;
  /** An object that each caller gets a copy of, and the function that copies it. Null if it cannot be copied. */
  original: object | null | undefined = undefined;
  copy: Copy = copyPlain;

  /** Copies another entry, but for the value. */
  take(other: CacheEntry, value: unknown): void {
    this.slot = other.slot;
    this.low = other.low;
    this.high = other.high;
    this.number = other.number;
    this.value = value;
    this.original = undefined;
  }
}

/** @internal Whether the entry's slot still has the same word. Then the entry is valid, if the root is the same too. */
export function hasSameWord(words: Int32Array, entry: CacheEntry): boolean {
  return load(words, entry.slot) === entry.low && load(words, entry.slot + 1) === entry.high;
}
