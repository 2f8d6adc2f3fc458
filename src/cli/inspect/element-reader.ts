import type { NpyType } from '../../../index.js';

/** How numpy's numbers, text and truths lie in memory. */
export interface ElementReader {
  /** Bytes of an element. */
  size: number;
  read(view: DataView, offset: number): unknown;
}

type Read = (view: DataView, offset: number, little: boolean) => unknown;

const NUMBERS: Record<string, [size: number, read: Read]> = {
  b1: [1, (view, at) => view.getUint8(at) !== 0],
  i1: [1, (view, at) => view.getInt8(at)],
  i2: [2, (view, at, little) => view.getInt16(at, little)],
  i4: [4, (view, at, little) => view.getInt32(at, little)],
  i8: [8, (view, at, little) => exact(view.getBigInt64(at, little))],
  u1: [1, (view, at) => view.getUint8(at)],
  u2: [2, (view, at, little) => view.getUint16(at, little)],
  u4: [4, (view, at, little) => view.getUint32(at, little)],
  u8: [8, (view, at, little) => exact(view.getBigUint64(at, little))],
  f2: [2, (view, at, little) => half(view.getUint16(at, little))],
  f4: [4, (view, at, little) => view.getFloat32(at, little)],
  f8: [8, (view, at, little) => view.getFloat64(at, little)],
  c8: [8, (view, at, little) => complex(view.getFloat32(at, little), view.getFloat32(at + 4, little))],
  c16: [16, (view, at, little) => complex(view.getFloat64(at, little), view.getFloat64(at + 8, little))],
};

/** The type that numpy writes as `<f8`; nothing for records, objects and what else is no plain value. */
export function elementReader(descr: NpyType): ElementReader | undefined {
  const [, order, kind, digits] =
    (typeof descr === 'string' && /^([<>|=]?)([a-zA-Z])(\d+)$/.exec(descr)) || [];
  if (kind === undefined || digits === undefined) return undefined;
  const length = Number(digits);
  const little = order !== '>';
  if (kind === 'S') return text(length, (view, at) => view.getUint8(at), 1);
  if (kind === 'U') return text(length, (view, at) => view.getUint32(at, little), 4);
  const [size, read] = NUMBERS[`${kind}${length}`] ?? [];
  return size === undefined || read === undefined
    ? undefined
    : { size, read: (view, at) => read(view, at, little) };
}

/** Letters, padded with NULs. */
function text(
  length: number,
  code: (view: DataView, at: number) => number,
  width: number,
): ElementReader | undefined {
  if (length === 0 || length * width > 2 ** 20) return undefined;
  const letter = (value: number) => String.fromCodePoint(value > 0x10ffff ? 0xfffd : value);
  return {
    size: length * width,
    read: (view, at) =>
      Array.from({ length }, (_, i) => letter(code(view, at + i * width)))
        .join('')
        .replace(/\0+$/, ''),
  };
}

function exact(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

/** IEEE 754's 16 bits, for which not every Node has a method. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

/** As Python writes it. */
function complex(real: number, imaginary: number): string {
  return `${real}${imaginary < 0 || Object.is(imaginary, -0) ? '-' : '+'}${Math.abs(imaginary)}j`;
}
