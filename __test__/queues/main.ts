/**
 * `npm run queues -- [--kills N] [--seed S] [--slots N] [--python]`: processes that push to a queue and take from it at random, in
 * every way there is, and are killed at random points, half of them with a slot where they can be caught with one; first
 * several on each side, then one on each; half of them Python's where that is said. Who is about to be killed is stopped before, so that it is known what it has.
 * Ends with code 0 when no item was torn or came twice, none is missing that the dead cannot have had, exactly the slots
 * of the dead were counted as lost, and whoever is left went on each time.
 */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { SharedMemory, SharedQueue } from 'shmkit';

import { Random } from '../torture/random.js';
import { venvPython } from '../helpers/python.js';
import { ABOUT, areaAt, DONE, FAULTS, GIVES, GOT, HAS, OUTSIDE, PENDING, rowAt, TAKEN } from './rows.js';

type Role = 'producer' | 'consumer';
interface Actor {
  readonly child: ChildProcessByStdio<null, Readable, null>;
  readonly role: Role;
  readonly row: number;
  /** What it was about when it was killed. */
  about?: number;
}

/** What anything may take before it counts as hung. */
const WATCHDOG = 30_000;
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '500' },
    seed: { type: 'string', default: '1' },
    slots: { type: 'string', default: '5' },
    python: { type: 'boolean', default: false },
  },
});
const kills = Number(values.kills);
const random = new Random(Number(values.seed));
const script = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
let seed = Number(values.seed) * 1_000_000;
const living = new Set<Actor>();
const ours: { close(): void; unlink(): void }[] = [];

function faulty(why: string): never {
  console.error(why);
  for (const { child } of living) child.kill('SIGKILL');
  for (const shared of ours) shared.unlink();
  process.exit(1);
}

async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  const watchdog = setTimeout(() => faulty(`${what}: hangs`), WATCHDOG);
  try {
    return await promise;
  } finally {
    clearTimeout(watchdog);
  }
}

/** A queue, and those who use it. */
class Run {
  readonly #name: string;
  readonly #queue: SharedQueue<'uint32'>;
  readonly #state: Int32Array;
  readonly #items: Uint8Array;
  readonly #actors: Actor[] = [];
  /** From a kill to the next item that comes through, in milliseconds. */
  readonly gaps: number[] = [];

