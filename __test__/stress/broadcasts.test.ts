import test from 'ava';
import { SharedBroadcast } from 'shmkit';

import { Program } from '../fixtures/program.js';
import { freshName } from '../fixtures/segments.js';
import { shareOfStress } from './share.js';

const number = (value: number): Float64Array => Float64Array.of(value);

shareOfStress('processes are killed at random points', 'broadcasts', 12, /^12 kills in \d+ s: no fault$/);

/** A program that publishes `count` items of 64 bytes: a number, and words that depend on it. */
const writer = (name: string, count: number): string => `
  const broadcast = SharedBroadcast.attach('${name}');
  const item = new Int32Array(16);
  while (broadcast.subscribers < 3) await new Promise(setImmediate);
  for (let i = 0; i < ${count}; i++) {
    item[0] = i;
    for (let j = 1; j < 16; j++) item[j] = Math.imul(i, 0x9e3779b1) ^ j;
    broadcast.publishSync(item);
    if (i % 4096 === 0) await broadcast.publish(item.fill(-1));
  }
  broadcast.end();
  say('done');`;

/** A program that reads all items, and says how many came, a checksum of them, and how many were lost. */
const reader = (name: string, slow: boolean): string => `
  const subscription = SharedBroadcast.attach('${name}').subscribe();
  say('reads');
  let [count, between, sum, last] = [0, 0, 0, -1];
  const out = new Int32Array(16);
  for (let turn = 0; ; turn++) {
    let item = out;
    if (turn % 3 === 0) item = subscription.nextSync();
    else if (turn % 1000 === 1) item = await subscription.next();
    else if (!subscription.tryNextInto(out)) continue;
    if (item === undefined) break;
    if (${slow} && turn % 5000 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    if (item[0] === -1) {
      between++;
      continue;
    }
    for (let j = 1; j < 16; j++) if (item[j] !== (Math.imul(item[0], 0x9e3779b1) ^ j)) throw new Error('torn');
    if (item[0] <= last) throw new Error(item[0] + ' after ' + last);
    last = item[0];
    count++;
    sum = (sum + Math.imul(last, last | 1)) | 0;
  }
  say(JSON.stringify([count, between, subscription.lost, sum]));`;

for (const onSlow of ['block', 'drop'] as const) {
  test.serial(`three processes read what a fourth publishes (${onSlow})`, async (t) => {
    const count = 200_000;
    using broadcast = SharedBroadcast.create({
      name: freshName(t),
      slots: 100,
      dtype: 'int32',
      shape: [16],
      onSlow,
    });
    const readers = [false, false, true].map((slow) => Program.node(t, reader(broadcast.name, slow)));
    for (const program of readers) t.is(await program.says(), 'reads');
    const publishes = Program.node(t, writer(broadcast.name, count));
    t.is(await publishes.says(), 'done');
    const all = count + Math.ceil(count / 4096);
    t.is(broadcast.published, all);
    const sums = new Set();
    for (const program of readers) {
      const [items, between, lost, sum] = JSON.parse((await program.says())!) as number[];
      t.is(items! + between! + lost!, all);
      sums.add(sum);
      if (onSlow === 'block') t.is(lost, 0);
    }
    if (onSlow === 'block') t.is(sums.size, 1);
  });
}

test.serial('large items that are overwritten during a read are not torn', async (t) => {
  const [count, length] = [3000, 65_536];
  const shape = [length];
  const name = freshName(t);
  using broadcast = SharedBroadcast.create({ name, slots: 2, dtype: 'uint32', shape, onSlow: 'drop' });
  using subscription = broadcast.subscribe();
  const publishes = Program.node(
    t,
    `const broadcast = SharedBroadcast.attach('${name}');
    for (let i = 1; i <= ${count}; i++) broadcast.tryPublish(new Uint32Array(${length}).fill(i));
    broadcast.end();
    say('done');`,
  );
  let [items, last] = [0, 0];
  for (let item; (item = subscription.nextSync()) !== undefined; items++) {
    const [value] = item;
    if (value! <= last || item.some((one) => one !== value)) t.fail(`${value} after ${last}, or torn`);
    last = value!;
  }
  t.is(items + subscription.lost, count);
  t.is(await publishes.says(), 'done');
});

test('a killed reader does not block the writer', async (t) => {
  using broadcast = SharedBroadcast.create({ slots: 2, name: freshName(t) });
  using subscription = broadcast.subscribe();
  const killed = Program.node(
    t,
    `globalThis.it = SharedBroadcast.attach('${broadcast.name}').subscribe(); say('reads'); await told();`,
  );
  t.is(await killed.says(), 'reads');
  broadcast.publishSync(number(1));
  broadcast.publishSync(number(2));
  subscription.tryNext();
  subscription.tryNext();
  const waiting = broadcast.publish(number(3));
  t.false(broadcast.tryPublish(number(9)));
  await killed.kill();
  await waiting;
  broadcast.publishSync(number(4), { timeout: 20_000 });
  t.deepEqual([subscription.nextSync()![0], subscription.nextSync()![0]], [3, 4]);
  t.is(broadcast.subscribers, 1);
});

test('tryPublish() gets past a dead reader as well', async (t) => {
  using broadcast = SharedBroadcast.create({ slots: 1, name: freshName(t) });
  const killed = Program.node(
    t,
    `globalThis.it = SharedBroadcast.attach('${broadcast.name}').subscribe(); say('reads'); await told();`,
  );
  t.is(await killed.says(), 'reads');
  t.true(broadcast.tryPublish(number(1)));
  t.false(broadcast.tryPublish(number(2)));
  await killed.kill();
  while (!broadcast.tryPublish(number(2)));
  t.is(broadcast.subscribers, 0);
});

test('a writer waits for a stopped reader, which loses nothing', async (t) => {
  using broadcast = SharedBroadcast.create({ slots: 1, name: freshName(t) });
  const stopped = Program.node(
    t,
    `const it = SharedBroadcast.attach('${broadcast.name}').subscribe();
    say('reads');
    for (;;) say(it.nextSync()[0]);`,
  );
  t.is(await stopped.says(), 'reads');
  broadcast.publishSync(number(1));
  t.is(await stopped.says(), '1');
  stopped.signal('SIGSTOP');
  broadcast.publishSync(number(2));
  t.throws(() => broadcast.publishSync(number(3), { timeout: 150 }), { code: 'ERR_SHM_TIMEOUT' });
  stopped.signal('SIGCONT');
  broadcast.publishSync(number(3), { timeout: 20_000 });
  t.deepEqual([await stopped.says(), await stopped.says()], ['2', '3']);
});

test('another writer follows one that was killed, and readers go on', async (t) => {
  using broadcast = SharedBroadcast.create({ slots: 2, name: freshName(t) });
  using subscription = broadcast.subscribe();
  const killed = Program.node(
    t,
    `const it = SharedBroadcast.attach('${broadcast.name}'); it.publishSync(Float64Array.of(1)); say('writes'); await told();`,
  );
  t.is(await killed.says(), 'writes');
  t.throws(() => broadcast.tryPublish(number(2)), {
    code: 'ERR_SHM_TOO_MANY',
    message: new RegExp(`process ${killed.pid} `),
  });
  t.deepEqual(subscription.tryNext(), number(1));
  const waiting = subscription.next();
  await killed.kill();
  broadcast.publishSync(number(2));
  t.deepEqual(await waiting, number(2));
  t.is(broadcast.published, 2);
});
