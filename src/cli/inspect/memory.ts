import { open } from '../lookup.js';
import { counted } from '../text.js';

import { hexdump } from './hexdump.js';
import type { Inspector } from './inspector.js';

const BYTES_SHOWN = 256;

/** Bytes, as `hexdump -C` shows them. */
export const inspectMemory: Inspector = ({ name, size }, limit = BYTES_SHOWN) => {
  // One that its creator never sized cannot be opened, and there is nothing to see.
  if (size === 0) return { contents: { hex: '' }, facts: [], body: [] };
  using memory = open(name);
  const bytes = memory.read(0, Math.min(limit, memory.size));
  const left = memory.size - bytes.length;
  return {
    contents: { hex: bytes.toString('hex') },
    facts: [],
    body: [...hexdump(bytes), ...(left > 0 ? [`… ${counted(left, 'more byte')}`] : [])],
  };
};
