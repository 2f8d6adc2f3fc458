/**
 * One process writes to a dict in every way there is and lets it grow and shrink, while three read it in every way. No
 * reader may see a torn or stale value, or miss a key.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { SharedDict, SharedMemory } from 'shmkit';

import type { Harness } from '../harness.js';
import type { Run } from '../kinds.js';
import * as at from './soak-state.js';

const READERS = 3;
/** Seconds that an actor may take for a round. */
const PATIENCE = 30;
/** Seconds from one look at the actors to the next. */
const INTERVAL = 0.25;
/** Where a dict's root is, in 64-bit words. It changes when the table moves. */
const ROOT = 16;

/** Checks the contents against the last versions that were written. */
function checkContents(harness: Harness, dict: SharedDict<unknown>, words: Int32Array): void {
  for (let k = 0; k < at.ALWAYS + at.COMING; k++) {
    const [value, version] = [dict.get(at.keyOf(k)), words[at.written(k)]!];
    const isThere = k < at.ALWAYS || (version & 1) === 1;
    if (isThere !== (value !== undefined))
      harness.fault(`in the end '${at.keyOf(k)}' is ${isThere ? 'missing' : 'there'}`);
    if (isThere && at.versionOf(k, value) !== version)
      harness.fault(`in the end '${at.keyOf(k)}' has another version than ${version}`);
  }
  const count = [...dict.keys()].length;
  if (dict.size !== count) harness.fault(`the size is ${dict.size}, and there are ${count} keys`);
}

export const run: Run = async (harness, seconds) => {
  const { below } = harness.random;
  const name = `shmkit-soak-${process.pid}`;
  const state = harness.own(SharedMemory.create(at.LENGTH, { name: `${name}-state` }));
  const words = new Int32Array(state.buffer);
  const dict = harness.own(SharedDict.create<unknown>({ name, maxByteLength: 1 << 30 }));
  const raw = SharedMemory.attach(name);
  harness.atEnd(() => raw.close());
  const roots = new BigUint64Array(raw.buffer, 0, 512);
  let root = roots[ROOT]!;

  const rounds = (id: number): number => words[at.ROUNDS + id]!;
  const counted = (id: number, what: number): number => words[at.COUNTS + at.PER_ACTOR * id + what]! >>> 0;
  const ids = Array.from({ length: 1 + READERS }, (_, id) => id);
  const sum = (what: number): number => ids.reduce((total, id) => total + counted(id, what), 0);
  harness.describe = () => `rounds: ${ids.map(rounds).join(' ')}`;

  dict.txnSync((txn) => {
    for (let k = 0; k < at.ALWAYS; k++) txn.set(at.keyOf(k), at.valueOf(below, k, 0));
  });
  const script = new URL('soak-actor.js', import.meta.url);
  const actors = await Promise.all(
    ids.map((id) => harness.node(`actor ${id}`, script, [name, String(harness.seed), String(id)])),
  );

  const began = performance.now();
  const last = ids.map(() => ({ rounds: -1, at: began }));
  let [tables, most, said] = [0, 0, began];
  for (let now = began; now - began < seconds * 1000; now = performance.now()) {
    for (const id of ids) {
      const { isRunning, result } = actors[id]!;
      if (!isRunning) harness.fault(`actor ${id} ended with ${result}`);
      if (rounds(id) !== last[id]!.rounds) last[id] = { rounds: rounds(id), at: now };
      else if (now - last[id]!.at > PATIENCE * 1000)
        harness.fault(`actor ${id} hangs at round ${rounds(id)}`);
    }
    if (now - said > 10_000) {
      const rate = (what: number): string => (sum(what) / ((now - began) / 1000)).toFixed(0);
      said = now;
      harness.say(
        `${((now - began) / 1000).toFixed(0)} s: ${rate(at.WRITES)} writes/s, ${rate(at.GETS)} reads/s`,
      );
    }
    // It does not see every move of the table, but it must see some.
    for (const until = performance.now() + INTERVAL * 1000; performance.now() < until; await sleep(1)) {
      most = Math.max(most, dict.size);
      if (roots[ROOT] === root) continue;
      root = roots[ROOT]!;
      tables++;
    }
  }

  Atomics.store(words, at.STOP, 1);
  for (const actor of actors) await harness.endsWell(actor);
  const took = (performance.now() - began) / 1000;
  checkContents(harness, dict, words);
  if (tables === 0) harness.fault('the table never moved');
  const each = (what: number): string => `${sum(what)} (${(sum(what) / took).toFixed(0)} a second)`;
  return (
    `${took.toFixed(0)} s, seed ${harness.seed}: ${each(at.WRITES)} writes; ${each(at.GETS)} reads of a key, ` +
    `${each(at.REPEATS)} of them of an unchanged value; ${each(at.TXNS)} read-only txns, ${sum(at.BUSY)} of them in vain; ` +
    `${sum(at.LISTINGS)} listings; ${sum(at.HANDLES)} fresh handles; the table moved ${tables} times or more; at most ${most} ` +
    `entries, ${(dict.byteLength / 1e6).toFixed(1)} MB: no fault`
  );
};
