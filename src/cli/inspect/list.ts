import { ShareableList } from '../../../index.js';
import type { ListItem } from '../../../index.js';

import { columns } from '../table.js';
import { counted, printable } from '../text.js';

import type { Inspector } from './inspector.js';
import { jsonValue, shownValue } from './values.js';

const ITEMS_SHOWN = 20;

/** One of a list's items; `why` it cannot be read, if so. */
interface Item {
  index: number;
  /** As Python calls it. */
  type: string;
  format: string;
  value?: ListItem;
  why?: string;
}

/** A `ShareableList`, Node's or Python's. */
export const inspectList: Inspector = ({ name }, limit = ITEMS_SHOWN) => {
  using list = ShareableList.attach(name, { readOnly: true, foreign: true });
  const { length, format } = list;
  const formats = format.match(/q|d|x{7}\?|x{6}\?x|\d+s/g) ?? [];
  const items = Array.from({ length: Math.min(limit, length) }, (_, index) =>
    itemOf(list, index, formats[index] ?? ''),
  );
  const left = length - items.length;
  return {
    contents: { length, format, items: items.map((item) => ({ ...item, value: jsonValue(item.value) })) },
    facts: [
      ['length', String(length)],
      ['format', items.map((item) => item.format).join('') + (left > 0 ? '…' : '')],
    ],
    body: [
      ...columns(items.map(row), ['right', 'left', 'left']),
      ...(left > 0 ? [`… ${counted(left, 'more item')}`] : []),
    ],
  };
};

function itemOf(list: ShareableList, index: number, format: string): Item {
  try {
    const value = list.get(index);
    return { index, type: typeOf(value, format), format, value };
  } catch (error) {
    return { index, type: 'unreadable', format, why: (error as Error).message };
  }
}

function typeOf(value: ListItem, format: string): string {
  if (value === null) return 'None';
  if (typeof value === 'string') return 'str';
  if (value instanceof Uint8Array) return 'bytes';
  if (typeof value === 'boolean') return 'bool';
  return format === 'd' ? 'float' : 'int';
}

function row({ index, type, value, why }: Item): string[] {
  return [String(index), type, why === undefined ? shownValue(value) : printable(why)];
}
