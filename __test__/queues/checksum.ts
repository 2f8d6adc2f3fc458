/**
 * `node --import=tsx __test__/queues/checksum.ts [--count N] [--mode mpmc|spsc] [--producers N] [--consumers N]
 * [--python consumer|producer|both]`: so many items of 64 bytes through one queue, from processes to processes, in turn by
 * every way that blocks or does not; of Python, which is on either side or on both, mostly by batches. Ends with code 0 when each came once, whole, and those of one producer in their order where there is one consumer.
 */
import { execFile, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';

import { SharedQueue } from 'shmkit';

import { venvPython } from '../helpers/python.js';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '100000000' },
    mode: { type: 'string', default: 'mpmc' },
    producers: { type: 'string', default: '1' },
    consumers: { type: 'string', default: '1' },
    python: { type: 'string', default: 'none' },
  },
});
const count = Number(values.count);
const [producers, consumers] = [Number(values.producers), Number(values.consumers)];
const mode = values.mode as 'mpmc' | 'spsc';
using queue = SharedQueue.create({ slots: 1000, dtype: 'int32', shape: [16], mode });

interface Sums {
  count: number;
  sum: number;
  mixed: number;
}
async function startPython(role: string, args: number[]): Promise<Sums> {
  const script = fileURLToPath(new URL('checksum.py', import.meta.url));
  const all = ['-E', script, queue.name, role, ...args.map(String)];
  const { stdout } = await promisify(execFile)(venvPython(), all);
  return JSON.parse(stdout) as Sums;
}
const start = (role: string, ...args: number[]): Promise<Sums> => {
  if (values.python === role || values.python === 'both') return startPython(role, args);
  const script = fileURLToPath(new URL('checksum.js', import.meta.url));
  const child = fork(script, [queue.name, role, ...args.map(String)], { execArgv: [] });
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => reject(new Error(`a ${role} ended with ${code}`)));
  });
};

const add = (all: Sums[]): Sums =>
  all.reduce((a, b) => ({
    count: a.count + b.count,
    sum: a.sum + b.sum,
    mixed: (a.mixed + b.mixed) | 0,
  }));

const began = performance.now();
const taking = Promise.all(Array.from({ length: consumers }, () => start('consumer', producers, consumers)));
const pushed = add(
  await Promise.all(
    Array.from({ length: producers }, (_, index) =>
      start('producer', index, Math.floor((count + index) / producers)),
    ),
  ),
);
queue.end();
const taken = add(await taking);
const seconds = (performance.now() - began) / 1000;
queue.unlink();
if (pushed.count !== count || JSON.stringify(pushed) !== JSON.stringify(taken)) {
  throw new Error(`pushed ${JSON.stringify(pushed)} and took ${JSON.stringify(taken)}`);
}
if (queue.lost !== 0) throw new Error(`${queue.lost} lost`);
console.log(
  `${count} items, ${mode}, ${producers} to ${consumers}${values.python === 'none' ? '' : `, Python as ${values.python}`}: ${seconds.toFixed(1)} s, ${(count / seconds / 1e6).toFixed(2)} million a second`,
);
