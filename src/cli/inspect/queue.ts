import { SharedQueue } from '../../../index.js';
import type { Inspector } from './inspector.js';

/** A queue: what it is made of, and how full it is. */
export const inspectQueue: Inspector = ({ name }) => {
  using queue = SharedQueue.attach(name, { foreign: true });
  const { dtype, shape, capacity, length, lost, ended } = queue;
  return {
    contents: { dtype, shape, capacity, length, lost, ended },
    facts: [
      ['items', `${length} of ${capacity}${ended ? ', ended' : ''}`],
      ['an item', `${dtype}[${shape.join(', ')}]`],
      ['lost', String(lost)],
    ],
    body: [],
  };
};
