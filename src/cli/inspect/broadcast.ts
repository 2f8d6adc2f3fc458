import { SharedBroadcast } from '../../../index.js';
import type { Inspector } from './inspector.js';

/** A broadcast: what it is made of, how much was published, and for how many. */
export const inspectBroadcast: Inspector = ({ name }) => {
  using broadcast = SharedBroadcast.attach(name, { foreign: true });
  const { dtype, shape, slots, onSlow, published, subscribers, ended } = broadcast;
  return {
    contents: { dtype, shape, slots, onSlow, published, subscribers, ended },
    facts: [
      ['items', `${published} published, room for ${slots}${ended ? ', ended' : ''}`],
      ['an item', `${dtype}[${shape.join(', ')}]`],
      ['subscribers', String(subscribers)],
      ['slow readers', onSlow === 'block' ? 'the writer waits for them' : 'lose items'],
    ],
    body: [],
  };
};
