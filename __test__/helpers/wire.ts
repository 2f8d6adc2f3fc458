import { Buffer } from 'node:buffer';

import { float } from 'shmkit';
import type { Float, ListItem } from 'shmkit';

/** An item as JSON that loses nothing: what peers and the vectors of `__test__/vectors` speak. */
export type WireItem =
  | { t: 'int'; v: string }
  | { t: 'float'; bits: string }
  | { t: 'bool'; v: boolean }
  | { t: 'none' }
  | { t: 'str'; utf8: string }
  | { t: 'bytes'; hex: string };

function floatToWire(value: number): WireItem {
  const bits = Buffer.alloc(8);
  bits.writeDoubleBE(value);
  return { t: 'float', bits: bits.toString('hex') };
}

/** What Python is to store for this value: numbers become int or float as in a list of ours. */
export function toWire(value: ListItem | Float): WireItem {
  if (value === null) return { t: 'none' };
  if (value instanceof Uint8Array) return { t: 'bytes', hex: Buffer.from(value).toString('hex') };
  switch (typeof value) {
    case 'number':
      return Number.isSafeInteger(value) && !Object.is(value, -0)
        ? { t: 'int', v: String(value) }
        : floatToWire(value);
    case 'bigint':
      return { t: 'int', v: String(value) };
    case 'boolean':
      return { t: 'bool', v: value };
    case 'string':
      return { t: 'str', utf8: Buffer.from(value).toString('hex') };
    default:
      return floatToWire(value.value);
  }
}

/** The value as a list of ours reads it. */
export function fromWire(wire: WireItem): ListItem {
  switch (wire.t) {
    case 'int':
      return Number.isSafeInteger(Number(wire.v)) ? Number(wire.v) : BigInt(wire.v);
    case 'float':
      return Buffer.from(wire.bits, 'hex').readDoubleBE();
    case 'bool':
      return wire.v;
    case 'none':
      return null;
    case 'str':
      return Buffer.from(wire.utf8, 'hex').toString();
    case 'bytes':
      return new Uint8Array(Buffer.from(wire.hex, 'hex'));
  }
}

/** The value to store where Python would store this item: a float stays one, also when it is whole. */
export function storable(wire: WireItem): ListItem | Float {
  const value = fromWire(wire);
  return wire.t === 'float' && typeof value === 'number' ? float(value) : value;
}
