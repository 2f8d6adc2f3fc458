/** What actors say of themselves, and what is in an item: the same for who runs them. */

/** Bytes that are kept of the items of the first producer, which is there all the time, and of each other one. */
const FIRST = 1 << 22;
const AREA = 1 << 15;

/** Where those of a row are, and how many at most. */
export const areaAt = (row) => (row === 0 ? 0 : FIRST + (row - 1) * AREA);
export const limitOf = (row) => areaAt(row + 1) - areaAt(row) - 1;

/** In 32-bit words: items that were got, faults. */
export const GOT = 0;
export const FAULTS = 1;
/** In a row: what it is about, and how many items it has pushed; of Python how many at a time, and how many it got. */
export const DONE = 1;
export const PENDING = 2;
export const TAKEN = 3;
export const rowAt = (row) => 16 + row * 16;

/** Nothing is lost with it. */
export const OUTSIDE = 0;
/** It may have a slot. */
export const ABOUT = 1;
/** It has one. */
export const HAS = 2;
/** It may have it still. */
export const GIVES = 3;

const mixed = (row, seq, index) => Math.imul(row * 65_537 + seq, 0x9e3779b1 + index) >>> 0;

export function write(data, row, seq) {
  data[0] = row;
  data[1] = seq;
  for (let i = 2; i < data.length; i++) data[i] = mixed(row, seq, i);
}

export function isWhole(data) {
  for (let i = 2; i < data.length; i++) if (data[i] !== mixed(data[0], data[1], i)) return false;
  return true;
}
