import { fileURLToPath } from 'node:url';

import test from 'ava';
import { SharedQueue } from 'shmkit';

import { Program } from './helpers/program.js';
import { freshName } from './helpers/segments.js';
import { run } from './lifetime/run.js';

const script = (file: string): string => fileURLToPath(new URL(`queues/${file}`, import.meta.url));

test.serial('a share of the command for queues: processes killed at random points', async (t) => {
  const args = ['--import=tsx', script('main.ts'), '--kills', '40', '--seed', '7'];
  const { code, signal, output } = await run(process.execPath, args);
  t.deepEqual({ code, signal }, { code: 0, signal: null }, output);
});

for (const mode of ['mpmc', 'spsc']) {
  test.serial(`a share of the command for checksums: ${mode}`, async (t) => {
    const args = ['--import=tsx', script('checksum.ts'), '--count', '300000', '--mode', mode];
    const { code, signal, output } = await run(process.execPath, args);
    t.deepEqual({ code, signal }, { code: 0, signal: null }, output);
  });
}

/** Goes on until it is told to claim or to take, and keeps what it has. */
const holder = (name: string, what: string): string =>
  `const queue = SharedQueue.attach('${name}'); globalThis.slot = queue.${what}; say('has it'); await told();`;

for (const mode of ['mpmc', 'spsc'] as const) {
  test(`what a killed producer had claimed is lost, and what comes behind it is not (${mode})`, async (t) => {
    using queue = SharedQueue.create({ slots: 2, name: freshName(t), mode });
    const producer = Program.node(t, holder(queue.name, 'claimSync()'));
    t.is(await producer.says(), 'has it');
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

  test(`what a killed consumer had taken is lost, and its slot is not (${mode})`, async (t) => {
    using queue = SharedQueue.create({ slots: 2, name: freshName(t), mode });
    queue.pushSync(Float64Array.of(1));
    const consumer = Program.node(t, holder(queue.name, 'takeSync()'));
    t.is(await consumer.says(), 'has it');
    queue.pushSync(Float64Array.of(2));
    t.false(queue.tryPush(Float64Array.of(3)));
    await consumer.kill();
    queue.pushSync(Float64Array.of(3), { timeout: 20_000 });
    t.deepEqual([queue.popSync()![0], queue.popSync()![0], queue.lost], [2, 3, 1]);
  });
}

test('who only tries gets over the dead as well', async (t) => {
  using queue = SharedQueue.create({ slots: 2, name: freshName(t) });
  const producer = Program.node(t, holder(queue.name, 'claimSync()'));
  t.is(await producer.says(), 'has it');
  queue.pushSync(Float64Array.of(1));
  await producer.kill();
  let item;
  while ((item = queue.tryPop()) === undefined);
  t.deepEqual([item[0], queue.lost], [1, 1]);
});

test('the next one who has a dead one’s number does not seem to have its slots', async (t) => {
  using queue = SharedQueue.create({ slots: 2, name: freshName(t) });
  const producer = Program.node(t, holder(queue.name, 'claimSync()'));
  t.is(await producer.says(), 'has it');
  await producer.kill();
  using next = SharedQueue.attach(queue.name);
  t.is(next.lost, 1, 'it was cleared away before');
  queue.pushSync(Float64Array.of(1));
  t.deepEqual(queue.tryPop(), Float64Array.of(1));
});
