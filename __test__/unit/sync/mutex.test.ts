import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import vm from 'node:vm';
import { Worker } from 'node:worker_threads';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import { attach, lockState, SharedEvent, SharedMemory, SharedMutex } from 'shmkit';
import type { Guard } from 'shmkit';

import * as binding from '#binding';
import { hold } from '../../fixtures/hold.js';
import { Program } from '../../fixtures/program.js';
import { exists, freshName, segmentPath } from '../../fixtures/segments.js';
import { until } from '../../fixtures/wait.js';

function mutexOf(t: ExecutionContext): SharedMutex {
  const mutex = SharedMutex.createOrAttach(freshName(t));
  t.teardown(() => mutex.close());
  return mutex;
}

/** A process that has the lock when this resolves. */
async function holderOf(t: ExecutionContext, mutex: SharedMutex): Promise<Program> {
  const holder = Program.node(
    t,
    `const mutex = SharedMutex.attach('${mutex.name}');
    for (;;) {
      const guard = await mutex.lock();
      say('has it');
      await told();
      guard.unlock();
      say('let go');
      await told();
    }`,
  );
  t.is(await holder.says(), 'has it');
  return holder;
}

test('one guard at a time holds the lock, and a second unlock() has no effect on the next holder', (t) => {
  const mutex = mutexOf(t);
  const first = mutex.lockSync();
  t.false(first.ownerDied);
  t.is(mutex.tryLock(), undefined);
  first.unlock();
  const second = mutex.tryLock();
  t.truthy(second);
  first.unlock();
  first[Symbol.dispose]();
  t.is(mutex.tryLock(), undefined, 'the second one has it still');
  second!.unlock();
});

test('a thread that waits for itself is refused, through another handle too', async (t) => {
  const mutex = mutexOf(t);
  using other = SharedMutex.attach(mutex.name);
  hold(t, await mutex.lock());
  t.throws(() => mutex.lockSync(), { code: 'ERR_SHM_DEADLOCK' });
  t.throws(() => other.lockSync({ timeout: 10 }), { code: 'ERR_SHM_DEADLOCK' });
  t.is(other.tryLock(), undefined);
});

test('the callers of a thread have it in the order in which they came', async (t) => {
  const mutex = mutexOf(t);
  const order: number[] = [];
  const first = await mutex.lock();
  const others = [1, 2, 3, 4].map(async (n) => {
    const guard = await mutex.lock();
    order.push(n);
    await sleep(1);
    guard.unlock();
  });
  t.is(mutex.tryLock(), undefined);
  first.unlock();
  await Promise.all(others);
  t.deepEqual(order, [1, 2, 3, 4]);
});

test('a wait ends when another process unlocks it, blocking or not', async (t) => {
  const mutex = mutexOf(t);
  const holder = await holderOf(t, mutex);
  t.is(mutex.tryLock(), undefined);
  const waiting = mutex.lock();
  holder.tell('let go');
  (await waiting).unlock();
  t.is(await holder.says(), 'let go');
  holder.tell('take it');
  t.is(await holder.says(), 'has it');
  holder.tell('let go');
  mutex.lockSync({ spin: 0 }).unlock();
});

test('a wait that is called off leaves no trace', async (t) => {
  const mutex = mutexOf(t);
  const holder = await holderOf(t, mutex);
  await t.throwsAsync(mutex.lock({ timeout: 5 }), { code: 'ERR_SHM_TIMEOUT', message: /waited 5 ms/ });
  await t.throwsAsync(mutex.lock({ timeout: 0 }), { code: 'ERR_SHM_TIMEOUT' });
  t.throws(() => mutex.lockSync({ timeout: 5 }), { code: 'ERR_SHM_TIMEOUT' });
  t.throws(() => mutex.lockSync({ timeout: 0 }), { code: 'ERR_SHM_TIMEOUT' });
  const reason = new Error('enough');
  const controller = new AbortController();
  const aborted = mutex.lock({ signal: controller.signal });
  const behind = mutex.lock({ timeout: 20_000 });
  controller.abort(reason);
  t.is(await t.throwsAsync(aborted), reason);
  t.is(await t.throwsAsync(mutex.lock({ signal: controller.signal })), reason);
  holder.tell('let go');
  (await behind).unlock();
  t.is(await holder.says(), 'let go');
  // The word has no mark of a waiter left, so the fast path is open.
  const words = new Int32Array(await wordsOf(mutex));
  t.is(words[16], 0);
});

/** The bytes of a lock's file. */
async function wordsOf(mutex: SharedMutex): Promise<ArrayBuffer> {
  using memory = SharedMemory.attach(mutex.name);
  return new Uint8Array(memory.read()).buffer;
}

