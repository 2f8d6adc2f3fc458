import { npyHeader } from '../../../index.js';
import type { NpyHeader, NpyType, SharedMemory } from '../../../index.js';

import { open } from '../lookup.js';
import { counted, json, printable } from '../text.js';

import { elementReader } from './element-reader.js';
import { hexdump } from './hexdump.js';
import type { Inspected, Inspector } from './inspector.js';
import { inspectMemory } from './memory.js';
import { jsonValue, shownValue } from './values.js';

const VALUES_SHOWN = 20;
const BYTES_SHOWN = 256;

/** A `.npy` file's bytes: numpy's header, and the values that it speaks of. */
export const inspectArray: Inspector = (info, limit) => {
  using memory = open(info.name);
  let header: NpyHeader;
  try {
    header = npyHeader(memory);
  } catch (error) {
    const { message } = error as Error;
    const bytes = inspectMemory(info, limit);
    return {
      ...bytes,
      contents: { error: message, ...(bytes.contents as object) },
      facts: [['header', `damaged: ${printable(message)}`]],
    };
  }
  const { descr, shape } = header;
  const order = header.order === 'C' ? 'C' : 'Fortran';
  const { key, values, body } = dataOf(memory, header, limit);
  return {
    contents: { dtype: descr, shape, order, [key]: values },
    facts: [
      ['dtype', shownType(descr)],
      ['shape', shownShape(shape)],
      ['order', order],
    ],
    body,
  };
};

interface Data extends Pick<Inspected, 'body'> {
  key: 'values' | 'hex';
  values: unknown;
}

/** The first values, or the first bytes of those that are no plain ones. */
function dataOf(memory: SharedMemory, { descr, shape, byteOffset }: NpyHeader, limit?: number): Data {
  const reader = elementReader(descr);
  const count = shape.reduce((product, length) => product * length, 1);
  const room = memory.size - byteOffset;
  if (reader === undefined) {
    const bytes = memory.read(byteOffset, Math.min(limit ?? BYTES_SHOWN, room));
    return { key: 'hex', values: bytes.toString('hex'), body: hexdump(bytes) };
  }
  const there = Math.min(count, Math.floor(room / reader.size));
  const shown = Math.min(limit ?? VALUES_SHOWN, there);
  const bytes = memory.read(byteOffset, shown * reader.size);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const values = Array.from({ length: shown }, (_, i) => reader.read(view, i * reader.size));
  const left = there - shown;
  return {
    key: 'values',
    values: values.map(jsonValue),
    body: [
      ...(shown > 0 ? [values.map((value) => shownBare(value)).join(' ')] : []),
      ...(left > 0 ? [`… ${counted(left, 'more value')}, as they lie in memory`] : []),
      ...(there < count ? [`… and ${count - there} that the segment has no room for`] : []),
    ],
  };
}

/** Numbers need no quotes, not even complex ones. */
function shownBare(value: unknown): string {
  return typeof value === 'string' && /^[-+.\w]+j$/.test(value) ? value : shownValue(value);
}

/** A type is text, or JSON of the lists that a record's fields are. */
function shownType(descr: NpyType): string {
  return typeof descr === 'string' ? printable(descr) : json(descr);
}

/** As Python writes it. */
function shownShape(shape: readonly number[]): string {
  return `(${shape.join(', ')}${shape.length === 1 ? ',' : ''})`;
}
