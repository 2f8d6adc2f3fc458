/**
 * `npm run locks -- [--kills N] [--terminations N] [--seed S]`: processes and worker threads that take a mutex and the
 * txns of a segment at random, in every way there is, and are killed (or terminated) at random points, every second one
 * while it is inside. Ends with code 0 when never two were inside at once, everybody was told of a holder who died, and
 * whoever is left went on each time.
 */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { SharedMemory, SharedMutex } from 'shmkit';

import { Random } from '../torture/random.js';

type Child = ChildProcessByStdio<null, Readable, null>;

const LANES = 3;
/** What anything may take before it counts as hung. */
const WATCHDOG = 30_000;
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '1000' },
    terminations: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
  },
});
const random = new Random(Number(values.seed));
const name = `shmkit-locks-${process.pid}`;
const state = SharedMemory.create(4096, { name: `${name}-state` });
const words = new Int32Array(state.buffer);
const mutex = SharedMutex.createOrAttach(`${name}-mutex`);
const segment = SharedMemory.create(4096, { name: `${name}-txn` });
const children = new Set<Child>();
let seed = Number(values.seed) * 1_000_000;
/** From a kill to the next one who is inside, in milliseconds, the kill itself included. */
const gaps: number[] = [];

function faulty(why: string): never {
  console.error(why);
  for (const child of children) child.kill('SIGKILL');
  process.exit(1);
}

async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  const watchdog = setTimeout(() => faulty(`${what}: hangs; ${words.slice(0, 12).join(' ')}`), WATCHDOG);
  try {
    return await promise;
  } finally {
    clearTimeout(watchdog);
  }
}

function start(script: string, ...args: string[]): Child {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, [path, name, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

async function until(what: string, condition: () => boolean): Promise<void> {
  await within(
    what,
    (async () => {
      while (!condition()) await sleep(1);
    })(),
  );
}

const had = (): number => (words[3]! + words[7]! + words[11]!) | 0;

/** Waits for a moment at which it is inside, if there is one soon. */
async function catchInside(pid: number): Promise<void> {
  const end = performance.now() + 20;
  while (performance.now() < end) {
    for (let i = 0; i < 2000; i++) {
      const inside = Atomics.load(words, [0, 4, 13][i % 3]!);
      if (Math.trunc(inside / 1000) === pid % 1_000_000) return;
    }
    await sleep(0);
  }
}

let left = Number(values.kills);
async function lane(): Promise<void> {
  while (left-- > 0) {
    const child = start('actor.js', String(++seed));
    await within('an actor that starts', once(child.stdout, 'data'));
    await sleep(random.below(15));
    if (random.below(2) === 0) await catchInside(child.pid!);
    const [mutexHad, txnHad] = [words[3]!, words[7]!];
    const began = performance.now();
    child.kill('SIGKILL');
    await within('an actor that was killed', once(child, 'exit'));
    if (child.signalCode !== 'SIGKILL') faulty(`an actor ended with ${child.exitCode} by itself`);
    await until('who is left', () => words[3] !== mutexHad && words[7] !== txnHad);
    gaps.push(performance.now() - began);
  }
}

/** One that is never killed, so that there always is one who is left. */
const witness = start('actor.js', String(++seed));
await within('the witness', once(witness.stdout, 'data'));
const began = performance.now();
if (left > 0) await Promise.all(Array.from({ length: LANES }, lane));
const diedOfKills = words[8]! + words[9]!;
let longest = 0;
if (Number(values.terminations) > 0) {
  const host = start('host.js', String(++seed), values.terminations);
  host.stdout.setEncoding('utf8');
  let output = '';
  host.stdout.on('data', (chunk: string) => void (output += chunk));
  const before = had();
  const closed = once(host, 'close');
  // However many there are, somebody gets on all the time.
  for (let seen = before; host.exitCode === null && host.signalCode === null; seen = had()) {
    await Promise.race([closed, sleep(2000)]);
    if (had() === seen && host.exitCode === null)
      faulty(`nobody got on for 2 s: ${words.slice(0, 12).join(' ')}`);
  }
  if (host.exitCode !== 0)
    faulty(`the host of the worker threads ended with ${host.exitCode ?? host.signalCode}`);
  ({ longest } = JSON.parse(output) as { longest: number });
}
if (witness.exitCode !== null) faulty(`the witness ended with ${witness.exitCode}`);
witness.kill('SIGKILL');
await once(witness, 'exit');

// Nobody is left: both are to be had, within the time in which a dead holder is found out.
await within('the mutex', mutex.lock()).then((guard) => guard.unlock());
await within(
  'the txn',
  segment.txn(() => {}),
);
if (words[10] !== 0) faulty(`${words[10]} faults`);
gaps.sort((a, b) => a - b);
console.log(
  `${values.kills} kills and ${values.terminations} terminations in ${((performance.now() - began) / 1000).toFixed(0)} s; ` +
    `holders that died: ${diedOfKills} by kills, ${words[8]! + words[9]! - diedOfKills} by terminations; ` +
    `had ${words[3]} and ${words[7]} times, read ${words[11]} times; ` +
    `from a kill to the next inside of both: median ${gaps[gaps.length >> 1]?.toFixed(1)} ms, longest ${gaps.at(-1)?.toFixed(1)} ms; ` +
    `longest terminate() ${longest.toFixed(1)} ms`,
);
for (const shared of [state, mutex, segment]) {
  shared.close();
  shared.unlink();
}
