/** Creation that takes its time, is called off, or is a race of many. */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { SharedMemory } from 'shmkit';

import { NodePeer } from '../../fixtures/peers/node.js';
import { bytesInTheMaking, exists, freshName, holdings } from '../../fixtures/segments.js';

const MB = 1 << 20;

/** Waits for something that this process is at, and gives up when it has long been due. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('that did not happen in 10 s');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Checks that a creation is refused with the signal's reason and leaves nothing at all. */
async function calledOff(
  t: ExecutionContext,
  abort: (controller: AbortController) => unknown,
  size = 1024 * MB,
): Promise<void> {
  const name = freshName(t);
  const before = holdings();
  const controller = new AbortController();
  const reason = new Error('changed my mind');
  const abortWith = new AbortController();
  abortWith.signal.addEventListener('abort', () => controller.abort(reason));
  const aborting = abort(abortWith);
  const made = SharedMemory.createAsync(size, { name, signal: controller.signal });
  const error = await t.throwsAsync(made);
  t.is(error, reason);
  await aborting;
  t.false(exists(name));
  t.deepEqual(holdings(), before);
  t.is(bytesInTheMaking(), 0);
}

// One after the other: what they check is what the whole process holds.
test.serial('createAsync makes what create makes', async (t) => {
  const name = freshName(t);
  using shm = await SharedMemory.createAsync(8 * MB + 1, { name, mode: 0o640, populate: true });
  t.is(shm.size, 8 * MB + 1);
  t.true(shm.created);
  shm.buf[8 * MB] = 42;
  using other = SharedMemory.attach(name);
  t.is(other.buf[8 * MB], 42);
  await t.throwsAsync(SharedMemory.createAsync(64, { name }), { code: 'EEXIST' });
  using drawn = await SharedMemory.createAsync(64);
  t.true(exists(drawn.name));
  drawn.unlink();
});

test.serial('a creation whose signal is aborted already does not begin', async (t) => {
  await calledOff(t, (controller) => controller.abort());
});

test.serial('a creation that is called off at once leaves nothing', async (t) => {
  await calledOff(t, (controller) => queueMicrotask(() => controller.abort()));
});

test.serial('a creation that is called off while memory is reserved leaves nothing', async (t) => {
  await calledOff(t, async (controller) => {
    await until(() => bytesInTheMaking() > 0);
    controller.abort();
  });
});

test.serial('a signal that is aborted after the creation changes nothing', async (t) => {
  const controller = new AbortController();
  using shm = await SharedMemory.createAsync(MB, { name: freshName(t), signal: controller.signal });
  controller.abort();
  await new Promise((resolve) => setImmediate(resolve));
  t.true(exists(shm.name));
  shm.buf[0] = 1;
  t.is(shm.buf[0], 1);
});

test.serial('a signal that is none is refused', async (t) => {
  for (const signal of [null, {}, 'abort', new AbortController()]) {
    const made = SharedMemory.createAsync(64, { signal: signal as unknown as AbortSignal });
    await t.throwsAsync(made, { code: 'ERR_INVALID_ARG_TYPE', instanceOf: TypeError });
  }
});

test.serial('a size that no machine has is refused before its memory is taken', async (t) => {
  const name = freshName(t);
  const emergency = new AbortController();
  let taken = 0;
  const watch = setInterval(() => {
    taken = Math.max(taken, bytesInTheMaking());
    if (taken > 128 * MB) emergency.abort();
  }, 1);
  const made = SharedMemory.createAsync(2 ** 45, { name, signal: emergency.signal });
  const error = await t.throwsAsync<Error & { code?: string }>(made);
  clearInterval(watch);
  t.false(exists(name));
  t.true(taken <= 128 * MB, `${taken / MB} MB were taken from everybody else before it was refused`);
  t.true(['ENOSPC', 'ENOMEM', 'EFBIG'].includes(error?.code ?? ''), error?.message);
});

test.serial(
  'of 8 processes that create or attach at once, one creates, and all share its bytes',
  async (t) => {
    const parties = 8;
    const names = Array.from({ length: 50 }, () => freshName(t));
    using gate = SharedMemory.create(names.length * 2 * 4, { name: freshName(t) });
    const peers = Array.from({ length: parties }, () => new NodePeer());
    try {
      const results = await Promise.all(
        peers.map((peer, party) => peer.call('race', { names, size: 4096, gate: gate.name, party, parties })),
      );
      const expected = Buffer.alloc(4096);
      for (let party = 0; party < parties; party++) expected[party] = party + 1;
      for (const round of names.keys()) {
        const seen = results.map((result) => result[round]);
        t.is(seen.filter((one) => one?.created).length, 1, `round ${round}: one creator`);
        t.true(
          seen.every((one) => one?.hex === expected.toString('hex')),
          `round ${round}: all see the same bytes`,
        );
      }
    } finally {
      await Promise.all(peers.map((peer) => peer.end()));
    }
  },
);
