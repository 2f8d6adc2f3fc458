import { lockState } from '../../../index.js';
import { paint } from '../colour.js';
import { shownPid } from '../text.js';

import type { Inspector } from './inspector.js';

/** A lock or an event: who has it, and who else is there. */
export const inspectLock: Inspector = ({ name }) => {
  const state = lockState(name);
  const { what, set, holder, holderDied, readers, awaited, inconsistent, participants } = state;
  if (what === 'event') {
    return {
      contents: { what, set, awaited },
      facts: [['event', set ? 'set' : 'not set'], waits(awaited)],
      body: [],
    };
  }
  const died = holderDied ? paint('yellow', ', which is dead: the next one gets it') : '';
  return {
    contents: { what, holder, holderDied, readers, awaited, inconsistent, participants },
    facts: [
      ['lock', what === 'mutex' ? 'a mutex' : 'of the segment beside it'],
      ['holder', holder === null ? 'none' : `${shownPid(holder)}${died}`],
      ['readers', readers.map((pid) => shownPid(pid)).join(', ') || 'none'],
      waits(awaited),
      ['data', inconsistent ? paint('yellow', 'a holder died or failed: the next one is told') : 'in order'],
      ['participants', participants.map((pid) => shownPid(pid)).join(', ') || 'none'],
    ],
    body: [],
  };
};

function waits(awaited: boolean): [string, string] {
  return ['waiting', awaited ? 'somebody' : 'nobody'];
}