test('a blocking call goes before the promises of its thread', async (t) => {
  const mutex = mutexOf(t);
  const holder = await holderOf(t, mutex);
  const order: string[] = [];
  const waiting = mutex.lock().then((guard) => {
    order.push('promise');
    guard.unlock();
  });
  await until('its wait has begun', () => lockState(mutex.name).awaited);
  holder.tell('let go');
  const guard = mutex.lockSync({ timeout: 20_000 });
  order.push('blocked');
  guard.unlock();
  await waiting;
  t.deepEqual(order, ['blocked', 'promise']);
});

test('if a holder is killed, the next holder is told', async (t) => {
  const mutex = mutexOf(t);
  for (const next of ['lock', 'lockSync', 'tryLock'] as const) {
    const holder = await holderOf(t, mutex);
    const early = next === 'lock' ? mutex.lock() : undefined;
    await holder.kill();
    const guard = (await early) ?? (next === 'tryLock' ? mutex.tryLock() : mutex.lockSync());
    t.true(guard!.ownerDied, next);
    guard!.unlock();
    const after = mutex.lockSync();
    t.false(after.ownerDied, 'all is well again');
    after.unlock();
  }
});

test('a process that exits with the lock gives it to the next one', async (t) => {
  const mutex = mutexOf(t);
  for (const end of ['process.exit(0)', 'return', 'throw 1']) {
    const quiet = end === 'throw 1' ? "process.on('uncaughtException', () => process.exit(0));" : '';
    const holder = Program.node(
      t,
      `${quiet} const guard = SharedMutex.attach('${mutex.name}').lockSync(); (() => { ${end} })();`,
    );
    t.is(await holder.ends(), 0);
    const guard = await mutex.lock();
    t.true(guard.ownerDied, end);
    guard.unlock();
  }
});

test('a worker thread that is terminated with the lock gives it to the next one at once', async (t) => {
  const mutex = mutexOf(t);
  const code = `import('shmkit').then(({ attach }) => {
    const mutex = attach(require('worker_threads').workerData);
    globalThis.guard = mutex.lockSync();
    require('worker_threads').parentPort.postMessage('has it');
    setInterval(() => {}, 1000);
  })`;
  const worker = new Worker(code, { eval: true, execArgv: [], workerData: mutex.toJSON() });
  await new Promise((resolve) => worker.once('message', resolve));
  const waiting = mutex.lock();
  await worker.terminate();
  const guard = await waiting;
  t.true(guard.ownerDied);
  guard.unlock();
});

test('a worker thread that waits is terminated as any other', async (t) => {
  const mutex = mutexOf(t);
  hold(t, mutex.lockSync());
  for (const wait of ['mutex.lockSync()', 'await mutex.lock()', 'event.waitSync()', 'await event.wait()']) {
    using event = SharedEvent.createOrAttach(freshName(t));
    const code = `(async () => {
      const { attach, SharedEvent } = await import('shmkit');
      const { workerData, parentPort } = require('worker_threads');
      const mutex = attach(workerData.mutex), event = attach(workerData.event);
      parentPort.postMessage('waits');
      ${wait};
    })()`;
    const workerData = { mutex: mutex.toJSON(), event: event.toJSON() };
    const worker = new Worker(code, { eval: true, execArgv: [], workerData });
    await new Promise((resolve) => worker.once('message', resolve));
    t.is(await worker.terminate(), 1, wait);
  }
});

test('a promise is not kept from the lock by those before it whose lock was lost', async (t) => {
  const mutex = mutexOf(t);
  using memory = SharedMemory.attach(mutex.name);
  const guard = await mutex.lock();
  const waiting = mutex.lock();
  new Int32Array(memory.buffer)[16] = 0; // as if another process had overwritten it
  t.throws(() => guard.unlock(), { code: 'ERR_SHM_LOCK_LOST' });
  (await waiting).unlock();
});

test('a lock that was had and lost to close() before its caller went on is not handed out', async (t) => {
  const mutex = mutexOf(t);
  using other = SharedMutex.attach(mutex.name);
  const waiting = other.lock();
  other.close();
  await t.throwsAsync(waiting, { code: 'ERR_SHM_CLOSED' });
  mutex.lockSync({ timeout: 0 }).unlock();
});

test('a blocked call that V8 cuts short leaves the lock to others', async (t) => {
  const mutex = mutexOf(t);
  const holder = await holderOf(t, mutex);
  const context = vm.createContext({ mutex });
  t.throws(() => vm.runInContext('mutex.lockSync()', context, { timeout: 100 }), { any: true });
  holder.tell('let go');
  t.is(await holder.says(), 'let go');
  mutex.lockSync({ timeout: 20_000 }).unlock();
  holder.tell('take it');
  t.is(await holder.says(), 'has it');
});

