import { SharedQueue } from '../../../index.js';
import { holdingsOf } from '../../ring/queue/queue.js';
import type { Holding } from '../../ring/queue/protocol.js';
import { paint } from '../colour.js';
import { counted, shownPid } from '../text.js';

import type { Inspector } from './inspector.js';

const SLOTS_SHOWN = 20;

/** A queue: what it is made of, how full it is, and who has slots of it. */
export const inspectQueue: Inspector = ({ name }, limit = SLOTS_SHOWN) => {
  using queue = SharedQueue.attach(name, { foreign: true });
  const { dtype, shape, capacity, length, lost, ended } = queue;
  const { count, holdings } = holdingsOf(queue, limit);
  const left = count - holdings.length;
  return {
    contents: { dtype, shape, capacity, length, lost, ended, held: count, slots: holdings },
    facts: [
      ['items', `${length} of ${capacity}${ended ? ', ended' : ''}`],
      ['an item', `${dtype}[${shape.join(', ')}]`],
      ['lost', String(lost)],
      ['held', count === 0 ? 'none' : counted(count, 'slot')],
    ],
    body: [...holdings.map(shown), ...(left > 0 ? [`… ${counted(left, 'more slot')}`] : [])],
  };
};

function shown({ slot, state, pid, died }: Holding): string {
  const dead = died ? paint('yellow', ', which is dead: the next one gets it') : '';
  return `slot ${slot} is ${state} by ${shownPid(pid)}${dead}`;
}
