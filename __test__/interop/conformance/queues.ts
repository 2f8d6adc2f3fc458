import { SharedQueue } from 'shmkit';
import type { ClaimedSlot, TakenSlot } from 'shmkit';

import type { Random } from '../../fixtures/random.js';
import { participants, perform, Things } from './subject.js';
import type { Answer, Facade, Step, Subject } from './subject.js';

const item = (value: number): Int32Array => Int32Array.of(value);
/** Where the participants are; see the engine's ring/queue/layout.rs. */
const PARTICIPANTS = 384;
const SLOTS = 16_704;

class Queue implements Subject {
  readonly what: string;
  readonly #held = { claimed: new Set<number>(), taken: new Set<number>() };
  #next = 0;

  constructor(
    readonly slots: number,
    readonly spsc: boolean,
    /** How often a step ends the queue, in a thousand. */
    readonly ends: number,
  ) {
    this.what = `a queue of ${slots} slots${spsc ? ', spsc' : ''}`;
  }

  open(name: string): Facade {
    const { slots, spsc } = this;
    const first = SharedQueue.create({ name, slots, dtype: 'int32', shape: [1], spsc });
    const handles = [first, SharedQueue.attach<'int32'>(name)];
    const things = new Things<ClaimedSlot<'int32'> | TakenSlot<'int32'>>();
    const methods = {
      push: (h: number, value: number) => handles[h]!.tryPush(item(value)),
      pop: (h: number) => handles[h]!.tryPop()?.[0],
      claim: (h: number, number: number) => things.keep(number, handles[h]!.tryClaim()),
      take: (h: number, number: number) => things.keep(number, handles[h]!.tryTake()),
      write: (number: number, value: number) => void (things.get(number).data[0] = value),
      read: (number: number) => things.get(number).data[0],
      finish: (number: number, how: string) => {
        const slot = things.take(number);
        if (how === 'commit') (slot as ClaimedSlot<'int32'>).commit();
        else if ('commit' in slot)
          slot[Symbol.dispose](); // the claim is given up
        else slot.release();
      },
      length: (h: number) => handles[h]!.length,
      lost: (h: number) => handles[h]!.lost,
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
    return ['open_queue', name, this.slots, this.spsc];
  }

  step(random: Random): Step {
    const value = random.below(1000);
    // With spsc the first handle has the producer, and the second one the consumer.
    const producer = this.spsc ? 0 : random.below(2);
    const consumer = this.spsc ? 1 : random.below(2);
    const { claimed, taken } = this.#held;
    if (random.below(1000) < this.ends) return ['end', producer];
    switch (random.below(12)) {
      case 0:
      case 1:
        return ['push', producer, value];
      case 2:
      case 3:
        return ['pop', consumer];
      case 4:
      case 5:
        return ['claim', producer, this.#next++];
      case 6:
      case 7:
        return ['take', consumer, this.#next++];
      case 8:
        if (claimed.size > 0) return ['write', random.pick([...claimed]), value];
        return ['length', consumer];
      case 9:
        if (claimed.size > 0)
          return ['finish', random.pick([...claimed]), random.below(4) > 0 ? 'commit' : 'release'];
        return ['lost', producer];
      case 10:
        if (taken.size > 0) return ['finish', random.pick([...taken]), 'release'];
        return ['length', producer];
      default:
        return taken.size > 0 ? ['read', random.pick([...taken])] : ['length', producer];
    }
  }

  after([operation, first, second]: Step, answer: Answer): void {
    const { claimed, taken } = this.#held;
    if (answer === 'kept') (operation === 'claim' ? claimed : taken).add(second as number);
    if (operation === 'finish') {
      claimed.delete(first as number);
      taken.delete(first as number);
    }
  }

  compared(size: number) {
    return [[0, PARTICIPANTS], ...participants(PARTICIPANTS, SLOTS), [SLOTS, size]] as const;
  }
}

export const queues: readonly Subject[] = [
  new Queue(1, false, 0),
  new Queue(3, false, 0),
  new Queue(4, false, 5),
  new Queue(8, true, 0),
  new Queue(2, true, 5),
];
