/**
 * `npm run dicts:soak -- [--seconds N] [--seed S]`: one process writes to a dict in every way there is and lets it grow,
 * while three read it in every way. Ends with code 0 when nobody saw a torn or a stale value or missed a key.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { SharedDict, SharedMemory } from 'shmkit';

import { Random } from '../torture/random.js';
import { atFault, ended, faulty, start } from './children.js';
import * as at from './soak-state.js';

const READERS = 3;
/** So many seconds an actor may take for a round. */
const WATCHDOG = 30;
/** Seconds from one look at the actors to the next. */
const INTERVAL = 0.25;
/** Where a dict's root is, in 64-bit words: what changes when its table is another one. */
const ROOT = 16;
const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '120' }, seed: { type: 'string', default: '1' } },
});
const seconds = Number(values.seconds);
const { below } = new Random(Number(values.seed));
const name = `shmkit-soak-${process.pid}`;
const state = SharedMemory.create(at.LENGTH, { name: `${name}-state` });
const words = new Int32Array(state.buffer);
const dict = SharedDict.create<unknown>({ name, maxByteLength: 1 << 30 });
const raw = SharedMemory.attach(name);
const roots = new BigUint64Array(raw.buffer, 0, 512);
let root = roots[ROOT]!;

const rounds = (id: number): number => words[at.ROUNDS + id]!;
const counted = (id: number, what: number): number => words[at.COUNTS + at.PER_ACTOR * id + what]! >>> 0;
const ids = Array.from({ length: 1 + READERS }, (_, id) => id);
const sum = (what: number): number => ids.reduce((total, id) => total + counted(id, what), 0);
atFault(
  () => {
    dict.unlink();
    state.unlink();
  },
  () => ids.map(rounds).join(' '),
);

dict.txnSync((txn) => {
  for (let k = 0; k < at.ALWAYS; k++) txn.set(at.keyOf(k), at.valueOf(below, k, 0));
});
const actors = await Promise.all(ids.map((id) => start('soak-actor.js', [name, values.seed, String(id)])));

const began = performance.now();
const last = ids.map(() => ({ rounds: -1, at: began }));
let tables = 0;
let most = 0;
let said = began;
for (let now = began; now - began < seconds * 1000; now = performance.now()) {
  for (const id of ids) {
    const { exitCode, signalCode } = actors[id]!;
    if (exitCode !== null || signalCode !== null) faulty(`actor ${id} ended with ${exitCode ?? signalCode}`);
    if (rounds(id) !== last[id]!.rounds) last[id] = { rounds: rounds(id), at: now };
    else if (now - last[id]!.at > WATCHDOG * 1000) faulty(`actor ${id} hangs, at round ${rounds(id)}`);
  }
  if (now - said > 10_000) {
    const rate = (what: number): string => (sum(what) / ((now - began) / 1000)).toFixed(0);
    said = now;
    console.log(
      `${((now - began) / 1000).toFixed(0)} s: ${rate(at.WRITES)} writes/s, ${rate(at.GETS)} looks/s`,
    );
  }
  // Not all of the changes are seen, but that there are some.
  for (const until = performance.now() + INTERVAL * 1000; performance.now() < until; await sleep(1)) {
    most = Math.max(most, dict.size);
    if (roots[ROOT] === root) continue;
    root = roots[ROOT]!;
    tables++;
  }
}

Atomics.store(words, at.STOP, 1);
for (const [id, actor] of actors.entries()) {
  const how = await ended(actor, `actor ${id} that is to end`);
  if (how !== 0) faulty(`actor ${id} ended with ${how}`);
}
const took = (performance.now() - began) / 1000;
for (let k = 0; k < at.ALWAYS + at.COMING; k++) {
  const [value, version] = [dict.get(at.keyOf(k)), words[at.written(k)]!];
  const there = k < at.ALWAYS || (version & 1) === 1;
  if (there !== (value !== undefined))
    faulty(`in the end '${at.keyOf(k)}' is ${there ? 'missing' : 'there'}`);
  if (there && at.versionOf(k, value) !== version) faulty(`in the end '${at.keyOf(k)}' is not of ${version}`);
}
if (dict.size !== [...dict.keys()].length) faulty(`size ${dict.size}, and ${[...dict.keys()].length} keys`);
if (tables === 0) faulty('the table was the same all the time');
const each = (what: number): string => `${sum(what)} (${(sum(what) / took).toFixed(0)} a second)`;
console.log(
  `${took.toFixed(0)} s, seed ${values.seed}: ${each(at.WRITES)} writes; ${each(at.GETS)} looks at a key, ` +
    `${each(at.REPEATS)} of them at what had been seen before; ${each(at.TXNS)} txns that read, ${sum(at.BUSY)} of them in vain; ` +
    `${sum(at.LISTINGS)} listings; ${sum(at.HANDLES)} fresh handles; at least ${tables} other tables, at most ${most} entries, ` +
    `${(dict.byteLength / 1e6).toFixed(1)} MB: no fault`,
);
raw.close();
for (const shared of [state, dict]) {
  shared.close();
  shared.unlink();
}