test('a script that is ended while it gives way to who looks for the lock has let go of it', (t) => {
  const mutex = mutexOf(t);
  const guard = mutex.lockSync();
  const { word, looking } = binding.lockConstants();
  const { compareExchange, load } = Atomics;
  try {
    Atomics.compareExchange = ((words: Int32Array, at: number, was: number, next: number) => {
      if (at === word && next === 0) Atomics.or(words, at, looking);
      return compareExchange(words, at, was, next);
    }) as typeof compareExchange;
    Atomics.load = ((words: Int32Array, at: number) => {
      for (;;) if (at !== word) return load(words, at);
    }) as typeof load;
    const context = vm.createContext({ guard });
    t.throws(() => vm.runInContext('guard.unlock()', context, { timeout: 50 }), { any: true });
  } finally {
    Object.assign(Atomics, { compareExchange, load });
  }
  mutex.lockSync({ timeout: 0 }).unlock();
});

test('close() ends what was taken through the handle, and what waits through it', async (t) => {
  const mutex = mutexOf(t);
  const other = SharedMutex.attach(mutex.name);
  const guard = await other.lock();
  const waiting = other.lock();
  const waitingElsewhere = mutex.lock();
  other.close();
  other.close();
  t.true(other.closed);
  await t.throwsAsync(waiting, { code: 'ERR_SHM_CLOSED' });
  const next = await waitingElsewhere;
  t.true(next.ownerDied, 'its holder was interrupted');
  guard.unlock();
  t.is(mutex.tryLock(), undefined, 'the guard of a closed handle frees nobody');
  next.unlock();
  t.throws(() => other.lockSync(), { code: 'ERR_SHM_CLOSED' });
  t.throws(() => other.tryLock(), { code: 'ERR_SHM_CLOSED' });
  await t.throwsAsync(other.lock(), { code: 'ERR_SHM_CLOSED' });
});

test('a handle that is closed with the only guard gives the lock to other processes', async (t) => {
  const mutex = mutexOf(t);
  const holder = Program.node(
    t,
    `const mutex = SharedMutex.attach('${mutex.name}'); mutex.lockSync(); mutex.close(); say('closed'); await told();`,
  );
  t.is(await holder.says(), 'closed');
  using guard = mutex.lockSync({ timeout: 20_000 });
  t.true(guard.ownerDied);
});

test('a lock whose handles were all dropped is free again', async (t) => {
  const mutex = mutexOf(t);
  const holder = Program.node(
    t,
    `(() => { SharedMutex.attach('${mutex.name}').lockSync(); })();
    await new Promise(setImmediate);
    for (let i = 0; i < 10; i++) { gc(); await new Promise(setImmediate); }
    say('dropped'); await told();`,
    ['--expose-gc'],
  );
  t.is(await holder.says(), 'dropped');
  using guard = mutex.lockSync({ timeout: 20_000 });
  t.true(guard.ownerDied);
});

test('what is no mutex is refused', (t) => {
  const name = freshName(t);
  t.throws(() => SharedMutex.attach(name), { code: 'ENOENT' });
  using memory = SharedMemory.create(8192, { name });
  t.throws(() => SharedMutex.attach(name), { code: 'ERR_SHM_NOT_A_LOCK' });
  t.throws(() => SharedMutex.createOrAttach(name), { code: 'ERR_SHM_NOT_A_LOCK' });
  memory.buf.write('SHMLOCK\0');
  memory.buf[16] = 1;
  memory.buf[12] = 99;
  t.throws(() => SharedMutex.attach(name), { code: 'ERR_SHM_VERSION' });
  const event = freshName(t);
  hold(t, SharedEvent.createOrAttach(event));
  t.throws(() => SharedMutex.attach(event), { code: 'ERR_SHM_NOT_A_LOCK', message: /event/ });
  const short = freshName(t);
  writeFileSync(segmentPath(short), 'SHMLOCK\0\x01\0\0\0\x01\0\0\0\x01');
  t.throws(() => SharedMutex.attach(short), { code: 'ERR_SHM_NOT_A_LOCK' });
});

