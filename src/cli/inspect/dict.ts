import { SharedDict } from '../../../index.js';
import { counted, humanSize } from '../text.js';

import type { Inspector } from './inspector.js';
import { jsonValue, shownValue } from './values.js';

const ENTRIES_SHOWN = 20;

/** A dict: how full it is, and its first entries. */
export const inspectDict: Inspector = ({ name }, limit = ENTRIES_SHOWN) => {
  using dict = SharedDict.attach(name, { readOnly: true, foreign: true });
  const { size, byteLength, maxByteLength, fill } = dict;
  const { used, generation } = fill;
  const shown: [string, unknown][] = [];
  for (const entry of dict) {
    if (shown.length >= limit) break;
    shown.push(entry);
  }
  const left = size - shown.length;
  return {
    contents: {
      size,
      byteLength,
      usedBytes: used,
      maxByteLength,
      generation,
      entries: Object.fromEntries(shown.map(([key, value]) => [key, jsonValue(value)])),
    },
    facts: [
      ['entries', String(size)],
      ['fill', `${humanSize(used)} used, ${humanSize(byteLength)} taken, up to ${humanSize(maxByteLength)}`],
      ['generation', String(generation)],
    ],
    body: [
      ...shown.map(([key, value]) => `${shownValue(key)}: ${shownValue(value)}`),
      ...(left > 0 ? [`… ${counted(left, 'more entry', 'more entries')}`] : []),
    ],
  };
};
