import { SharedEvent } from 'shmkit';

import type { Random } from '../../fixtures/random.js';
import { PARTICIPANTS } from './mutexes.js';
import { participants, perform } from './subject.js';
import type { Facade, Subject } from './subject.js';

function isTimeout(error: unknown): boolean {
  return (error as { code?: string }).code === 'ERR_SHM_TIMEOUT';
}

const event: Subject = {
  what: 'an event',
  open(name: string): Facade {
    const handles = [SharedEvent.createOrAttach(name), SharedEvent.attach(name)];
    const methods = {
      set_event: (h: number) => handles[h]!.set(),
      clear_event: (h: number) => handles[h]!.clear(),
      is_set: (h: number) => handles[h]!.isSet,
      wait_event: (h: number) => {
        try {
          handles[h]!.waitSync({ timeout: 0 });
          return true;
        } catch (error) {
          if (isTimeout(error)) return false; // as Python's threading.Event says it
          throw error;
        }
      },
    };
    return {
      do: (step) => perform(methods, step),
      discard: () => {
        for (const handle of handles) handle.close();
        handles[0]!.unlink();
      },
    };
  },
  opening: (name) => ['open_event', name],
  step: (random: Random) => [
    random.pick(['set_event', 'clear_event', 'is_set', 'wait_event']),
    random.below(2),
  ],
  after: () => undefined,
  compared: (size) => [[0, PARTICIPANTS], ...participants(PARTICIPANTS, size)],
};

export const events: readonly Subject[] = [event];
