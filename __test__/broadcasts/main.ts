/**
 * `npm run broadcasts -- [--kills N] [--seed S] [--slots N]`: a writer and readers that use a broadcast at random, in every
 * way there is, and are killed at random points and replaced; first where the writer waits for readers, then where it does
 * not. Two readers are there all the time. Ends with code 0 when no item was torn, twice or out of order, those two
 * have got every item that was published or counted it as lost, and whoever is left went on each time.
 */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { SharedBroadcast, SharedMemory } from 'shmkit';

import { Random } from '../torture/random.js';

type Child = ChildProcessByStdio<null, Readable, null>;
interface Got {
  readonly count: number;
  readonly mixed: number;
  /** The last item of each writer, by its row. */
  readonly last: readonly (number | null)[];
  readonly lost: number;
}

/** What anything may take before it counts as hung. */
const WATCHDOG = 30_000;
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '300' },
    seed: { type: 'string', default: '1' },
    slots: { type: 'string', default: '5' },
  },
});
const kills = Number(values.kills);
const random = new Random(Number(values.seed));
const script = fileURLToPath(new URL('actor.js', import.meta.url));
let seed = Number(values.seed) * 1_000_000;
const living = new Set<Child>();
const ours: { close(): void; unlink(): void }[] = [];

function faulty(why: string): never {
  console.error(why);
  for (const child of living) child.kill('SIGKILL');
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

async function start(name: string, role: string, row: number): Promise<Child> {
  const child = spawn(process.execPath, [script, name, String(++seed), role, String(row)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  living.add(child);
  child.once('exit', () => living.delete(child));
  await within('an actor that starts', once(child.stdout, 'data'));
  return child;
}

async function kill(child: Child): Promise<void> {
  await sleep(random.below(15));
  if (child.exitCode === null) child.kill('SIGKILL');
  if (child.signalCode === null && child.exitCode === null)
    await within('an actor that was killed', once(child, 'exit'));
  if (child.signalCode !== 'SIGKILL') faulty(`an actor ended with ${child.exitCode} by itself`);
}

async function run(onSlow: 'block' | 'drop', many: number): Promise<void> {
  const name = `shmkit-broadcasts-${process.pid}-${onSlow}`;
  const [slots, shape] = [Number(values.slots), [200]];
  const broadcast = SharedBroadcast.create({ name, slots, dtype: 'uint32', shape, onSlow });
  const state = SharedMemory.create(4 * (many + 2), { name: `${name}-state` });
  ours.push(broadcast, state);
  const done = new Int32Array(state.buffer);
  const survivors = await Promise.all([start(name, 'survivor', 0), start(name, 'survivor', 1)]);
  const told = survivors.map(async ({ stdout }): Promise<Got> => {
    let text = '';
    for await (const chunk of stdout) text += chunk;
    return JSON.parse(text);
  });
  let rows = 0;
  const victims = {
    writer: await start(name, 'writer', rows++),
    reader: await start(name, 'reader', 0),
  };
  const gaps: number[] = [];
  for (let left = many; left > 0; left--) {
    const role = random.below(2) === 0 ? 'writer' : 'reader';
    await kill(victims[role]);
    const began = performance.now();
    if (role === 'writer') victims.writer = await start(name, 'writer', rows++);
    const before = broadcast.published;
    const goesOn = async (): Promise<void> => {
      while (broadcast.published === before) await sleep(1);
    };
    await within(`who is left after ${role}s died`, goesOn());
    if (role === 'reader') {
      gaps.push(performance.now() - began);
      victims.reader = await start(name, 'reader', 0);
    }
  }
  await kill(victims.writer);
  broadcast.end();
  for (const child of [...survivors, victims.reader]) {
    if (child.exitCode === null) await within('who is told of the end', once(child, 'exit'));
    if (child.exitCode !== 0) faulty(`a reader ended with ${child.exitCode ?? child.signalCode}`);
  }
  const { published } = broadcast;
  let lost = 0;
  for (const got of await Promise.all(told)) {
    lost += got.lost;
    if (got.count + got.lost !== published)
      faulty(`${got.count} read and ${got.lost} lost of ${published} items`);
    if (onSlow === 'drop') continue;
    if (got.lost !== 0) faulty(`${got.lost} items were lost`);
    // Of a writer that was killed one may be there that it had not counted yet.
    for (let row = 0; row < rows; row++) {
      const items = (got.last[row] ?? -1) + 1;
      if (items !== done[row] && items !== done[row]! + 1)
        faulty(`${items} items of ${row}, which published ${done[row]}`);
    }
  }
  const [one, two] = await Promise.all(told);
  if (onSlow === 'block' && one!.mixed !== two!.mixed) faulty('the two readers did not get the same');
  gaps.sort((a, b) => a - b);
  console.log(
    `${onSlow}: ${many} kills, ${rows} writers, ${published} items published, ${lost} lost by the two; from a reader’s ` +
      `death to the next item: median ${gaps[gaps.length >> 1]?.toFixed(1)} ms, longest ${gaps.at(-1)?.toFixed(1)} ms`,
  );
}

const began = performance.now();
await run('block', Math.ceil(kills / 2));
await run('drop', Math.floor(kills / 2));
console.log(`in ${((performance.now() - began) / 1000).toFixed(0)} s`);
for (const shared of ours) {
  shared.close();
  shared.unlink();
}
