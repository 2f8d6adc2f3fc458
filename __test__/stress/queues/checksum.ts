/**
 * Items of 64 bytes go through one queue, from processes to processes, in turn by every way that blocks or does not; a
 * process of Python uses mostly batches. Each item must come once and whole and, if there is one consumer, those of a
 * producer in their order.
 */
import { fileURLToPath } from 'node:url';

import { SharedQueue } from 'shmkit';

import { venvPython } from '../../fixtures/python.js';
import type { Run } from '../kinds.js';

interface Sums {
  readonly count: number;
  readonly sum: number;
  readonly mixed: number;
}

const add = (all: readonly Sums[]): Sums =>
  all.reduce((a, b) => ({ count: a.count + b.count, sum: a.sum + b.sum, mixed: (a.mixed + b.mixed) | 0 }));

export const run: Run = async (harness, rounds, options) => {
  const mode = options['spsc'] === true ? 'spsc' : 'mpmc';
  const { python } = options;
  const [producers, consumers] = [Number(options['producers']), Number(options['consumers'])];
  const queue = harness.own(
    SharedQueue.create({ slots: 1000, dtype: 'int32', shape: [16], spsc: mode === 'spsc' }),
  );
  /** No item takes longer than this, in milliseconds, or it hangs. */
  const limit = 60_000 + rounds / 10;

  const script = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
  const start = async (role: string, ...args: number[]): Promise<Sums> => {
    const isPython = python === role || python === 'both';
    const command = isPython
      ? [venvPython(), '-E', script('checksum.py')]
      : [process.execPath, script('checksum.js')];
    const child = harness.launch(`a ${role}`, [...command, queue.name, role, ...args.map(String)]);
    await harness.endsWell(child, limit);
    return JSON.parse(child.lines.at(-1)!) as Sums;
  };

  const began = performance.now();
  const taking = Promise.all(
    Array.from({ length: consumers }, () => start('consumer', producers, consumers)),
  );
  const pushing = Promise.all(
    Array.from({ length: producers }, (_, index) =>
      start('producer', index, Math.floor((rounds + index) / producers)),
    ),
  );
  // A consumer that fails must be told before the producers end.
  const pushed = add(await Promise.race([pushing, taking.then(() => pushing)]));
  queue.end();
  const taken = add(await taking);
  const seconds = (performance.now() - began) / 1000;
  if (pushed.count !== rounds || JSON.stringify(pushed) !== JSON.stringify(taken))
    harness.fault(`pushed ${JSON.stringify(pushed)} and took ${JSON.stringify(taken)}`);
  if (queue.lost !== 0) harness.fault(`${queue.lost} slots were lost`);
  return (
    `${rounds} items, ${mode}, ${producers} to ${consumers}${python === undefined ? '' : `, Python as ${python}`}: ` +
    `${seconds.toFixed(1)} s, ${(rounds / seconds / 1e6).toFixed(2)} million a second`
  );
};
