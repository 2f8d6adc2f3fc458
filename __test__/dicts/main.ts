/**
 * `npm run dicts -- [--kills N] [--seed S]`: processes that set, delete, clear, grow and run txns in one dict, and are
 * killed at random points, every second one in the middle of a commit where it can be caught there. Ends with code 0 when
 * every txn saw the dict of one moment, every value was whole, no key that is always there was missing, whoever is left
 * went on each time, and no memory is lost.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { SharedDict, SharedMemory } from 'shmkit';

import { Random } from '../torture/random.js';
import { atFault, ended, faulty, start, within } from './children.js';
import type { Child } from './children.js';
import { ACCOUNTS, ALWAYS, checked, fill, TOTAL, whole } from './values.js';

const LANES = 3;
/** Where a dict's version is, in 32-bit words: odd in the middle of a commit. */
const VERSION = 16;
const { values } = parseArgs({
  options: { kills: { type: 'string', default: '1000' }, seed: { type: 'string', default: '1' } },
});
const random = new Random(Number(values.seed));
const name = `shmkit-dicts-${process.pid}`;
const state = SharedMemory.create(4096, { name: `${name}-state` });
const words = new Int32Array(state.buffer);
const dict = SharedDict.create<unknown>({ name, maxByteLength: 1 << 30 });
const raw = SharedMemory.attach(name);
const version = new Int32Array(raw.buffer, 0, 1024);
let seed = Number(values.seed) * 1_000_000;
let inCommit = 0;
/** From a kill to the next write of each of the others, in milliseconds. */
const gaps: number[] = [];
/** Bytes of the dict, one after each kill. */
const lengths: number[] = [];

atFault(
  () => {
    dict.unlink();
    state.unlink();
  },
  () => `${words.slice(0, 4).join(' ')}; ${words.slice(16, 24).join(' ')}`,
);

function spin(microseconds: number): void {
  const end = performance.now() + microseconds / 1000;
  while (performance.now() < end);
}

/** Stops it at random moments until one of them is in the middle of a commit, if that is to be had soon; whether it is. */
function catchInCommit(child: Child): boolean {
  const end = performance.now() + 200;
  while (performance.now() < end) {
    child.kill('SIGSTOP');
    spin(20);
    const seen = Atomics.load(version, VERSION);
    if ((seen & 1) === 1) {
      spin(300);
      // Only who is stopped takes so long.
      if (Atomics.load(version, VERSION) === seen) return true;
    }
    child.kill('SIGCONT');
    spin(random.below(100));
  }
  return false;
}

dict.txnSync((txn) => {
  for (let account = 0; account < ACCOUNTS; account++) {
    txn.set(`account ${account}`, TOTAL / ACCOUNTS);
    txn.set(`object ${account}`, fill(random.below, TOTAL / ACCOUNTS));
  }
  for (let i = 0; i < ALWAYS; i++) txn.set(`always ${i}`, checked(random.below, i));
});

const actor = (id: number): Promise<Child> => start('actor.js', [name, String(++seed), String(id)]);

let left = Number(values.kills);
async function lane(id: number): Promise<void> {
  while (left-- > 0) {
    const child = await actor(id);
    await sleep(random.below(40));
    if (left % 2 === 0 && catchInCommit(child)) inCommit++;
    const before = words[16]!;
    const began = performance.now();
    child.kill('SIGKILL');
    const how = await ended(child, 'an actor that was killed');
    if (how !== 'SIGKILL') faulty(`an actor ended with ${how} by itself`);
    await within(
      'who is left',
      (async () => {
        while (words[16] === before) await sleep(1);
      })(),
    );
    gaps.push(performance.now() - began);
    lengths.push(dict.byteLength);
  }
}

/** One that is never killed, so that there always is one who is left. */
const witness = await actor(0);
const began = performance.now();
await Promise.all(Array.from({ length: LANES }, (_, index) => lane(index + 1)));
if (witness.exitCode !== null) faulty(`the witness ended with ${witness.exitCode}`);
// Those who were killed are no reason for it to be larger than it needs to be.
const most = dict.byteLength;
const done = words[1]!;
await within(
  'the witness',
  (async () => {
    while (words[1]! < done + 3000) await sleep(10);
  })(),
);
const later = dict.byteLength;
witness.kill('SIGKILL');
await ended(witness, 'the witness that was killed');

let bytes = 0;
const sum = dict.txnSync((txn) => {
  let total = 0;
  for (const [key, value] of txn.entries()) {
    if (key.startsWith('account ')) total += value as number;
    else if (typeof value === 'object' && !whole(value)) faulty(`'${key}' is not whole`);
    bytes += key.length + ((value as { bytes?: Uint8Array }).bytes ?? (value as Uint8Array)).length || 8;
  }
  return total;
});
if (sum !== TOTAL) faulty(`the sum is ${sum}, and not ${TOTAL}`);
if (dict.size !== [...dict.keys()].length) faulty(`size ${dict.size}, and ${[...dict.keys()].length} keys`);
for (let i = 0; i < ALWAYS; i++) if (!dict.has(`always ${i}`)) faulty(`'always ${i}' is missing`);
if (words[0] !== 0) faulty(`${words[0]} faults`);
gaps.sort((a, b) => a - b);
const at = (share: number): string =>
  `${((lengths[Math.floor((lengths.length - 1) * share)] ?? 0) / 1e6).toFixed(1)}`;
console.log(
  `${values.kills} kills, ${inCommit} of them in a commit, in ${((performance.now() - began) / 1000).toFixed(0)} s; ` +
    `${words[1]} writes, ${words[2]} reads, ${words[3]} txns that read; ` +
    `from a kill to the next write: median ${gaps[gaps.length >> 1]?.toFixed(1)} ms, longest ${gaps.at(-1)?.toFixed(1)} ms; ` +
    `${dict.size} entries of ${(bytes / 1e6).toFixed(1)} MB; the dict's MB after a quarter, half, three quarters, all of the kills: ` +
    `${at(0.25)} ${at(0.5)} ${at(0.75)} ${at(1)}, and ${(later / 1e6).toFixed(1)} after 3000 writes more`,
);
// Every size of blocks has as many as were ever used at once: some times what is in it, and no more however long it takes.
const early = lengths[lengths.length >> 2] ?? 0;
if (Math.max(most, later) > Math.max(8 << 20, early * 2)) {
  faulty(`the dict had ${early} bytes, and has ${most}, then ${later} for ${bytes}: memory is lost`);
}
raw.close();
for (const shared of [state, dict]) {
  shared.close();
  shared.unlink();
}
