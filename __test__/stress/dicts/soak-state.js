/** What the writer and the readers of the soak share: the keys, the words of the state, and versions of values. */
import { Buffer } from 'node:buffer';

import { bytes, isIntact, LATIN, length, text, WIDE } from './any.js';

/** The number of keys that are always there. The first ones are only written together, in one txn. */
export const ALWAYS = 48;
export const TOGETHER = 8;
/** The number of keys that come and go. */
export const COMING = 200;
export const keyOf = (k) => (k < ALWAYS ? `always ${k}` : `coming ${k}`);

/** Indexes of 32-bit words. */
export const STOP = 0;
/** The rounds of each actor, by its ID; then the counts of each actor. */
export const ROUNDS = 8;
export const COUNTS = 32;
export const WRITES = 0;
export const GETS = 1;
export const TXNS = 2;
export const LISTINGS = 3;
export const HANDLES = 4;
export const BUSY = 5;
/** Reads that found the same version as the read before. */
export const REPEATS = 6;
export const PER_ACTOR = 8;
/** The version of a key that is about to be written, and the one that has been. If a key comes and goes, it is there at odd versions. */
export const begun = (k) => 256 + 2 * k;
export const written = (k) => begun(k) + 1;
export const LENGTH = 4096;

const FACTOR = 4096;
const LARGEST = 64 << 10;

/** A value of 8 B to 64 KB for this version of a key, with a checksum. */
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

/** The version of a key's value; undefined if it is torn or of another key. */
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
