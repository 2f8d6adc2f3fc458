/** What the writer and the readers of the soak have in common: which keys there are, and what the words of its state say. */
import { Buffer } from 'node:buffer';

import { bytes, isIntact, LATIN, length, text, WIDE } from './any.js';

/** Keys that are always there; the first of them are only ever written together, in a txn. */
export const ALWAYS = 48;
export const TOGETHER = 8;
/** Keys that come and go. */
export const COMING = 200;
export const keyOf = (k) => (k < ALWAYS ? `always ${k}` : `coming ${k}`);

/** Places of 32-bit words. */
export const STOP = 0;
/** Each actor's rounds, by its number; then each one's counts. */
export const ROUNDS = 8;
export const COUNTS = 32;
export const WRITES = 0;
export const GETS = 1;
export const TXNS = 2;
export const LISTINGS = 3;
export const HANDLES = 4;
export const BUSY = 5;
/** Of looks that found what a look before this one had found already. */
export const REPEATS = 6;
export const PER_ACTOR = 8;
/** A key's version that is about to be written, and the one that has been: odd for a key of the second kind that is there. */
export const begun = (k) => 256 + 2 * k;
export const written = (k) => begun(k) + 1;
export const LENGTH = 4096;

const FACTOR = 4096;
const LARGEST = 64 << 10;

/** A key's value of this version, of 8 B to 64 KB, with a checksum of all of it. */
export function valueOf(below, k, version) {
  const head = `${k}:${version}:`;
  const size = Math.min(40 + length(below, LARGEST), LARGEST);
  const numbers = Buffer.alloc(8);
  numbers.writeUInt32LE(k, 0);
  numbers.writeUInt32LE(version, 4);
  switch (below(8)) {
    case 0:
      return version * FACTOR + k;
    case 1:
      return (BigInt(version) << 64n) + BigInt(k);
    case 2:
    case 3:
      return bytes(below, size, numbers);
    case 4:
      return text(below, size, LATIN, head);
    case 5:
      return text(below, size, WIDE, head);
    default:
      return {
        k,
        version,
        list: [text(below, size >> 2, LATIN, head), { wide: text(below, size >> 2, WIDE, head) }],
        bytes: bytes(below, 40 + (size >> 2), numbers),
      };
  }
}

const HEX = 8;

/** The version of a key's value; undefined where it is not whole, or another key's. */
export function versionOf(k, value) {
  if (typeof value === 'number') return value % FACTOR === k ? Math.floor(value / FACTOR) : undefined;
  if (typeof value === 'bigint') return (value & 0xffffn) === BigInt(k) ? Number(value >> 64n) : undefined;
  if (typeof value === 'string') {
    const [of, version] = value.slice(HEX, HEX + 30).split(':', 2);
    return isIntact(value) && Number(of) === k ? Number(version) : undefined;
  }
  if (Buffer.isBuffer(value)) {
    return isIntact(value) && value.readUInt32LE(4) === k ? value.readUInt32LE(8) : undefined;
  }
  if (value?.k !== k) return undefined;
  const parts = [value.list[0], value.list[1].wide, value.bytes];
  return parts.every((part) => versionOf(k, part) === value.version) ? value.version : undefined;
}
