/**
 * Two processes hand an event, a mutex and the only slot of a queue to each other, in every way of waiting. None may hang,
 * and no wake-up may be lost: a waiter that missed one looks again after 40 ms, which the binding counts. A machine that
 * stops processes for that long causes a few false counts, so one in ten thousand is allowed.
 */
import { fileURLToPath } from 'node:url';

import { SharedEvent, SharedMemory, SharedMutex, SharedQueue } from 'shmkit';

import type { Harness } from '../harness.js';
import type { Run } from '../kinds.js';

const PARTY = fileURLToPath(new URL('party.js', import.meta.url));
/** Milliseconds that a hand-over may take on average. */
const LONGEST = 5;

/** A mode that misses too many runs again: the false counts of a busy machine come in bursts, those of a bug do not. */
const ATTEMPTS = 3;

/** An object, whether its waits block or are promises, and whether they spin before they sleep. */
const MODES = [
  'events, blocking, without spins',
  'events, blocking, with spins',
  'events, promised',
  'mutex, blocking, without spins',
  'mutex, blocking, with spins',
  'mutex, promised',
  'queue, blocking, without spins',
  'queue, blocking, with spins',
  'queue, promised',
];

async function party(
  harness: Harness,
  name: string,
  number: number,
  mode: string,
  count: number,
): Promise<number> {
  const args = [PARTY, name, String(number), mode, String(count)];
  const child = harness.launch(`party ${number} of '${mode}'`, [process.execPath, ...args]);
  await harness.endsWell(child, 20_000 + count * LONGEST);
  return Number(child.lines.at(-1));
}

/** Runs a mode once; the number of wake-ups that were missed. */
async function runMode(harness: Harness, mode: string, count: number): Promise<number> {
  const name = `shmkit-handoffs-${process.pid}-${harness.nextSeed()}`;
  const shared = [
    SharedMemory.create(64, { name: `${name}-state` }),
    SharedMutex.createOrAttach(`${name}-mutex`),
    SharedQueue.create({ name: `${name}-queue`, slots: 1 }),
    ...[0, 1].map((number) => SharedEvent.createOrAttach(`${name}-${number}`)),
  ];
  for (const one of shared) harness.own(one);
  const began = performance.now();
  const missed = await Promise.all([0, 1].map((number) => party(harness, name, number, mode, count)));
  const each = ((performance.now() - began) * 1000) / count;
  const sum = missed[0]! + missed[1]!;
  harness.say(`${mode}: ${count} hand-overs, ${each.toFixed(2)} µs each, ${sum} wake-ups missed`);
  return sum;
}

export const run: Run = async (harness, count) => {
  let missed = 0;
  for (const mode of MODES) {
    const counts: number[] = [];
    do counts.push(await runMode(harness, mode, count));
    while (counts.at(-1)! > Math.ceil(count / 10_000) && counts.length < ATTEMPTS);
    if (counts.at(-1)! > Math.ceil(count / 10_000))
      harness.fault(`${counts.join(', then ')} wake-ups missed in '${mode}'`);
    missed += counts.at(-1)!;
  }
  return `${MODES.length * count} hand-overs in ${MODES.length} ways of waiting, ${missed} wake-ups missed`;
};
