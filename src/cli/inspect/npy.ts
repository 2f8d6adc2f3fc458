import type { Buffer } from 'node:buffer';

import { parseLiteral } from './python-literal.js';
import type { Literal } from './python-literal.js';

/** What the header of a `.npy` file says; numpy.lib.format describes it. */
export interface Npy {
  /** The type of an element: `<f8`, or a list of a record's fields. */
  descr: Literal;
  order: 'C' | 'Fortran';
  shape: number[];
  /** Elements. */
  count: number;
  /** Where the first one starts. */
  offset: number;
}

/** Bytes up to the header's length, in all versions. */
export const PREAMBLE = 12;
/** numpy itself trusts no header that is longer than 10,000. */
const HEADER_MAX = 1 << 20;

/** Where the header's text is. */
export function npyHeader(start: Buffer): { offset: number; length: number } {
  const wide = start[6]! >= 2;
  const length = wide ? start.readUInt32LE(8) : start.readUInt16LE(8);
  if (length > HEADER_MAX) throw new Error(`its header would have ${length} bytes`);
  return { offset: wide ? 12 : 10, length };
}

/**
 * Reads the header's text, which ends at `offset`.
 * @throws an `Error` that says what is wrong with it.
 */
export function parseNpy(text: string, offset: number): Npy {
  const header = parseLiteral(text);
  if (!(header instanceof Map)) throw new Error('its header is no dict');
  const descr = header.get('descr');
  const fortran = header.get('fortran_order');
  const shape = header.get('shape');
  if (descr === undefined) throw new Error("its header has no 'descr'");
  if (typeof fortran !== 'boolean') throw new Error("its header has no 'fortran_order'");
  if (!Array.isArray(shape) || !shape.every(isLength)) throw new Error("its header has no 'shape'");
  const count = shape.reduce((product, length) => product * length, 1);
  return { descr, order: fortran ? 'Fortran' : 'C', shape, count, offset };
}

function isLength(value: Literal): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
