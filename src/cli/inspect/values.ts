import { Buffer } from 'node:buffer';
import { inspect } from 'node:util';

import { printable } from '../text.js';

/** Letters or bytes of a value that are shown. */
const SHOWN = 60;

/** A value of a list or an array on a line. */
export function shownValue(value: unknown): string {
  if (typeof value === 'string') {
    const quoted = printable(JSON.stringify(value.slice(0, SHOWN)));
    return value.length > SHOWN ? `${quoted}… (${value.length} characters)` : quoted;
  }
  if (value instanceof Uint8Array) {
    const hex = Buffer.from(value.subarray(0, SHOWN)).toString('hex');
    return `<${hex}${value.length > SHOWN ? '…' : ''}>${value.length > SHOWN ? ` (${value.length} bytes)` : ''}`;
  }
  if (typeof value === 'object' && value !== null) {
    const text = printable(inspect(value, { breakLength: Infinity, depth: 3 }));
    return text.length > 2 * SHOWN ? `${text.slice(0, 2 * SHOWN)}…` : text;
  }
  return Object.is(value, -0) ? '-0' : String(value);
}

/** What JSON has for it: text where it has no number, base64 of bytes. */
export function jsonValue(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0)))
    return shownValue(value);
  return typeof value === 'object' && value !== null ? jsonObject(value) : value;
}

function jsonObject(value: object): unknown {
  try {
    const known = (_key: string, part: unknown): unknown =>
      typeof part === 'bigint'
        ? String(part)
        : part instanceof Map
          ? [...part]
          : part instanceof Set
            ? [...part]
            : part;
    return JSON.parse(JSON.stringify(value, known)) as unknown;
  } catch {
    return inspect(value); // one that contains itself
  }
}
