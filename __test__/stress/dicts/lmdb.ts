/**
 * Random operations of several processes on one dict, each of which is also done on an lmdb environment. Both must agree in
 * every result, and in all their contents at the end.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect, isDeepStrictEqual } from 'node:util';

import { SharedDict } from 'shmkit';

import { Random } from '../../fixtures/random.js';
import type { Child } from '../child.js';
import { secondsSince } from '../harness.js';
import type { Harness } from '../harness.js';
import type { Run } from '../kinds.js';
import { Lmdb } from './oracle.js';

/** In most steps, the keys with one remainder modulo this number are not written. */
const QUIET = 16;
/** Operations in one txn of lmdb. */
const BATCH = 300;

/** The dict of a part of the operations: see lmdb-actor.js. */
interface Profile {
  share: number;
  keys: number;
  largest: number;
  clears: number;
  /** Steps for which it grows, keeps its size or shrinks. */
  period: number;
  /** Its maximum size, which it soon reaches. */
  full?: number;
}

const PROFILES: Record<string, Profile> = {
  many: { share: 0.4, keys: 50_000, largest: 64, clears: 1000, period: 120 },
  mixed: { share: 0.25, keys: 2000, largest: 1 << 16, clears: 200, period: 40 },
  hot: { share: 0.15, keys: 40, largest: 1 << 12, clears: 20, period: 10 },
  full: { share: 0.12, keys: 3000, largest: 1 << 15, clears: 300, period: 40, full: 2 << 20 },
  tiny: { share: 0.08, keys: 300, largest: 1 << 10, clears: 100, period: 20, full: 96 << 10 },
};

interface Counts {
  done: number;
  full: number;
}

/** The operations of one profile, on a dict and an environment of its own. */
class Part {
  readonly counts: Counts = { done: 0, full: 0 };
  readonly #dict: SharedDict<unknown>;
  readonly #lmdb: Lmdb;
  #step = 0;
  #largest = 0;

  constructor(
    readonly harness: Harness,
    readonly label: string,
    readonly profile: Profile,
    readonly place: string,
  ) {
    this.#lmdb = new Lmdb(place);
    const size = profile.full !== undefined && { byteLength: 64 << 10 };
    const name = `shmkit-lmdb-${process.pid}-${label}`;
    this.#dict = harness.own(
      SharedDict.create<unknown>({ name, maxByteLength: profile.full ?? 1 << 30, ...size }),
    );
  }

  async run(operations: number, processes: string): Promise<void> {
    const { harness, label } = this;
    harness.describe = () => `${label}, step ${this.#step}`;
    const began = performance.now();
    const script = new URL('lmdb-actor.js', import.meta.url);
    const actors = await Promise.all(
      Array.from({ length: Number(processes) }, (_, id) => {
        const args = [this.#dict.name, this.place, String(harness.seed), String(id), processes];
        return harness.node('an actor', script, [...args, JSON.stringify(this.profile)], { ipc: true });
      }),
    );
    await this.#steps(actors, operations);
    this.#compare();
    for (const actor of actors) actor.process.disconnect();
    for (const actor of actors) await harness.endsWell(actor);
    const size = this.#dict.size;
    await this.#lmdb.close();
    harness.say(
      `${label}: ${this.counts.done} operations in ${this.#step} steps and ${secondsSince(began)} s; at most ${this.#largest} ` +
        `entries, ${size} in the end; ${(this.#dict.byteLength / 1e6).toFixed(1)} MB; full ${this.counts.full} times`,
    );
  }

  async #steps(actors: readonly Child[], operations: number): Promise<void> {
    const { profile } = this;
    const random = new Random(this.harness.seed);
    let wasFree = false;
    let said = performance.now();
    while (this.counts.done < operations) {
      const step = ++this.#step;
      /** It grows for a period, keeps its size, shrinks, and keeps its size. */
      const trend = [0, 0, 1, 2, 1][Math.floor(step / profile.period) % 5]!;
      const common = { number: step, trend, quiet: step % 4 === 0 ? -1 : random.below(QUIET) };
      if (step % 8 === 5) {
        await Promise.all(actors.map((actor) => this.#does(actor, { ...common, free: BATCH / 2 })));
        wasFree = true;
      } else {
        const writer = random.below(actors.length);
        const all = random.below(wasFree ? 4 : 25) === 0;
        const batch = { ...common, batch: 1 + random.below(2 * BATCH), all };
        const look = { ...common, look: random.below(BATCH) };
        await Promise.all(actors.map((actor, id) => this.#does(actor, id === writer ? batch : look)));
        wasFree = false;
      }
      this.#largest = Math.max(this.#largest, this.#dict.size);
      if (performance.now() - said < 10_000) continue;
      said = performance.now();
      this.harness.say(
        `${this.label}: ${this.counts.done} of ${operations} operations, ${this.#dict.size} entries`,
      );
    }
  }

  /** Sends a step to an actor, and waits until it is done. */
  async #does(actor: Child, step: object): Promise<void> {
    const answer = new Promise<Counts>((resolve, reject) => {
      const died = (): void => reject(new Error(`an actor ended with ${actor.result}`));
      actor.process.once('exit', died);
      actor.process.once('message', (message) => {
        actor.process.off('exit', died);
        resolve(message as Counts);
      });
      actor.process.send(step);
    });
    const { done, full } = await this.harness.within(`an actor does ${JSON.stringify(step)}`, answer);
    this.counts.done += done;
    this.counts.full += full;
  }

  /** Checks that the dict and lmdb have the same contents. */
  #compare(): void {
    const { harness, label } = this;
    this.#lmdb.refresh();
    const expected = new Map(this.#lmdb.entries());
    const found = new Map(this.#dict.entries());
    for (const key of new Set([...found.keys(), ...expected.keys()])) {
      const [ours, theirs] = [found.get(key), expected.get(key)];
      if (!isDeepStrictEqual(ours, theirs))
        harness.fault(`${label}: in the end '${key}' is ${inspect(ours)}, and ${inspect(theirs)} in lmdb`);
    }
    const { size } = this.#dict;
    if (size !== expected.size) harness.fault(`${label}: ${size} entries, expected ${expected.size}`);
    if (this.profile.full === undefined && this.counts.full > 0) harness.fault(`${label}: it was full`);
  }
}

export const run: Run = async (harness, rounds, options) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'shmkit-lmdb-'));
  harness.atEnd(() => rmSync(directory, { recursive: true, force: true }));
  const processes = String(options['processes']);
  const began = performance.now();
  const total: Counts = { done: 0, full: 0 };
  for (const [label, profile] of Object.entries(PROFILES)) {
    const part = new Part(harness, label, profile, path.join(directory, label));
    await part.run(Math.ceil(rounds * profile.share), processes);
    total.done += part.counts.done;
    total.full += part.counts.full;
  }
  return (
    `${total.done} operations of ${processes} processes, seed ${harness.seed}, in ${secondsSince(began)} s: no difference; ` +
    `full ${total.full} times`
  );
};
