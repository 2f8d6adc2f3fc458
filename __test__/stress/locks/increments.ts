/**
 * Two processes of Node and two of Python add 1 to two counters, one of which is guarded by a mutex and one by txns. Both
 * sums must be exact.
 */
import { SharedMemory, SharedMutex } from 'shmkit';

import type { Run } from '../kinds.js';

export const run: Run = async (harness, rounds) => {
  const shm = harness.own(SharedMemory.create(64, { name: `shmkit-increments-${process.pid}` }));
  harness.own(SharedMutex.createOrAttach(`${shm.name}-mutex`));
  const began = performance.now();
  const args = [shm.name, String(rounds)];
  const node = new URL('increments.js', import.meta.url);
  const python = new URL('increments.py', import.meta.url);
  const children = await Promise.all([
    harness.node('a process of Node', node, args),
    harness.node('a process of Node', node, args),
    harness.python('a process of Python', python, args),
    harness.python('a process of Python', python, args),
  ]);
  for (const child of children) child.process.stdin?.write('go\n');
  for (const child of children) await harness.endsWell(child, 60_000 + rounds);
  const [inMutex, inTxns] = new Int32Array(shm.buffer);
  const expected = children.length * rounds;
  if (inMutex !== expected || inTxns !== expected)
    harness.fault(`${inMutex} in the mutex and ${inTxns} in txns, expected ${expected}`);
  return (
    `2 processes of Node and 2 of Python added ${rounds} times each: ${inMutex} in the mutex, ${inTxns} in txns; ` +
    `${((performance.now() - began) / 1000).toFixed(1)} s`
  );
};
