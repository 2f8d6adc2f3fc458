import { Buffer } from 'node:buffer';

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

/** What a header begins with; a version follows. */
const MAGIC = '\x93NUMPY';
/** Data begin at a multiple of so many bytes. */
const ALIGNMENT = 64;
/** numpy leaves room for the first dimension to grow to as many digits. */
const DIGITS = 21;

/** Bytes up to the header's length, in all versions. */
export const PREAMBLE = 12;
/** numpy itself trusts no header that is longer than 10,000. */
const HEADER_MAX = 1 << 20;

/** Where the header's text is. */
export function headerRange(start: Buffer): { offset: number; length: number } {
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

/** Whether a segment or file begins as a `.npy` file of a version that there is. */
export function isNpy(start: Buffer): boolean {
  return (
    start.length >= PREAMBLE && start.toString('latin1', 0, 6) === MAGIC && start[6]! >= 1 && start[6]! <= 3
  );
}

/**
 * Reads the header of what begins with this magic.
 * @throws an `Error` that says what is wrong with it.
 */
export function readNpy(size: number, read: (offset: number, length: number) => Buffer): Npy {
  const start = read(0, PREAMBLE);
  const { offset, length } = headerRange(start);
  if (offset + length > size) throw new Error('its header is cut');
  const text = read(offset, length).toString(start[6]! >= 3 ? 'utf8' : 'latin1');
  return parseNpy(text, offset + length);
}

/** The header that numpy writes before such an array. */
export function writeNpy(typestr: string, order: 'C' | 'F', shape: readonly number[]): Buffer {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const fortran = order === 'F' ? 'True' : 'False';
  const dict = `{'descr': '${typestr}', 'fortran_order': ${fortran}, 'shape': ${tuple}, }`;
  const growing = order === 'F' ? shape.at(-1) : shape[0];
  const text = growing === undefined ? dict : dict + ' '.repeat(Math.max(0, DIGITS - `${growing}`.length));
  const before = 10 + text.length + 1;
  const padded = Math.ceil(before / ALIGNMENT) * ALIGNMENT;
  const header = Buffer.alloc(padded, ' ');
  header.write(MAGIC, 'latin1');
  header.writeUInt16LE(1, 6);
  header.writeUInt16LE(padded - 10, 8);
  header.write(text, 10, 'latin1');
  header.write('\n', padded - 1);
  return header;
}
