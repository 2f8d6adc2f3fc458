/**
 * A writer and a reader use a broadcast at random, in every way there is, and are killed at random points and replaced:
 * first with a writer that waits for slow readers, then with one that does not. Two readers are never killed. No item may be
 * torn, come twice or out of order, those two must get every item or count it as lost, and the others must go on after each
 * kill.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { SharedBroadcast, SharedMemory } from 'shmkit';

import type { Child } from '../child.js';
import { Gaps, secondsSince } from '../harness.js';
import type { Harness } from '../harness.js';
import type { Run } from '../kinds.js';

/** What a reader got that was never killed. */
interface Got {
  readonly count: number;
  readonly mixed: number;
  /** The last item of each writer, by its row. */
  readonly last: readonly (number | null)[];
  readonly lost: number;
}

const SCRIPT = new URL('actor.js', import.meta.url);

type OnSlow = 'block' | 'drop';

async function runWith(harness: Harness, onSlow: OnSlow, kills: number, slots: number): Promise<string> {
  const { random } = harness;
  const name = `shmkit-broadcasts-${process.pid}-${onSlow}`;
  const options = { name, slots, dtype: 'uint32', shape: [200], onSlow } as const;
  const broadcast = harness.own(SharedBroadcast.create(options));
  const state = harness.own(SharedMemory.create(4 * (kills + 2), { name: `${name}-state` }));
  harness.describe = () => `${onSlow}, ${broadcast.published} published`;
  /** The number of items that each writer has published, by its row. */
  const done = new Int32Array(state.buffer);
  const start = (role: string, row = 0): Promise<Child> =>
    harness.node(`a ${role}`, SCRIPT, [name, harness.nextSeed(), role, String(row)]);

  let rows = 0;
  const survivors = await Promise.all([start('survivor', 0), start('survivor', 1)]);
  const [writer, reader] = await Promise.all([start('writer', rows++), start('reader')]);
  const victims = { writer, reader };
  const gaps = new Gaps();
  for (let left = kills; left > 0; left--) {
    const role = random.below(2) === 0 ? 'writer' : 'reader';
    const randomMoment = random.below(15);
    await sleep(randomMoment);
    await harness.kill(victims[role]);
    const killed = performance.now();
    if (role === 'writer') victims.writer = await start('writer', rows++);
    const before = broadcast.published;
    await harness.until(`the others go on after the kill of a ${role}`, () => broadcast.published !== before);
    if (role === 'reader') {
      gaps.add(performance.now() - killed);
      victims.reader = await start('reader');
    }
  }
  await harness.kill(victims.writer);
  broadcast.end();
  for (const child of [...survivors, victims.reader]) await harness.endsWell(child);
  const lost = check(harness, onSlow, broadcast.published, done.subarray(0, rows), survivors.map(gotOf));
  return (
    `${onSlow}: ${kills} kills, ${rows} writers, ${broadcast.published} items published, ${lost} lost by the two; ` +
    `from a reader's death to the next item: ${gaps.toString()}`
  );
}

function gotOf(survivor: Child): Got {
  return JSON.parse(survivor.lines.at(-1)!) as Got;
}

/** Checks what the two readers got; the number of items that they have lost. */
function check(harness: Harness, onSlow: OnSlow, published: number, done: Int32Array, all: Got[]): number {
  for (const { count, lost, last } of all) {
    if (count + lost !== published) harness.fault(`${count} items read and ${lost} lost of ${published}`);
    if (onSlow === 'drop') continue;
    if (lost !== 0) harness.fault(`${lost} items were lost`);
    // A writer that was killed may have published an item that it has not counted.
    for (const [row, counted] of done.entries()) {
      const items = (last[row] ?? -1) + 1;
      if (items !== counted && items !== counted + 1)
        harness.fault(`${items} items of writer ${row}, which published ${counted}`);
    }
  }
  const [one, two] = all;
  if (onSlow === 'block' && one!.mixed !== two!.mixed) harness.fault('the two readers did not get the same');
  return one!.lost + two!.lost;
}

export const run: Run = async (harness, rounds, options) => {
  const began = performance.now();
  const slots = Number(options['slots']);
  harness.say(await runWith(harness, 'block', Math.ceil(rounds / 2), slots));
  harness.say(await runWith(harness, 'drop', Math.floor(rounds / 2), slots));
  return `${rounds} kills in ${secondsSince(began)} s: no fault`;
};
