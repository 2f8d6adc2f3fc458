/** Misuses of queues and broadcasts. */
import { promisify } from 'node:util';
import zlib from 'node:zlib';

import { SharedBroadcast, SharedQueue } from 'shmkit';
import type { ClaimedSlot, Subscription, TakenSlot } from 'shmkit';

import { random, turn, refused, either, eventually, shortWait } from './tools.js';
import type { Misuses } from './tools.js';

export const streams: Misuses = {
  'a queue used and closed in any order, and its slots kept': async () => {
    const spsc = random.below(2) === 0;
    const slots = 1 + random.below(4);
    const queues: SharedQueue<'uint8'>[] = [];
    const length = 1 + random.below(200_000);
    // The neighbour may be faster, and spoil it.
    either(() => queues.push(SharedQueue.create({ slots, dtype: 'uint8', shape: [length], spsc })));
    if (queues.length === 0) return;
    either(() => queues.push(SharedQueue.attach<'uint8'>(queues[0]!.name)));
    const item = new Uint8Array(length);
    const views: Uint8Array[] = [];
    const waits: Promise<unknown>[] = [];
    const keep = (slot: ClaimedSlot<'uint8'> | TakenSlot<'uint8'> | undefined): void => {
      if (slot === undefined) return;
      views.push(slot.data);
      if (random.below(2) === 0) return;
      if ('commit' in slot) slot.commit();
      else slot.release();
    };
    for (let i = 0; i < 20; i++) {
      const queue = random.pick(queues);
      const steps: (() => unknown)[] = [
        () => queue.tryPush(item),
        () => queue.tryPopInto(item),
        () => queue.pushSync(item, { timeout: random.below(2), spin: random.below(50) }),
        () => queue.popSync({ timeout: random.below(2), spin: random.below(50) }),
        () => keep(queue.tryClaim()),
        () => keep(queue.tryTake()),
        () => waits.push(eventually(() => queue.push(item, shortWait()))),
        () => waits.push(eventually(() => queue.take(shortWait()).then(keep))),
        () => waits.push(eventually(async () => queue.batches().next())),
        () => waits.push(promisify(zlib.gzip)(random.pick([...views, item])).catch(() => {})),
        () => views.forEach((view) => (view[random.below(view.length + 1)] = random.below(256))),
        () => random.below(10) === 0 && queue.end(),
        () => random.below(5) === 0 && queue.close(),
        () => turn(),
      ];
      await eventually(random.pick(steps));
    }
    queues.forEach((queue) => queue.close());
    for (const view of views) view[0] = 1;
    await Promise.all(waits);
    for (const queue of queues) refused(() => queue.length, 'ERR_SHM_CLOSED');
    either(() => queues[0]!.unlink());
  },
  'a broadcast used and closed in any order, and its subscriptions': async () => {
    const onSlow = random.pick(['block', 'drop'] as const);
    const slots = 1 + random.below(4);
    const length = 1 + random.below(200_000);
    const broadcasts: SharedBroadcast<'uint8'>[] = [];
    // The neighbour may be faster, and spoil it.
    either(() => broadcasts.push(SharedBroadcast.create({ slots, dtype: 'uint8', shape: [length], onSlow })));
    if (broadcasts.length === 0) return;
    either(() => broadcasts.push(SharedBroadcast.attach<'uint8'>(broadcasts[0]!.name)));
    const item = new Uint8Array(length);
    const subscriptions: Subscription<'uint8'>[] = [];
    const waits: Promise<unknown>[] = [];
    const wait = (): { timeout: number; spin: number } => ({
      timeout: random.below(2),
      spin: random.below(50),
    });
    const from = (): 'latest' | 'oldest' => random.pick(['latest', 'oldest']);
    for (let i = 0; i < 30; i++) {
      const broadcast = random.pick(broadcasts);
      either(() => random.below(4) === 0 && subscriptions.push(broadcast.subscribe({ from: from() })));
      const subscription = subscriptions.at(random.below(subscriptions.length));
      const steps: (() => unknown)[] = [
        () => broadcast.tryPublish(item),
        () => broadcast.publishSync(item, wait()),
        () => subscription?.tryNext(),
        () => subscription?.tryNextInto(item),
        () => subscription?.nextSync(wait()),
        () => waits.push(eventually(() => broadcast.publish(item, shortWait()))),
        () => waits.push(eventually(async () => subscription?.next(shortWait()))),
        () => waits.push(eventually(async () => subscription?.batches().next())),
        () => random.below(3) === 0 && subscription?.close(),
        () => random.below(10) === 0 && broadcast.end(),
        () => random.below(10) === 0 && broadcast.close(),
        () => turn(),
      ];
      await eventually(random.pick(steps));
    }
    broadcasts.forEach((broadcast) => broadcast.close());
    await Promise.all(waits);
    for (const subscription of subscriptions) refused(() => subscription.tryNext(), 'ERR_SHM_CLOSED');
    for (const broadcast of broadcasts) refused(() => broadcast.published, 'ERR_SHM_CLOSED');
    either(() => broadcasts[0]!.unlink());
  },
};
