import { copyPlain } from './copies.js';
import type { Copy } from './copies.js';

/**
 * @internal Where a key was found. What its slot said does not come again once it has changed, or not before 2 ** 31 commits: as long as
 * that says it, and the root the same table, that record is the key's.
 */
export class CacheEntry {
  slot = 0;
  low = 0;
  high = 0;
  /** Where the number is, in doubles, that is its value; 0 where none is. It may be written over. */
  number = 0;
  /** Its value, of those that are not written over and that whoever reads cannot change; else undefined. */
  value: unknown = undefined;
  /** Its value, of which each reader has a copy, and how that is made. Null where it cannot be. */
  original: object | null | undefined = undefined;
  copy: Copy = copyPlain;

  /** Becomes what another is, with a value of its own. */
  take(other: CacheEntry, value: unknown): void {
    this.slot = other.slot;
    this.low = other.low;
    this.high = other.high;
    this.number = other.number;
    this.value = value;
    this.original = undefined;
  }
}
