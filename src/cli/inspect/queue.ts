import { SharedQueue } from '../../../index.js';
import type { SlotHolder } from '../../../index.js';
import { paint } from '../colour.js';
import { counted, shownPid } from '../text.js';

import type { Inspector } from './inspector.js';

const SLOTS_SHOWN = 20;

/** A queue: what it is made of, how full it is, and who has slots of it. */
export const inspectQueue: Inspector = ({ name }, limit = SLOTS_SHOWN) => {
  using queue = SharedQueue.attach(name, { foreign: true });
  const { dtype, shape, slots, length, lost, ended } = queue;
  const { count, holders } = queue.holders(limit);
  const left = count - holders.length;
  return {
    contents: { dtype, shape, slots, length, lost, ended, held: count, holders },
    facts: [
      ['items', `${length} of ${slots}${ended ? ', ended' : ''}`],
      ['an item', `${dtype}[${shape.join(', ')}]`],
      ['lost', String(lost)],
      ['held', count === 0 ? 'none' : counted(count, 'slot')],
    ],
    body: [...holders.map(shown), ...(left > 0 ? [`… ${counted(left, 'more slot')}`] : [])],
  };
};

function shown({ slot, state, pid, died }: SlotHolder): string {
  const dead = died ? paint('yellow', ', which is dead: the next thread that needs it gets it') : '';
  return `slot ${slot} is ${state} by ${shownPid(pid)}${dead}`;
}
