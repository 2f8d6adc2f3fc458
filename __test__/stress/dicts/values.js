/** The values that the actors store, and checks that they are whole. */
import { Buffer } from 'node:buffer';
import { crc32 } from 'node:zlib';

export const ACCOUNTS = 10;
export const TOTAL = ACCOUNTS * 1000;
export const ALWAYS = 20;

/** A checksum of bytes. Node 20.15 has no `crc32`. */
export const sum =
  crc32 ??
  ((bytes) => {
    let a = 1;
    let b = 0;
    for (const byte of bytes) b = (b + (a = (a + byte) % 65_521)) % 65_521;
    return b * 65_536 + a;
  });

/** 8 B to 64 KB; short lengths are more frequent. */
function length(below) {
  return 8 + below(8 << below(14));
}

/** Bytes of a number, with a checksum in front. */
export function checked(below, number) {
  const bytes = Buffer.alloc(4 + length(below), number & 255);
  bytes.writeUInt32LE(sum(bytes.subarray(4)), 0);
  return bytes;
}

/** An object with an amount, and bytes of it. */
export function fill(below, amount) {
  return { amount, bytes: checked(below, amount) };
}

/** Whether the value is exactly what `checked()` or `fill()` has made. */
export function whole(value) {
  const bytes = value?.bytes ?? value;
  if (!(bytes instanceof Uint8Array) || bytes.length < 12) return false;
  const expected = value.bytes === undefined ? bytes[4] : value.amount & 255;
  return (
    Buffer.from(bytes.buffer, bytes.byteOffset).readUInt32LE(0) === sum(bytes.subarray(4)) &&
    bytes[4] === expected
  );
}
