/**
 * `npm run increments -- [--count N]`: two processes of Node and two of Python add 1 to two counters N times each
 * (250,000 by default), one in a mutex and one in txns. Ends with code 0 when both sums are exact.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { SharedMemory, SharedMutex } from 'shmkit';

import { venvPython } from '../helpers/python.js';

const { values } = parseArgs({ options: { count: { type: 'string', default: '250000' } } });
const count = Number(values.count);
const path = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

const shm = SharedMemory.create(64, { name: `shmkit-increments-${process.pid}` });
const mutex = SharedMutex.createOrAttach(`${shm.name}-mutex`);
const began = performance.now();
const children = [
  [process.execPath, path('increments.js')],
  [process.execPath, path('increments.js')],
  [venvPython(), path('increments.py')],
  [venvPython(), path('increments.py')],
].map(([command, script]) =>
  spawn(command!, [script!, shm.name, String(count)], { stdio: ['pipe', 'pipe', 'inherit'] }),
);
const watchdog = setTimeout(() => children.forEach((child) => child.kill('SIGKILL')), 60_000 + count);
const ends = children.map((child) => once(child, 'close'));
await Promise.all(children.map((child) => once(child.stdout, 'data')));
for (const child of children) child.stdin.write('go\n');
await Promise.all(ends);
clearTimeout(watchdog);
const [inMutex, inTxns] = new Int32Array(shm.buffer);
const wanted = children.length * count;
console.log(
  `2 of Node and 2 of Python, ${count} times each: ${inMutex} in a mutex, ${inTxns} in txns, of ${wanted}; ` +
    `${((performance.now() - began) / 1000).toFixed(1)} s`,
);
if (inMutex !== wanted || inTxns !== wanted || children.some((child) => child.exitCode !== 0)) {
  process.exitCode = 1;
}
for (const shared of [shm, mutex]) {
  shared.close();
  shared.unlink();
}
