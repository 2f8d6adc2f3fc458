/**
 * `npm run handoffs -- [--count N]`: two processes hand an event, a mutex, and the slot of a queue on to each other N times (a
 * million by default) in every way of waiting. Ends with code 0 when none of it hung, and nobody was left asleep: a waiter that
 * nobody woke finds out after 40 ms, which is counted. On a machine whose processes are stopped for that long a few
 * may be counted wrongly: up to one in ten thousand is let pass.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { SharedEvent, SharedMemory, SharedMutex, SharedQueue } from 'shmkit';

const { values } = parseArgs({ options: { count: { type: 'string', default: '1000000' } } });
const count = Number(values.count);
const PARTY = fileURLToPath(new URL('party.js', import.meta.url));
/** No hand-over takes longer than this on average, or it hangs. */
const LONGEST = 5;

const MODES = [
  'events, blocked, asleep',
  'events, blocked, after a look',
  'events, promised',
  'mutex, blocked, asleep',
  'mutex, blocked, after a look',
  'mutex, promised',
  'queue, blocked, asleep',
  'queue, blocked, after a look',
  'queue, promised',
];

async function party(name: string, number: number, mode: string): Promise<number> {
  const child = spawn(process.execPath, [PARTY, name, String(number), mode, String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const watchdog = setTimeout(() => child.kill('SIGKILL'), 20_000 + count * LONGEST);
  child.stdout.setEncoding('utf8');
  let output = '';
  child.stdout.on('data', (chunk: string) => void (output += chunk));
  await once(child, 'close');
  clearTimeout(watchdog);
  if (child.exitCode !== 0)
    throw new Error(`${mode}: a process ended with ${child.exitCode ?? child.signalCode}`);
  return Number(output);
}

for (const [round, mode] of MODES.entries()) {
  const name = `shmkit-handoffs-${process.pid}-${round}`;
  const shared = [
    SharedMemory.create(64, { name: `${name}-state` }),
    SharedMutex.createOrAttach(`${name}-mutex`),
    SharedQueue.create({ name: `${name}-queue`, slots: 1 }),
    ...[0, 1].map((number) => SharedEvent.createOrAttach(`${name}-${number}`)),
  ];
  const began = performance.now();
  const late = await Promise.all([party(name, 0, mode), party(name, 1, mode)]);
  const each = ((performance.now() - began) * 1000) / count;
  const asleep = late[0]! + late[1]!;
  console.log(`${mode}: ${count} hand-overs, ${each.toFixed(2)} µs each, ${asleep} left asleep`);
  if (asleep > Math.ceil(count / 10_000)) process.exitCode = 1;
  for (const one of shared) {
    one.close();
    one.unlink();
  }
}
