/** Shared objects on their way to workers and back. */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { segments, ShareableList, SharedMemory, SharedMutex } from 'shmkit';
import type { WorkerDiedError } from 'shmkit';

import { exists, freshName } from '../../fixtures/segments.js';
import { until } from '../../fixtures/wait.js';
import { poolOf, memoryOf, eventOf, isAlive, ownersOf, upTo } from './common.js';

/** Removes with the test what a worker made and named itself. */
function removed<T extends { close(): void; unlink(): void }>(t: ExecutionContext, object: T): T {
  t.teardown(() => {
    object.close();
    object.unlink();
  });
  return object;
}

test.serial('a shared object arrives attached to the same memory', async (t) => {
  const pool = poolOf(t);
  const shm = memoryOf(t);
  t.is(await pool.run('fill', shm, 0xa5), 64);
  t.true(shm.buf.every((byte) => byte === 0xa5));
});

test.serial('shared objects of every kind arrive, wherever they are, each of them once', async (t) => {
  const pool = poolOf(t);
  const shm = memoryOf(t);
  shm.buf.write('howdy');
  using list = ShareableList.create([1, 'two', null], { name: freshName(t) });
  using mutex = SharedMutex.createOrAttach(freshName(t));
  const event = eventOf(t);
  const found = await pool.run('inspect', {
    memory: [shm, shm],
    byName: new Map<string, unknown>([
      ['list', list],
      ['mutex', mutex],
    ]),
    events: new Set([event]),
  });
  t.deepEqual(found, { same: true, text: 'howdy', items: [1, 'two', null], had: true });
  t.true(event.isSet);
});

test.serial('a worker closes what it was given when the call is over, also when that failed', async (t) => {
  const pool = poolOf(t, 1);
  await pool.run('keep', memoryOf(t));
  t.true(await pool.run('isKeptClosed'));
  const shm = memoryOf(t);
  const pid = await pool.run<number>('pid');
  await t.throwsAsync(
    pool.run('keep', shm, () => 1),
    { code: 'ERR_SHM_VALUE' },
  );
  await t.throwsAsync(pool.run('fail', shm));
  await pool.run('pid');
  t.deepEqual(segments().find(({ name }) => name === shm.name)?.attached, [process.pid]);
  t.true(isAlive(pid));
});

test.serial('a closed object is not sent, and one that was unlinked is not found', async (t) => {
  const pool = poolOf(t);
  const shm = memoryOf(t);
  shm.unlink();
  await t.throwsAsync(pool.run('fill', shm, 1), { code: 'ENOENT' });
  shm.close();
  await t.throwsAsync(pool.run('fill', shm, 1), { code: 'ERR_SHM_CLOSED' });
});

test.serial('an argument that comes back is the very object that was sent', async (t) => {
  const pool = poolOf(t);
  const shm = memoryOf(t);
  const { again } = await pool.run<{ again: SharedMemory[] }>('giveBack', shm);
  t.is(again[0], shm);
  t.is(again[1], shm);
  t.false(shm.closed);
  const other = await pool.run<SharedMemory>('reattach', shm);
  t.not(other, shm, 'one that the function attached to is another handle');
  other.buf[0] = 77;
  t.is(shm.buf[0], 77);
  other.close();
});

test.serial('what a worker made and returns is ours as well, and outlives the worker', async (t) => {
  const pool = poolOf(t, 1);
  const pid = await pool.run<number>('pid');
  const shm = removed(t, await pool.run<SharedMemory>('make', 9));
  t.deepEqual(ownersOf(shm.name)?.sort(), [pid, process.pid].sort());
  t.true(await pool.run('isKeptClosed'), 'the worker has let go of it');
  process.kill(pid, 'SIGKILL');
  await until('the worker has let go of it', () => ownersOf(shm.name)?.length === 1);
  t.deepEqual(ownersOf(shm.name), [process.pid]);
  t.true(exists(shm.name));
  t.is(shm.buf[63], 9);
});

test.serial('results hold shared objects of every kind, anywhere, and so do those of map', async (t) => {
  const pool = poolOf(t);
  const made = await pool.run<{ memory: SharedMemory; list: ShareableList; mutex: SharedMutex }>('makeMany');
  for (const object of Object.values(made)) removed(t, object);
  t.is(made.memory.buf[0], 1);
  t.deepEqual(made.list.toArray(), [1, 'two']);
  made.mutex.lockSync().unlock();
  const all = await pool.map<number, SharedMemory>('make', upTo(10), { chunk: 3 });
  t.deepEqual(
    all.map((shm) => removed(t, shm).buf[5]),
    upTo(10),
  );
});

test.serial('what nobody owns, nobody owns after it was returned', async (t) => {
  const pool = poolOf(t, 1);
  const name = freshName(t);
  using made = await pool.run<SharedMemory>('make', 3, { track: false, name });
  t.is(made.buf[0], 3);
  t.deepEqual(ownersOf(name), []);
  using attached = await pool.run<SharedMemory>('attachTo', name);
  t.is(attached.buf[0], 3);
  t.deepEqual(ownersOf(name), []);
});

test.serial(
  'an object of a worker that dies at once is ours, or its death is told: nothing in between',
  async (t) => {
    const pool = poolOf(t);
    await Promise.all(
      upTo(12).map(async () => {
        const result: unknown = await pool.run('makeAndDie').catch((error: unknown) => error);
        if (result instanceof SharedMemory) {
          removed(t, result);
          t.true(ownersOf(result.name)?.includes(process.pid));
        } else {
          t.is((result as WorkerDiedError).code, 'ERR_SHM_WORKER_DIED');
        }
      }),
    );
  },
);