test('bad arguments are refused before anything is done', async (t) => {
  const mutex = mutexOf(t);
  const bad: [object, string][] = [
    [{ timeout: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ timeout: NaN }, 'ERR_OUT_OF_RANGE'],
    [{ timeout: '5' }, 'ERR_INVALID_ARG_TYPE'],
    [{ tiemout: 5 }, 'ERR_INVALID_ARG_TYPE'],
  ];
  for (const [options, code] of bad) {
    t.throws(() => mutex.lockSync(options), { code });
    await t.throwsAsync(mutex.lock(options), { code });
  }
  await t.throwsAsync(mutex.lock({ signal: 'no' as never }), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => mutex.lockSync({ spin: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => SharedMutex.createOrAttach('a/b'), { code: 'ERR_SHM_NAME' });
  t.throws(() => SharedMutex.createOrAttach('a', { mode: 0o1000 }), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => SharedMutex.attach({ kind: 'event', name: mutex.name }), { code: 'ERR_SHM_KIND' });
  mutex.lockSync({ timeout: Infinity }).unlock();
});

test('a descriptor gives the same mutex, and an instance is not cloned', (t) => {
  const mutex = mutexOf(t);
  const other = attach(JSON.parse(JSON.stringify(mutex)));
  t.true(other instanceof SharedMutex);
  using guard: Guard | undefined = mutex.tryLock();
  t.truthy(guard);
  t.is((other as SharedMutex).tryLock(), undefined);
  other.close();
  t.throws(() => structuredClone(mutex), { any: true, name: 'DataCloneError' });
});

test('a new mutex of an old name is another one', (t) => {
  const mutex = mutexOf(t);
  const descriptor = mutex.toJSON();
  hold(t, mutex.lockSync());
  mutex.unlink();
  t.throws(() => mutex.unlink(), { code: 'ENOENT' });
  using fresh = SharedMutex.createOrAttach(mutex.name);
  fresh.lockSync().unlock();
  t.throws(() => SharedMutex.attach(descriptor), { code: 'ERR_SHM_UNLINKED' });
});

test('the mutex ends with its last owner, and not with a process that has only attached', async (t) => {
  const name = freshName(t);
  const owner = Program.node(
    t,
    `SharedMutex.createOrAttach('${name}'); say('made'); await told(); process.exit();`,
  );
  t.is(await owner.says(), 'made');
  const user = Program.node(t, `SharedMutex.attach('${name}').lockSync(); say('has it');`);
  t.is(await user.says(), 'has it');
  t.is(await user.ends(), 0);
  t.true(exists(name));
  owner.tell('end');
  t.is(await owner.ends(), 0);
  t.false(exists(name));
});

test('a word of random bits counts as a dead holder', (t) => {
  const mutex = mutexOf(t);
  using memory = SharedMemory.attach(mutex.name);
  const words = new Int32Array(memory.buffer);
  for (const garbage of [0x1fffffff, 0x3fff, 0x12345678, 5 | (77 << 12)]) {
    words[16] = garbage;
    using guard = mutex.lockSync({ timeout: 20_000 });
    t.true(guard.ownerDied, garbage.toString(16));
  }
  const guard = mutex.lockSync();
  words[16] = 0;
  t.throws(() => guard.unlock(), { code: 'ERR_SHM_LOCK_LOST' });
});

test('sixty-four waits do not use the thread pool, and do not keep the process alive after an abort', async (t) => {
  const mutex = mutexOf(t);
  hold(t, mutex.lockSync());
  using event = SharedEvent.createOrAttach(freshName(t));
  const program = Program.node(
    t,
    `import { readFile } from 'node:fs/promises';
    const controller = new AbortController(), { signal } = controller;
    const mutex = SharedMutex.attach('${mutex.name}');
    const waits = Array.from({ length: 32 }, () => mutex.lock({ signal }));
    const events = Array.from({ length: 32 }, () => SharedEvent.attach('${event.name}'));
    waits.push(...events.map((event) => event.wait({ signal })));
    const settled = Promise.allSettled(waits);
    await readFile('package.json');
    say('read');
    await told();
    process.stdin.destroy();
    controller.abort();
    const reasons = (await settled).map(({ reason }) => reason.name);
    say([...new Set(reasons)].join());`,
    [],
  );
  t.is(await program.says(), 'read', 'with one thread in the pool, or it would hang');
  program.tell('abort');
  t.is(await program.says(), 'AbortError');
  t.is(await program.ends(), 0);
});

test('a wait keeps the process alive', async (t) => {
  const mutex = mutexOf(t);
  const guard = mutex.lockSync();
  const program = Program.node(
    t,
    `say('waits'); (await SharedMutex.attach('${mutex.name}').lock()).unlock(); say('had it');`,
  );
  t.is(await program.says(), 'waits');
  await until('its wait has begun', () => lockState(mutex.name).awaited);
  guard.unlock();
  t.is(await program.says(), 'had it');
  t.is(await program.ends(), 0);
});
