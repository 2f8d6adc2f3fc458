/**
 * Processes set, delete, clear, grow and run txns in one dict, and are killed at random points, half of them in a commit if
 * they can be caught there. Every txn must see the dict of one moment, every value must be whole, no key that is always
 * there may be missing, the others must go on after each kill, and no memory may be lost.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { SharedDict, SharedMemory } from 'shmkit';

import type { Child } from '../child.js';
import { Gaps, secondsSince } from '../harness.js';
import type { Harness } from '../harness.js';
import type { Run } from '../kinds.js';
import { ACCOUNTS, ALWAYS, checked, fill, TOTAL, whole } from './values.js';

const LANES = 3;
/** Where a dict's version is, in 32-bit words. It is odd during a commit. */
const VERSION = 16;
/** Writes of the witness alone, after all the others are dead. */
const MORE = 3000;

function spin(microseconds: number): void {
  const end = performance.now() + microseconds / 1000;
  while (performance.now() < end);
}

/** Stops it at random moments until one of them is in a commit, for 200 ms at most; whether that succeeded. */
function catchInCommit(child: Child, version: Int32Array, below: (limit: number) => number): boolean {
  const end = performance.now() + 200;
  while (performance.now() < end) {
    child.signal('SIGSTOP');
    spin(20);
    const seen = Atomics.load(version, VERSION);
    if ((seen & 1) === 1) {
      spin(300);
      // Only a commit of a stopped process takes that long.
      if (Atomics.load(version, VERSION) === seen) return true;
    }
    child.signal('SIGCONT');
    spin(below(100));
  }
  return false;
}

/** Checks all that is in the dict; returns the bytes of its keys and values. */
function checkContents(harness: Harness, dict: SharedDict<unknown>): number {
  let bytes = 0;
  const sum = dict.txnSync((txn) => {
    let total = 0;
    for (const [key, value] of txn.entries()) {
      if (key.startsWith('account ')) total += value as number;
      else if (typeof value === 'object' && !whole(value)) harness.fault(`'${key}' is not whole`);
      bytes += key.length + ((value as { bytes?: Uint8Array }).bytes ?? (value as Uint8Array)).length || 8;
    }
    return total;
  });
  if (sum !== TOTAL) harness.fault(`the sum is ${sum}, expected ${TOTAL}`);
  const count = [...dict.keys()].length;
  if (dict.size !== count) harness.fault(`the size is ${dict.size}, and there are ${count} keys`);
  for (let i = 0; i < ALWAYS; i++) if (!dict.has(`always ${i}`)) harness.fault(`'always ${i}' is missing`);
  return bytes;
}

export const run: Run = async (harness, rounds) => {
  const { random } = harness;
  const name = `shmkit-dicts-${process.pid}`;
  const state = harness.own(SharedMemory.create(4096, { name: `${name}-state` }));
  const words = new Int32Array(state.buffer);
  const dict = harness.own(SharedDict.create<unknown>({ name, maxByteLength: 1 << 30 }));
  const raw = SharedMemory.attach(name);
  harness.atEnd(() => raw.close());
  const version = new Int32Array(raw.buffer, 0, 1024);
  harness.describe = () => `words: ${words.slice(0, 4).join(' ')}; ${words.slice(16, 24).join(' ')}`;
  let inCommit = 0;
  /** From a kill to the next write of the witness. */
  const gaps = new Gaps();
  /** The dict's size after each kill. */
  const lengths: number[] = [];

  dict.txnSync((txn) => {
    for (let account = 0; account < ACCOUNTS; account++) {
      txn.set(`account ${account}`, TOTAL / ACCOUNTS);
      txn.set(`object ${account}`, fill(random.below, TOTAL / ACCOUNTS));
    }
    for (let i = 0; i < ALWAYS; i++) txn.set(`always ${i}`, checked(random.below, i));
  });

  const actor = (id: number, what = 'an actor'): Promise<Child> =>
    harness.node(what, new URL('actor.js', import.meta.url), [name, harness.nextSeed(), String(id)]);
  let left = rounds;
  const lane = async (id: number): Promise<void> => {
    // An actor writes keys of its own, so the next one must not start before it is dead.
    while (left-- > 0) {
      const child = await actor(id);
      const randomMoment = random.below(40);
      await sleep(randomMoment);
      if (left % 2 === 0 && catchInCommit(child, version, random.below)) inCommit++;
      const before = words[16]!;
      const killed = performance.now();
      await harness.kill(child);
      await harness.until('the witness goes on after a kill', () => words[16] !== before);
      gaps.add(performance.now() - killed);
      lengths.push(dict.byteLength);
    }
  };

  /** It is never killed, so that there is always an actor that must go on. */
  const witness = await actor(0, 'the witness');
  const began = performance.now();
  await Promise.all(Array.from({ length: LANES }, (_, index) => lane(index + 1)));
  const most = dict.byteLength;
  const writes = words[1]!;
  await harness.until(`the witness writes ${MORE} times more`, () => words[1]! >= writes + MORE, 10);
  const later = dict.byteLength;
  await harness.kill(witness);

  const bytes = checkContents(harness, dict);
  if (words[0] !== 0) harness.fault(`${words[0]} faults of actors`);
  // The blocks of each size are as many as were ever used at once: a small multiple of the contents, however long it runs.
  const early = lengths[lengths.length >> 2] ?? 0;
  if (Math.max(most, later) > Math.max(8 << 20, early * 2))
    harness.fault(
      `memory is lost: ${early} bytes early, then ${most} and ${later}, for ${bytes} bytes of contents`,
    );
  const at = (share: number): string =>
    ((lengths[Math.floor((lengths.length - 1) * share)] ?? 0) / 1e6).toFixed(1);
  return (
    `${rounds} kills, ${inCommit} of them in a commit, in ${secondsSince(began)} s; ${words[1]} writes, ${words[2]} reads, ` +
    `${words[3]} read-only txns; from a kill to the next write: ${gaps.toString()}; ` +
    `${dict.size} entries of ${(bytes / 1e6).toFixed(1)} MB; the dict had ${[0.25, 0.5, 0.75, 1].map(at).join(', ')} MB after ` +
    `each quarter of the kills, and ${(later / 1e6).toFixed(1)} MB after ${MORE} writes more`
  );
};
