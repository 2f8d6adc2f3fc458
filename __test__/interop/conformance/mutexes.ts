import { SharedMutex } from 'shmkit';
import type { Guard } from 'shmkit';

import type { Random } from '../../fixtures/random.js';
import { participants, perform, Things } from './subject.js';
import type { Answer, Facade, Step, Subject } from './subject.js';

/** Where the participants are, in the segment of a lock. */
export const PARTICIPANTS = 128;

class Mutex implements Subject {
  readonly what = 'a mutex';
  readonly #held = new Set<number>();
  #next = 0;

  open(name: string): Facade {
    const handles = [SharedMutex.createOrAttach(name), SharedMutex.attach(name)];
    const things = new Things<Guard>();
    const methods = {
      lock: (h: number, number: number) => things.keep(number, handles[h]!.tryLock()),
      finish: (number: number) => things.take(number).unlock(),
    };
    return {
      do: (step) => perform(methods, step),
      discard: () => {
        for (const handle of handles) handle.close();
        handles[0]!.unlink();
      },
    };
  }

  opening(name: string): Step {
    return ['open_mutex', name];
  }

  step(random: Random): Step {
    if (this.#held.size > 0 && random.below(2) === 0)
      return ['finish', random.pick([...this.#held]), 'unlock'];
    return ['lock', random.below(2), this.#next++];
  }

  after([operation, first, second]: Step, answer: Answer): void {
    if (answer === 'kept') this.#held.add(second as number);
    if (operation === 'finish') this.#held.delete(first as number);
  }

  compared(size: number) {
    return [[0, PARTICIPANTS], ...participants(PARTICIPANTS, size)] as const;
  }
}

export const mutexes: readonly Subject[] = [new Mutex()];