  constructor(mode: 'mpmc' | 'spsc', rows: number) {
    this.#name = `shmkit-queues-${process.pid}-${mode}`;
    this.#queue = SharedQueue.create({
      name: this.#name,
      slots: Number(values.slots),
      dtype: 'uint32',
      shape: [200],
      mode,
    });
    const state = SharedMemory.create(4 * rowAt(rows), { name: `${this.#name}-state` });
    const got = SharedMemory.create(areaAt(rows), { name: `${this.#name}-got` });
    this.#state = new Int32Array(state.buffer);
    this.#items = new Uint8Array(got.buffer);
    ours.push(this.#queue, state, got);
  }

  async start(role: Role): Promise<Actor> {
    const row = this.#actors.length;
    const args = [this.#name, String(++seed), role, String(row)];
    const isPython = values.python && random.below(2) === 0;
    const child = spawn(
      isPython ? venvPython() : process.execPath,
      isPython ? ['-E', script('actor.py'), ...args] : [script('actor.js'), ...args],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const actor = { child, role, row };
    this.#actors.push(actor);
    living.add(actor);
    child.once('exit', () => living.delete(actor));
    await within('an actor that starts', once(child.stdout, 'data'));
    return actor;
  }

  #about({ row }: Actor): number {
    return Atomics.load(this.#state, rowAt(row));
  }

  /** Kills it, in a while, or where it has a slot; until others go on. */
  async kill(actor: Actor): Promise<void> {
    const { child } = actor;
    await sleep(random.below(15));
    if (random.below(2) === 0) {
      const end = performance.now() + 20;
      while (performance.now() < end && this.#about(actor) !== HAS)
        if (random.below(1000) === 0) await sleep(0);
    }
    child.kill('SIGSTOP');
    await within('an actor that is stopped', isStopped(child.pid!));
    actor.about = this.#about(actor);
    child.kill('SIGKILL');
    await within('an actor that was killed', once(child, 'exit'));
    if (child.signalCode !== 'SIGKILL') faulty(`an actor ended with ${child.exitCode} by itself`);
  }

  /** Items that came through so far. */
  #got(): number {
    const own = this.#actors.map(({ row }) => Atomics.load(this.#state, rowAt(row) + TAKEN));
    return own.reduce((a, b) => a + b, Atomics.load(this.#state, GOT));
  }

  async goesOn(): Promise<void> {
    const before = this.#got();
    const began = performance.now();
    const next = async (): Promise<void> => {
      while (this.#got() === before) await sleep(1);
    };
    await within(`who is left, ${this.#queue.length} of ${this.#queue.capacity},`, next());
    this.gaps.push(performance.now() - began);
  }

  /** So many items it pushes or takes at a time. */
  #pending(row: number): number {
    return Math.max(1, this.#state[rowAt(row) + PENDING]!);
  }

  /** Lets all go, and counts. */
  async finish(): Promise<string> {
    const left = [...living];
    this.#queue.end();
    for (const { child } of left) {
      if (child.exitCode === null) await within('who is told of the end', once(child, 'exit'));
      if (child.exitCode !== 0) faulty(`an actor ended with ${child.exitCode ?? child.signalCode}`);
    }
    // Who was killed last may have left something that nobody came across.
    for (let item; (item = await within('what is left', this.#queue.pop())) !== undefined;) {
      this.#items[areaAt(item[0]!) + item[1]!]!++;
    }
    if (this.#state[FAULTS] !== 0) faulty(`${this.#state[FAULTS]} faults`);
    let [pushed, missing] = [0, 0];
    for (const { role, row, about } of this.#actors) {
      if (role !== 'producer') continue;
      const done = this.#state[rowAt(row) + DONE]!;
      const items = this.#items.subarray(areaAt(row), areaAt(row + 1));
      if (items.some((times) => times > 1)) faulty(`an item of ${row} came twice`);
      if (items.subarray(done + this.#pending(row)).some((times) => times > 0))
        faulty(`an item of ${row} came before it was pushed`);
      if (items[done] !== 0 && (about === undefined || about === OUTSIDE || about === HAS))
        faulty(`an item of ${row} came that it had not committed`);
      pushed += done;
      missing += items.subarray(0, done).filter((times) => times === 0).length;
    }
    const killed = this.#actors.filter((actor) => actor.about !== undefined);
    const many = (role: Role | undefined, ...states: number[]): number =>
      killed.filter((actor) => (role ?? actor.role) === actor.role && states.includes(actor.about!)).length;
    const { lost } = this.#queue;
    const [least, most] = [many(undefined, HAS), many(undefined, ABOUT, HAS, GIVES)];
    if (lost < least || lost > most) faulty(`${lost} lost, of from ${least} to ${most}`);
    const inHands = killed
      .filter(({ role, about }) => role === 'consumer' && about !== OUTSIDE)
      .reduce((sum, { row }) => sum + this.#pending(row), 0);
    if (missing > inHands) faulty(`${missing} items are missing, and the dead had ${inHands} at most`);
    this.gaps.sort((a, b) => a - b);
    return (
      `${killed.length} kills, ${least} with a slot; ${pushed} items pushed, ${lost} slots lost, ${missing} items missing; ` +
      `from a kill to the next item: median ${this.gaps[this.gaps.length >> 1]?.toFixed(1)} ms, ` +
      `longest ${this.gaps.at(-1)?.toFixed(1)} ms`
    );
  }
}

async function isStopped(pid: number): Promise<void> {
  const status = (): string => readFileSync(`/proc/${pid}/stat`, 'latin1');
  while (!/\) T /.test(status())) await sleep(0);
}

const began = performance.now();

/** Two on each side are there all the time, and so many more that are killed. */
const many = new Run('mpmc', kills + 8);
const half = Math.ceil(kills / 2);
for (const role of ['producer', 'consumer', 'consumer'] as const) await many.start(role);
let leftToKill = half;
async function lane(first: Role): Promise<void> {
  for (let role = first; leftToKill-- > 0; role = role === 'producer' ? 'consumer' : 'producer') {
    await many.kill(await many.start(role));
    await many.goesOn();
  }
}
await Promise.all([lane('producer'), lane('consumer')]);
console.log(`mpmc: ${await many.finish()}`);

/** One on each side, and the next one when it is dead. */
const single = new Run('spsc', kills + 8);
const sides = { producer: await single.start('producer'), consumer: await single.start('consumer') };
for (let left = kills - half; left > 0; left--) {
  const role = random.below(2) === 0 ? 'producer' : 'consumer';
  await single.kill(sides[role]);
  sides[role] = await single.start(role);
  await single.goesOn();
}
console.log(`spsc: ${await single.finish()}`);
console.log(`in ${((performance.now() - began) / 1000).toFixed(0)} s`);
for (const shared of ours) {
  shared.close();
  shared.unlink();
}
