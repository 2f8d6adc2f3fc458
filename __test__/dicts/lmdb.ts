/**
 * `npm run dicts:lmdb -- [--ops N] [--processes P] [--seed S]`: N random operations of P processes on one dict, each of
 * which is done to an lmdb environment too. Ends with code 0 when both agreed in every result, and in all that they had.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect, isDeepStrictEqual, parseArgs } from 'node:util';

import { SharedDict } from 'shmkit';

import { Random } from '../torture/random.js';
import { atFault, ended, faulty, start, within } from './children.js';
import type { Child } from './children.js';
import { Lmdb } from './oracle.js';

/** Keys of one remainder of this many are left alone in most steps. */
const QUIET = 16;
/** Operations in one txn of lmdb. */
const BATCH = 300;

/** What the dict of a part of the operations is like: see lmdb-actor.js. */
interface Profile {
  share: number;
  keys: number;
  largest: number;
  clears: number;
  /** Steps until it grows, stays or shrinks no longer. */
  period: number;
  /** Bytes that it may have, which it soon does. */
  full?: number;
}

const PROFILES: Record<string, Profile> = {
  many: { share: 0.4, keys: 50_000, largest: 64, clears: 1000, period: 120 },
  mixed: { share: 0.25, keys: 2000, largest: 1 << 16, clears: 200, period: 40 },
  hot: { share: 0.15, keys: 40, largest: 1 << 12, clears: 20, period: 10 },
  full: { share: 0.12, keys: 3000, largest: 1 << 15, clears: 300, period: 40, full: 2 << 20 },
  tiny: { share: 0.08, keys: 300, largest: 1 << 10, clears: 100, period: 20, full: 96 << 10 },
};

const { values } = parseArgs({
  options: {
    ops: { type: 'string', default: '1000000' },
    processes: { type: 'string', default: '3' },
    seed: { type: 'string', default: '1' },
  },
});
const processes = Number(values.processes);
const directory = mkdtempSync(path.join(tmpdir(), 'shmkit-lmdb-'));
const began = performance.now();
let total = 0;
let full = 0;

/** Tells an actor what to do, and waits until it has. */
async function does(child: Child, step: object): Promise<void> {
  const answer = await within(
    `an actor's ${JSON.stringify(step)}`,
    new Promise<{ done: number; full: number }>((resolve) => {
      const died = (code: number | null): never => faulty(`an actor ended with ${code}`);
      child.once('exit', died);
      child.once('message', (message) => {
        child.off('exit', died);
        resolve(message as { done: number; full: number });
      });
      child.send(step);
    }),
  );
  total += answer.done;
  full += answer.full;
}

async function play(label: string, profile: Profile, operations: number): Promise<void> {
  const random = new Random(Number(values.seed));
  const place = path.join(directory, label);
  const lmdb = new Lmdb(place);
  const dict = SharedDict.create<unknown>({
    name: `shmkit-lmdb-${process.pid}-${label}`,
    maxByteLength: profile.full ?? 1 << 30,
    ...(profile.full !== undefined && { byteLength: 64 << 10 }),
  });
  let step = 0;
  atFault(
    () => {
      dict.unlink();
      rmSync(directory, { recursive: true, force: true });
    },
    () => `${label}, step ${step}`,
  );
  const actors = await Promise.all(
    Array.from({ length: processes }, (_, id) =>
      start(
        'lmdb-actor.js',
        [dict.name, place, values.seed, String(id), values.processes, JSON.stringify(profile)],
        true,
      ),
    ),
  );

  const end = total + operations;
  const first = { total, full, at: performance.now() };
  let largest = 0;
  let wasFree = false;
  let said = performance.now();
  /** It grows for a while, stays, shrinks and stays. */
  const trend = (): number => [0, 0, 1, 2, 1][Math.floor(step / profile.period) % 5]!;
  const goesOn = (): boolean => total < end;
  while (goesOn()) {
    step++;
    const common = { number: step, trend: trend(), quiet: step % 4 === 0 ? -1 : random.below(QUIET) };
    if (step % 8 === 5) {
      await Promise.all(actors.map((actor) => does(actor, { ...common, free: BATCH / 2 })));
      wasFree = true;
    } else {
      const writer = random.below(actors.length);
      const all = random.below(wasFree ? 4 : 25) === 0;
      const batch = { ...common, batch: 1 + random.below(2 * BATCH), all };
      const look = { ...common, look: random.below(BATCH) };
      await Promise.all(actors.map((actor, id) => does(actor, id === writer ? batch : look)));
      wasFree = false;
    }
    largest = Math.max(largest, dict.size);
    if (performance.now() - said < 10_000) continue;
    said = performance.now();
    console.log(`${label}: ${total - first.total} of ${operations} operations, ${dict.size} entries`);
  }

  lmdb.refresh();
  const expected = new Map(lmdb.entries());
  const found = new Map(dict.entries());
  for (const key of new Set([...found.keys(), ...expected.keys()])) {
    const [ours, theirs] = [found.get(key), expected.get(key)];
    if (!isDeepStrictEqual(ours, theirs)) {
      faulty(`${label}: in the end '${key}' is ${inspect(ours)}, and ${inspect(theirs)} in the oracle`);
    }
  }
  if (dict.size !== expected.size) faulty(`${label}: ${dict.size} entries, and not ${expected.size}`);
  if (profile.full === undefined && full > first.full) faulty(`${label}: it was full`);
  for (const actor of actors) actor.disconnect();
  for (const actor of actors) {
    const how = await ended(actor, 'an actor that is to end');
    if (how !== 0) faulty(`an actor ended with ${how}`);
  }
  await lmdb.close();
  const seconds = (performance.now() - first.at) / 1000;
  console.log(
    `${label}: ${total - first.total} operations in ${step} steps and ${seconds.toFixed(0)} s; at most ${largest} entries, ` +
      `${expected.size} in the end; ${(dict.byteLength / 1e6).toFixed(1)} MB; full ${full - first.full} times`,
  );
  dict.close();
  dict.unlink();
}

for (const [label, profile] of Object.entries(PROFILES)) {
  await play(label, profile, Math.ceil(Number(values.ops) * profile.share));
}
rmSync(directory, { recursive: true });
console.log(
  `${total} operations of ${processes} processes, seed ${values.seed}, in ${((performance.now() - began) / 1000).toFixed(0)} s: ` +
    `no difference; full ${full} times`,
);
