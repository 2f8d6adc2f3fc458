/** A queue, and the processes that use it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { SharedMemory, SharedQueue } from 'shmkit';

import { venvPython } from '../../fixtures/python.js';
import { untilStopped } from '../../fixtures/wait.js';
import type { Child } from '../child.js';
import { Gaps } from '../harness.js';
import type { Harness } from '../harness.js';
import { areaAt, DONE, FAULTS, GOT, HOLDS, OUTSIDE, PENDING, RELEASES, rowAt, TAKEN, TRIES } from './rows.js';

export type Role = 'producer' | 'consumer';

export interface Actor {
  readonly child: Child;
  readonly role: Role;
  readonly row: number;
  /** What it was doing when it was killed. */
  doing?: number;
}

export class Population {
  readonly #name: string;
  readonly #queue: SharedQueue<'uint32'>;
  readonly #state: Int32Array;
  /** How often each item was taken. */
  readonly #items: Uint8Array;
  readonly #actors: Actor[] = [];
  /** From a kill to the next item that comes through. */
  readonly gaps = new Gaps();

  constructor(
    readonly harness: Harness,
    mode: 'mpmc' | 'spsc',
    rows: number,
    slots: number,
    /** Whether half of the processes are Python. */
    readonly withPython: boolean,
  ) {
    const name = (this.#name = `shmkit-queues-${process.pid}-${mode}`);
    const queue = SharedQueue.create({ name, slots, dtype: 'uint32', shape: [200], spsc: mode === 'spsc' });
    this.#queue = harness.own(queue);
    const state = harness.own(SharedMemory.create(4 * rowAt(rows), { name: `${name}-state` }));
    const got = harness.own(SharedMemory.create(areaAt(rows), { name: `${name}-got` }));
    this.#state = new Int32Array(state.buffer);
    this.#items = new Uint8Array(got.buffer);
    harness.describe = () => `${mode}, ${queue.length} of ${queue.slots} slots are full`;
  }

  async start(role: Role): Promise<Actor> {
    // An actor has its row before it has started, because others may start at the same time.
    const row = this.#actors.length;
    const isPython = this.withPython && this.harness.random.below(2) === 0;
    const args = [this.#name, this.harness.nextSeed(), role, String(row)];
    const script = fileURLToPath(new URL(isPython ? 'actor.py' : 'actor.js', import.meta.url));
    const command = isPython ? [venvPython(), '-E', script] : [process.execPath, script];
    const child = this.harness.launch(`${role} ${row}`, [...command, ...args]);
    const actor = { child, role, row };
    this.#actors.push(actor);
    await this.harness.within(`${child.what} starts`, child.begun);
    return actor;
  }

  #doing({ row }: Actor): number {
    return Atomics.load(this.#state, rowAt(row));
  }

  /** Kills it after a while, half of the time when it holds a slot. It is stopped before, so that it is known what it holds. */
  async kill(actor: Actor): Promise<void> {
    const { harness } = this;
    const { random } = harness;
    const { child } = actor;
    const randomMoment = random.below(15);
    await sleep(randomMoment);
    if (random.below(2) === 0) {
      const end = performance.now() + 20;
      while (performance.now() < end && this.#doing(actor) !== HOLDS)
        if (random.below(1000) === 0) await sleep(0);
    }
    child.signal('SIGSTOP');
    await untilStopped(child.pid);
    actor.doing = this.#doing(actor);
    await harness.kill(child);
  }

  /** Items that have come through. */
  #got(): number {
    const own = this.#actors.map(({ row }) => Atomics.load(this.#state, rowAt(row) + TAKEN));
    return own.reduce((a, b) => a + b, Atomics.load(this.#state, GOT));
  }

  /** Waits until an item comes through. */
  async goesOn(): Promise<void> {
    const before = this.#got();
    const began = performance.now();
    await this.harness.until('the others go on after a kill', () => this.#got() !== before);
    this.gaps.add(performance.now() - began);
  }

  /** The number of items that it pushes or takes at a time. */
  #pending(row: number): number {
    return Math.max(1, this.#state[rowAt(row) + PENDING]!);
  }

  /** Lets all processes end, and counts; a summary. */
  async finish(): Promise<string> {
    const { harness } = this;
    const killed = this.#actors.filter((actor) => actor.doing !== undefined);
    this.#queue.end();
    for (const { child, doing } of this.#actors) if (doing === undefined) await harness.endsWell(child);
    // Items that no process has come across since the last kills.
    for (let item; (item = await harness.within('the rest is popped', this.#queue.pop())) !== undefined;)
      this.#items[areaAt(item[0]!) + item[1]!]!++;
    const faults = this.#state[FAULTS]!;
    if (faults !== 0) harness.fault(`${faults} faults of actors`);
    const { pushed, missing } = this.#checkItems();
    const count = (...states: number[]): number =>
      killed.filter(({ doing }) => states.includes(doing!)).length;
    const { lost } = this.#queue;
    const [least, most] = [count(HOLDS), count(TRIES, HOLDS, RELEASES)];
    if (lost < least || lost > most) harness.fault(`${lost} slots lost, expected ${least} to ${most}`);
    const held = killed
      .filter(({ role, doing }) => role === 'consumer' && doing !== OUTSIDE)
      .reduce((sum, { row }) => sum + this.#pending(row), 0);
    if (missing > held) harness.fault(`${missing} items are missing, and the dead held ${held} at most`);
    return (
      `${killed.length} kills, ${least} with a slot; ${pushed} items pushed, ${lost} slots lost, ${missing} items missing; ` +
      `from a kill to the next item: ${this.gaps.toString()}`
    );
  }

  /** Checks how often the items of each producer came. */
  #checkItems(): { pushed: number; missing: number } {
    const { harness } = this;
    let [pushed, missing] = [0, 0];
    for (const { role, row, doing } of this.#actors) {
      if (role !== 'producer') continue;
      const done = this.#state[rowAt(row) + DONE]!;
      const items = this.#items.subarray(areaAt(row), areaAt(row + 1));
      if (items.some((times) => times > 1)) harness.fault(`an item of ${row} came twice`);
      if (items.subarray(done + this.#pending(row)).some((times) => times > 0))
        harness.fault(`an item of ${row} came before it was pushed`);
      if (items[done] !== 0 && (doing === undefined || doing === OUTSIDE || doing === HOLDS))
        harness.fault(`an item of ${row} came that it had not committed`);
      pushed += done;
      missing += items.subarray(0, done).filter((times) => times === 0).length;
    }
    return { pushed, missing };
  }
}
