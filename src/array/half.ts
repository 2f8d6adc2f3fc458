/** IEEE 754's 16-bit floats, for runtimes whose typed arrays have none (before Node 24). */

const word = new Float64Array(1);
const halves = new Uint32Array(word.buffer);
/** Adding and taking away this leaves no fraction, rounded to even. */
const WHOLE = 2 ** 52;

export function fromHalf(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size =
    exponent === 31
      ? fraction === 0
        ? Infinity
        : Number.NaN
      : exponent === 0
        ? fraction * 2 ** -24
        : (1024 + fraction) * 2 ** (exponent - 25);
  return bits & 0x8000 ? -size : size;
}

/** The nearest one's bits, of two the even one's. */
export function toHalf(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size >= 65520) return sign | 0x7c00;
  if (size < 2 ** -14) return sign | (size * 2 ** 24 + WHOLE - WHOLE);
  word[0] = size;
  const exponent = (halves[1]! >>> 20) - 1023;
  // From 1024 to 2048, where the 1024 is added to the exponent, as a carry is.
  const fraction = size * 2 ** (10 - exponent) + WHOLE - WHOLE;
  return sign | (((exponent + 14) << 10) + fraction);
}
