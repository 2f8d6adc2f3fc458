import { Buffer } from 'node:buffer';

import { listConstants } from '#binding';

// The notes that CPython keeps of each item's type. They exist once, in Rust, and come from there. Formats are
// compared as two halves of 32 bits: numbers, which V8 compares without allocating, where a bigint would be one
// more object; they are stored as one word.
const LAYOUT = listConstants();
export const [INT_LO, INT_HI] = halves(LAYOUT.formatInt);
export const [FLOAT_LO, FLOAT_HI] = halves(LAYOUT.formatFloat);
export const [BOOL_LO, BOOL_HI] = halves(LAYOUT.formatBool);
export const [NONE_LO, NONE_HI] = halves(LAYOUT.formatNone);
export const FORMAT_INT = LAYOUT.formatInt;
export const FORMAT_FLOAT = LAYOUT.formatFloat;
export const FORMAT_BOOL = LAYOUT.formatBool;
export const FORMAT_NONE = LAYOUT.formatNone;
export const CODE_PLAIN = LAYOUT.codePlain;
export const CODE_STR = LAYOUT.codeStr;
export const CODE_BYTES = LAYOUT.codeBytes;
export const CODE_NONE = LAYOUT.codeNone;

function halves(word: bigint): readonly [number, number] {
  const both = new Int32Array(new BigInt64Array([word]).buffer);
  return [both[0]!, both[1]!];
}

const sizedWords = new Map<number, bigint>();

/** The format word of `%ds`. */
export function sizedWord(size: number): bigint {
  let word = sizedWords.get(size);
  if (word === undefined) {
    const bytes = Buffer.alloc(8);
    bytes.write(`${size}s`, 'latin1');
    word = bytes.readBigInt64LE();
    sizedWords.set(size, word);
  }
  return word;
}
