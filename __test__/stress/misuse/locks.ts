/** Misuses of mutexes, events and txns. */

import { lockState, ShareableList, SharedEvent, SharedMemory, SharedMutex } from 'shmkit';
import type { Guard, Txn } from 'shmkit';

import {
  random,
  wrong,
  turn,
  refused,
  either,
  segment,
  eventually,
  lockOf,
  mutexOf,
  shortWait,
  worker,
} from './tools.js';
import type { Misuses } from './tools.js';

export const locks: Misuses = {
  'a mutex locked, unlocked, closed and dropped in any order': async () => {
    const handles = Array.from({ length: 1 + random.below(3) }, () => mutexOf());
    const guards: (Guard | undefined)[] = [];
    const waits: Promise<unknown>[] = [];
    for (let i = 0; i < 12; i++) {
      const mutex = random.pick(handles);
      const steps: (() => unknown)[] = [
        () => guards.push(mutex.lockSync({ timeout: random.below(2), spin: random.below(50) })),
        () => guards.push(mutex.tryLock()),
        () => waits.push(eventually(() => mutex.lock(shortWait()).then((guard) => guards.push(guard)))),
        () => guards.length > 0 && random.pick(guards)?.unlock(),
        () => mutex.close(),
        () => structuredClone(mutex),
        () => turn(),
      ];
      await eventually(random.pick(steps));
    }
    for (const guard of guards) either(() => guard?.[Symbol.dispose]());
    if (random.below(2) === 0) handles.forEach((mutex) => either(() => mutex.close()));
    await Promise.all(waits);
    for (const guard of guards) either(() => guard?.unlock());
    handles.forEach((mutex) => either(() => mutex.close()));
    for (const mutex of handles) refused(() => mutex.lockSync(), 'ERR_SHM_CLOSED');
    either(() => handles[0]!.unlink());
  },
  'a txn used after its end, after close() and after unlink()': async () => {
    await eventually(() =>
      segment(async (shm) => {
        const limits = { timeout: 1 + random.below(3) };
        const kept: Txn[] = [];
        const use = (txn: Txn): void => {
          either(() => txn.set(random.below(5000), random.below(256)));
          either(() => txn.get(random.below(9000) - 4500));
          either(() => (txn.bytes[random.below(5000)] = 1));
          either(() => txn.write(Buffer.alloc(random.below(5000))));
          either(() => txn.slice(random.below(5000), -random.below(5000)));
        };
        const readOnly = random.below(2) === 0;
        either(() => shm.txnSync((txn) => (use(txn), kept.push(txn)), { ...limits, readOnly }));
        either(() => kept.push(shm.txnSync({ ...limits, readOnly })));
        either(() => shm.txnSync(() => random.below(2) === 0 && wrong(Promise.resolve()), limits));
        const waiting = shm.txn((txn) => (use(txn), kept.push(txn)), { ...shortWait(), readOnly: !readOnly });
        const settled = eventually(() => waiting);
        kept.forEach(use);
        if (random.below(2) === 0) either(() => shm.unlink());
        if (random.below(2) === 0) shm.close();
        kept.forEach(use);
        kept.forEach((txn) => either(() => txn[Symbol.dispose]()));
        await settled;
        kept.forEach(use);
        shm.close();
        refused(() => shm.txnSync(limits), 'ERR_SHM_CLOSED');
      }),
    );
  },
  'events set, cleared, awaited and closed in any order': async () => {
    const events = [0, 1].map(() => lockOf(SharedEvent, 'event'));
    const waits: Promise<unknown>[] = [];
    for (let i = 0; i < 10; i++) {
      const event = random.pick(events);
      const steps: (() => unknown)[] = [
        () => event.set(),
        () => event.clear(),
        () => event.waitSync({ timeout: random.below(2), spin: random.below(50) }),
        () => waits.push(eventually(() => event.wait(shortWait()))),
        () => event.close(),
        () => turn(),
      ];
      await eventually(random.pick(steps));
    }
    if (random.below(2) === 0) events.forEach((event) => event.close());
    await Promise.all(waits);
    either(() => events[0]!.unlink());
    events.forEach((event) => event.close());
    for (const event of events) refused(() => event.isSet, 'ERR_SHM_CLOSED');
  },
  'locks of other objects, and other objects of locks': () => {
    segment((shm) => {
      refused(() => SharedMutex.attach(shm.name));
      refused(() => SharedEvent.createOrAttach(shm.name));
      either(() => lockState(shm.name));
      either(() => shm.txnSync(() => {}, { timeout: 2 }));
      either(() => lockState(`${shm.name}.lk`));
      either(() => SharedMutex.attach(`${shm.name}.lk`).close());
      either(() => ShareableList.attach(`${shm.name}.lk`).close());
      either(() => SharedMemory.attach(`${shm.name}.lk`).close());
    });
    const bad = ['', 'a/b', '\0', '..', 'x'.repeat(300)];
    refused(() => SharedMutex.createOrAttach(random.pick(bad)), 'ERR_SHM_NAME');
    refused(() => SharedMutex.createOrAttach(wrong(random.pick([1, null, {}, Symbol('s')]))));
    const mutex = mutexOf();
    refused(() => mutex.lockSync(wrong(random.pick([5, { timeout: -1 }, { timeout: '1' }, { wait: 1 }]))));
    mutex.close();
  },
  'a worker terminated in a txn, with a mutex, and while it waits': async () => {
    const shm = SharedMemory.create(64);
    const thread = await worker(`
      const shm = SharedMemory.attach('${shm.name}');
      // The neighbour may have spoiled one.
      const open = (kind, name) => { try { return kind.createOrAttach(name) } catch { return undefined } };
      const mutex = open(SharedMutex, 'mutex-0');
      const event = open(SharedEvent, 'event-0');
      parentPort.postMessage(0);
      for (;;) {
        const step = Math.floor(Math.random() * 6);
        try {
          if (step === 0) shm.txnSync((txn) => txn.bytes.fill(1), { timeout: 5 });
          if (step === 1) await shm.txn(() => new Promise(setImmediate), { timeout: 5, readOnly: true });
          if (step === 2) mutex?.lockSync({ timeout: 5 }).unlock();
          if (step === 3) globalThis.guard = await mutex?.lock({ timeout: 5 });
          if (step === 4) event?.waitSync({ timeout: 5 });
          if (step === 5) await event?.wait({ timeout: 5 });
        } catch (error) {
          if (typeof error.code !== 'string') throw error;
        }
      }
    `);
    for (let i = random.below(20); i > 0; i--) await turn();
    await thread.terminate();
    either(() => shm.txnSync(() => {}, { timeout: 5 }));
    shm.close();
    either(() => shm.unlink());
  },
};
