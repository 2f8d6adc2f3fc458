import { execFileSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { SharedEvent, SharedMemory, SharedMutex, SharedQueue } from 'shmkit';

import type { Cleanup } from './cleanup.js';
import type { Run } from './harness.js';
import { answer, startPartner } from './partners.js';

const PARTNER = new URL('partner.js', import.meta.url);
const SIZE = 4096;
/** Words of the segment, as partner.js has them. */
const [READY, TURN, COUNT] = [0, 16, 32] as const;

/** Whose turn it is when the time is over. */
const OVER = 2;
/** Milliseconds in which turns are taken; then there are fewer of them. */
const LIMIT = 500;

/** What two processes do with each other: partner.js says how. */
export type Role =
  | 'turns'
  | 'increments'
  | 'events'
  | 'promises'
  | 'flag'
  | 'socket'
  | 'pipes'
  | QueueRole
  | 'stream'
  | 'messages';
/** These have two queues, each of which is one's to push to and the other's to take from. */
const QUEUES = ['items', 'spsc-items', 'batches', 'there-and-back', 'spsc-there-and-back'] as const;
type QueueRole = (typeof QUEUES)[number];
/** Of these each run counts to twice its iterations, or something was lost. */
const COUNTED: readonly Role[] = ['turns', 'increments', 'flag'];

/** These meet at a path. */
const PATHS: readonly Role[] = ['socket', 'pipes', 'stream'];

interface Answer {
  /** Nanoseconds of a clock that all processes share. */
  begin: number;
  end: number;
  /** Nanoseconds. */
  lap?: number;
}

/** Two Node processes that do something with each other, and a segment to count in. */
export class Pair {
  readonly #role: Role;
  readonly #words: Int32Array;
  readonly #children: readonly ChildProcess[];

  private constructor(role: Role, shm: SharedMemory, children: readonly ChildProcess[]) {
    this.#role = role;
    this.#words = new Int32Array(shm.buffer);
    this.#children = children;
  }

  /** Both are there when it resolves, and end with the row. */
  static async start(cleanup: Cleanup, prefix: string, role: Role, spin?: number): Promise<Pair> {
    const name = `${prefix}-${role}${spin ?? ''}`;
    const shm = SharedMemory.create(SIZE, { name });
    const shared = [shm, SharedMutex.createOrAttach(`${name}-m`)].concat(
      [0, 1].map((side) => SharedEvent.createOrAttach(`${name}-e${side}`)) as never,
    );
    if ((QUEUES as readonly Role[]).includes(role)) shared.push(...(makeQueues(name, role) as never[]));
    cleanup.defer(() => {
      for (const one of shared) {
        one.close();
        one.unlink();
      }
    });
    const path = PATHS.includes(role) ? join(await ownDirectory(cleanup), 'way') : undefined;
    if (role === 'pipes') execFileSync('mkfifo', [`${path}.0`, `${path}.1`]);
    const children = [0, 1].map((side) => startPartner(cleanup, PARTNER, { role, side, name, spin, path }));
    await Promise.all(children.map(answer));
    return new Pair(role, shm, children);
  }

  /** Nanoseconds for so many times by each of the two, in each iteration. */
  run(times: number): Run {
    return async (iterations) => {
      const n = iterations * times;
      const answers = await this.#do(n);
      const time =
        Math.max(...answers.map(({ end }) => end)) - Math.min(...answers.map(({ begin }) => begin));
      return this.#role === 'turns' ? (time * 2 * n) / this.#words[COUNT]! : time;
    };
  }

  /** Nanoseconds from one time to the next, of which so many out of `n` are shorter; 1 gives the longest. */
  lap(n: number, quantile: number): Run {
    return async () => {
      const [first] = await this.#do(n, quantile);
      return first!.lap!;
    };
  }

  async #do(n: number, q?: number): Promise<Answer[]> {
    const words = this.#words;
    words[READY] = words[TURN] = words[COUNT] = 0;
    const answers = Promise.all(this.#children.map(answer)) as Promise<Answer[]>;
    for (const child of this.#children) child.send({ n, q, limit: LIMIT });
    const both = await answers;
    const count = words[COUNT];
    const over = this.#role === 'turns' && words[TURN] === OVER;
    if (COUNTED.includes(this.#role) && count !== 2 * n && !over) {
      throw new Error(`two who both did '${this.#role}' ${n} times counted to ${count}`);
    }
    return both;
  }
}

/** Lets another process read in a txn of the segment, once. */
export async function letReadOnce(cleanup: Cleanup, { name }: SharedMemory): Promise<void> {
  await answer(startPartner(cleanup, PARTNER, { role: 'read', side: 0, name }));
}

function makeQueues(name: string, role: Role): SharedQueue<'uint8'>[] {
  const spsc = role.startsWith('spsc');
  return [0, 1].map((side) =>
    SharedQueue.create({ name: `${name}-q${side}`, slots: 1024, dtype: 'uint8', shape: [64], spsc }),
  );
}

async function ownDirectory(cleanup: Cleanup): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'shmkit-bench-'));
  cleanup.defer(() => rm(dir, { recursive: true }));
  return dir;
}
