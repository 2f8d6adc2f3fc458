import { SharedBroadcast } from 'shmkit';
import type { Subscription } from 'shmkit';

import type { Random } from '../../fixtures/random.js';
import { participants, perform, Things } from './subject.js';
import type { Answer, Facade, Step, Subject } from './subject.js';

/** Where the participants are; see the engine's ring/broadcast/layout.rs. */
const PARTICIPANTS = 320;
const READERS = 16_640;

class Broadcast implements Subject {
  readonly what: string;
  readonly #open = new Set<number>();
  #next = 0;

  constructor(
    readonly slots: number,
    readonly onSlow: 'block' | 'drop',
    /** How often a step ends it, in a thousand. */
    readonly ends: number,
  ) {
    this.what = `a broadcast of ${slots} slots, onSlow ${onSlow}`;
  }

  open(name: string): Facade {
    const { slots, onSlow } = this;
    const first = SharedBroadcast.create({ name, slots, dtype: 'int32', shape: [1], onSlow });
    const handles = [first, SharedBroadcast.attach<'int32'>(name)];
    const things = new Things<Subscription<'int32'>>();
    const methods = {
      publish: (h: number, value: number) => handles[h]!.tryPublish(Int32Array.of(value)),
      subscribe: (h: number, number: number, oldest: boolean) =>
        things.keep(number, handles[h]!.subscribe({ from: oldest ? 'oldest' : 'latest' })),
      next: (number: number) => things.get(number).tryNext()?.[0],
      missed: (number: number) => things.get(number).lost,
      waiting: (number: number) => things.get(number).length,
      finish: (number: number) => things.take(number).close(),
      published: (h: number) => handles[h]!.published,
      subscribers: (h: number) => handles[h]!.subscribers,
      end: (h: number) => handles[h]!.end(),
    };
    return {
      do: (step) => perform(methods, step),
      discard: () => {
        for (const handle of handles) handle.close();
        first.unlink();
      },
    };
  }

  opening(name: string): Step {
    return ['open_broadcast', name, this.slots, this.onSlow];
  }

  step(random: Random): Step {
    const open = [...this.#open];
    if (random.below(1000) < this.ends) return ['end', 0];
    switch (random.below(12)) {
      case 0:
        if (open.length < 5) return ['subscribe', random.below(2), this.#next++, random.below(2) === 0];
        return ['subscribers', random.below(2)];
      case 1:
        // Seldom by the second handle: there is one writer.
        return ['publish', random.below(8) === 0 ? 1 : 0, random.below(1000)];
      case 2:
      case 3:
      case 4:
        return ['publish', 0, random.below(1000)];
      case 5:
        if (open.length > 0 && random.below(4) === 0) return ['finish', random.pick(open), 'close'];
        return ['published', random.below(2)];
      case 6:
        return open.length > 0 ? ['missed', random.pick(open)] : ['published', 1];
      case 7:
        return open.length > 0 ? ['waiting', random.pick(open)] : ['subscribers', 1];
      default:
        return open.length > 0 ? ['next', random.pick(open)] : ['subscribers', 0];
    }
  }

  after([operation, first, second]: Step, answer: Answer): void {
    if (answer === 'kept') this.#open.add(second as number);
    if (operation === 'finish') this.#open.delete(first as number);
  }

  compared(size: number) {
    return [[0, PARTICIPANTS], ...participants(PARTICIPANTS, READERS), [READERS, size]] as const;
  }
}

export const broadcasts: readonly Subject[] = [
  new Broadcast(1, 'drop', 0),
  new Broadcast(3, 'block', 0),
  new Broadcast(4, 'drop', 5),
  new Broadcast(8, 'block', 5),
];
