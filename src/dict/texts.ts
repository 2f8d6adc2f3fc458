/** Texts of characters up to U+00FF, made of the words that have them, as those were read: `latin1Slice` takes 35 ns at least. */
const textOf = String.fromCharCode;

/** @internal The longest text that is made here. */
export const LONGEST_TEXT = 24;

/** @internal A text of up to 8 characters. */
export function shortText(length: number, a: number, b: number): string {
  switch (length) {
    case 0:
      return '';
    case 1:
      return textOf(a & 255);
    case 2:
      return textOf(a & 255, (a >> 8) & 255);
    case 3:
      return textOf(a & 255, (a >> 8) & 255, (a >> 16) & 255);
    case 4:
      return textOf(a & 255, (a >> 8) & 255, (a >> 16) & 255, a >>> 24);
    case 5:
      return textOf(a & 255, (a >> 8) & 255, (a >> 16) & 255, a >>> 24, b & 255);
    case 6:
      return textOf(a & 255, (a >> 8) & 255, (a >> 16) & 255, a >>> 24, b & 255, (b >> 8) & 255);
    case 7:
      return textOf(
        a & 255,
        (a >> 8) & 255,
        (a >> 16) & 255,
        a >>> 24,
        b & 255,
        (b >> 8) & 255,
        (b >> 16) & 255,
      );
    default:
      return textOf(
        a & 255,
        (a >> 8) & 255,
        (a >> 16) & 255,
        a >>> 24,
        b & 255,
        (b >> 8) & 255,
        (b >> 16) & 255,
        b >>> 24,
      );
  }
}

/** @internal A text of 9 to 24 characters. */
export function mediumText(
  length: number,
  a: number,
  b: number,
  c: number,
  d: number,
  e: number,
  f: number,
): string {
  switch ((length + 3) >> 2) {
    case 3:
      return textOf(
        a & 255,
        (a >> 8) & 255,
        (a >> 16) & 255,
        a >>> 24,
        b & 255,
        (b >> 8) & 255,
        (b >> 16) & 255,
        b >>> 24,
        c & 255,
        (c >> 8) & 255,
        (c >> 16) & 255,
        c >>> 24,
      ).slice(0, length);
    case 4:
      return textOf(
        a & 255,
        (a >> 8) & 255,
        (a >> 16) & 255,
        a >>> 24,
        b & 255,
        (b >> 8) & 255,
        (b >> 16) & 255,
        b >>> 24,
        c & 255,
        (c >> 8) & 255,
        (c >> 16) & 255,
        c >>> 24,
        d & 255,
        (d >> 8) & 255,
        (d >> 16) & 255,
        d >>> 24,
      ).slice(0, length);
    case 5:
      return textOf(
        a & 255,
        (a >> 8) & 255,
        (a >> 16) & 255,
        a >>> 24,
        b & 255,
        (b >> 8) & 255,
        (b >> 16) & 255,
        b >>> 24,
        c & 255,
        (c >> 8) & 255,
        (c >> 16) & 255,
        c >>> 24,
        d & 255,
        (d >> 8) & 255,
        (d >> 16) & 255,
        d >>> 24,
        e & 255,
        (e >> 8) & 255,
        (e >> 16) & 255,
        e >>> 24,
      ).slice(0, length);
    default:
      return textOf(
        a & 255,
        (a >> 8) & 255,
        (a >> 16) & 255,
        a >>> 24,
        b & 255,
        (b >> 8) & 255,
        (b >> 16) & 255,
        b >>> 24,
        c & 255,
        (c >> 8) & 255,
        (c >> 16) & 255,
        c >>> 24,
        d & 255,
        (d >> 8) & 255,
        (d >> 16) & 255,
        d >>> 24,
        e & 255,
        (e >> 8) & 255,
        (e >> 16) & 255,
        e >>> 24,
        f & 255,
        (f >> 8) & 255,
        (f >> 16) & 255,
        f >>> 24,
      ).slice(0, length);
  }
}
