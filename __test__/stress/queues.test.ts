import test from 'ava';
import { SharedQueue } from 'shmkit';

import { Program } from '../fixtures/program.js';
import { freshName } from '../fixtures/segments.js';
import { shareOfStress } from './share.js';

shareOfStress('processes are killed at random points', 'queues', 12, /^12 kills in \d+ s: no fault$/);
shareOfStress('a queue for many processes', 'checksum', 150_000, /^150000 items, mpmc/);
shareOfStress('a queue for two processes', 'checksum', 150_000, /^150000 items, spsc/, { spsc: true });

/** A program that holds a slot until it is killed. */
const holder = (name: string, what: string): string =>
  `const queue = SharedQueue.attach('${name}'); globalThis.slot = queue.${what}; say('holds it'); await told();`;

for (const mode of ['mpmc', 'spsc'] as const) {
  test(`the slot of a killed producer is lost, and the items behind it are not (${mode})`, async (t) => {
    using queue = SharedQueue.create({ slots: 2, name: freshName(t), spsc: mode === 'spsc' });
    const producer = Program.node(t, holder(queue.name, 'claimSync()'));
    t.is(await producer.says(), 'holds it');
    if (mode === 'mpmc') queue.pushSync(Float64Array.of(1));
    const waiting = queue.pop();
    t.is(queue.tryPop(), undefined);
    await producer.kill();
    if (mode === 'spsc') queue.pushSync(Float64Array.of(1));
    t.deepEqual(await waiting, Float64Array.of(1));
    t.is(queue.lost, 1);
    queue.pushSync(Float64Array.of(2));
    queue.pushSync(Float64Array.of(3));
    t.deepEqual([queue.popSync()![0], queue.popSync()![0], queue.lost], [2, 3, 1]);
  });

  test(`the item of a killed consumer is lost, and its slot is not (${mode})`, async (t) => {
    using queue = SharedQueue.create({ slots: 2, name: freshName(t), spsc: mode === 'spsc' });
    queue.pushSync(Float64Array.of(1));
    const consumer = Program.node(t, holder(queue.name, 'takeSync()'));
    t.is(await consumer.says(), 'holds it');
    queue.pushSync(Float64Array.of(2));
    t.false(queue.tryPush(Float64Array.of(3)));
    await consumer.kill();
    queue.pushSync(Float64Array.of(3), { timeout: 20_000 });
    t.deepEqual([queue.popSync()![0], queue.popSync()![0], queue.lost], [2, 3, 1]);
  });
}

test('tryPop() gets past the slot of a dead producer as well', async (t) => {
  using queue = SharedQueue.create({ slots: 2, name: freshName(t) });
  const producer = Program.node(t, holder(queue.name, 'claimSync()'));
  t.is(await producer.says(), 'holds it');
  queue.pushSync(Float64Array.of(1));
  await producer.kill();
  let item;
  while ((item = queue.tryPop()) === undefined);
  t.deepEqual([item[0], queue.lost], [1, 1]);
});

test('a process that gets the participant number of a dead one does not seem to hold its slots', async (t) => {
  using queue = SharedQueue.create({ slots: 2, name: freshName(t) });
  const producer = Program.node(t, holder(queue.name, 'claimSync()'));
  t.is(await producer.says(), 'holds it');
  await producer.kill();
  using next = SharedQueue.attach(queue.name);
  t.is(next.lost, 1, 'the slots of the dead are released first');
  queue.pushSync(Float64Array.of(1));
  t.deepEqual(queue.tryPop(), Float64Array.of(1));
});
