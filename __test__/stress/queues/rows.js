/** What the actors say about themselves in rows of the shared state, and what an item contains. */

/** Items that are counted for the first producer, which is never killed, and for each other one. */
const FIRST = 1 << 22;
const AREA = 1 << 15;

/** Where the counts of a row's items begin, and the number of items that it may push. */
export const areaAt = (row) => (row === 0 ? 0 : FIRST + (row - 1) * AREA);
export const limitOf = (row) => areaAt(row + 1) - areaAt(row) - 1;

/** 32-bit words: the number of items that were taken, and of faults. */
export const GOT = 0;
export const FAULTS = 1;
/**
 * Words of a row: what the actor is doing (the first one); how many items it has pushed; and, of Python, how many it
 * pushes or takes at a time, and how many it has taken.
 */
export const DONE = 1;
export const PENDING = 2;
export const TAKEN = 3;
export const rowAt = (row) => 16 + row * 16;

/** If it dies, nothing is lost. */
export const OUTSIDE = 0;
/** It may hold a slot. */
export const TRIES = 1;
/** It holds a slot. */
export const HOLDS = 2;
/** It may still hold a slot. */
export const RELEASES = 3;

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
