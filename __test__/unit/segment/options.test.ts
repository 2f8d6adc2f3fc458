/** Options are own properties: what something added to `Object.prototype` is none, in every function that has options. */
import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';

import test from 'ava';
import { attach, SegmentPool, SharedDict, SharedMemory, SharedMutex, SharedQueue } from 'shmkit';

import { freshName, segmentPath } from '../../fixtures/segments.js';

test('a polluted Object.prototype changes no option, and runs no program', (t) => {
  // In a process of its own, as it concerns every object.
  const code = `
    import { statSync } from 'node:fs';
    import * as shmkit from 'shmkit';
    const { SharedMemory, ShareableList, SharedArray, SharedDict, SharedQueue, SharedBroadcast } = shmkit;
    const polluted = {
      name: 'polluted', mode: 0o666, track: 'no', reserve: 'no', populate: 'no', readOnly: true, foreign: 'no',
      signal: AbortSignal.abort(), timeout: -1, spin: -1, trailingNul: 'no', dtype: 'nothing', order: 'X', header: 'X',
      offset: -1, slots: -1, spsc: 'no', onSlow: 'no', from: 'no', max: -1, byteLength: -1, maxByteLength: -1,
      lockTimeout: -1, cacheSize: -1, dryRun: 'no', python: '/bin/false', workers: -1, chunk: -1, onProgress: 1,
      address: 1, authkey: 1, format: 'xml', maxBytes: -1, limit: -1, id: '1:1', size: 1,
    };
    for (const [key, value] of Object.entries(polluted)) {
      Object.defineProperty(Object.prototype, key, { value, configurable: true, writable: true });
    }
    const made = [];
    const keep = (object) => (made.push(object), object);
    const failed = [];
    const attempt = async (what, act) => {
      try {
        await act();
      } catch (error) {
        failed.push(what + ': ' + error.message);
      }
    };
    for (const options of [undefined, {}]) {
      const with_ = (more) => ({ ...options, ...more });
      await attempt('create', () => keep(SharedMemory.create(16, options)));
      await attempt('createAsync', async () => keep(await SharedMemory.createAsync(16, options)));
      const shm = made[0];
      await attempt('attach', () => SharedMemory.attach(shm.name, options).write(new Uint8Array(1)));
      await attempt('a descriptor', () => SharedMemory.attach({ kind: 'memory', name: shm.name }, options).write(new Uint8Array(1)));
      await attempt('shmkit.attach', () => shmkit.attach(shm.toJSON(), options).close());
      await attempt('txnSync', () => shm.txnSync((txn) => void (txn.bytes[0] = 1), options));
      await attempt('txn', () => shm.txn((txn) => void (txn.bytes[0] = 1), options));
      await attempt('list', () => ShareableList.attach(keep(ShareableList.create([1, 'a'], options)).name, options));
      await attempt('array', () => SharedArray.attach(keep(SharedArray.create([2, 3], options)).name, options));
      await attempt('dict', async () => {
        const dict = keep(SharedDict.create(options));
        SharedDict.attach(dict.name, options).set('a', 1);
        dict.txnSync((txn) => void txn.set('a', 2), options);
        await dict.txn((txn) => void txn.set('a', 2), options);
      });
      await attempt('queue', async () => {
        const queue = keep(SharedQueue.create(with_({ slots: 2 })));
        queue.pushSync(Float64Array.of(1), options);
        await SharedQueue.attach(queue.name, options).pop(options);
        queue.holders();
      });
      await attempt('broadcast', async () => {
        const broadcast = keep(SharedBroadcast.create(with_({ slots: 2 })));
        const subscription = broadcast.subscribe(options);
        await broadcast.publish(Float64Array.of(1), options);
        subscription.nextSync(options);
      });
      await attempt('mutex', async () => {
        const mutex = keep(shmkit.SharedMutex.createOrAttach('own-options-' + process.pid, options));
        (await mutex.lock(options)).unlock();
        mutex.lockSync(options).unlock();
      });
      await attempt('collectGarbage', () => shmkit.collectGarbage(options));
      await attempt('segment pool', () => new shmkit.SegmentPool(options).close());
      await attempt('manager', () => new shmkit.SharedMemoryManager(options));
      await attempt('pool', () => new shmkit.Pool(import.meta.url, options).close());
    }
    const modes = new Set(made.map(({ name }) => (statSync('/dev/shm/' + name).mode & 0o777).toString(8)));
    for (const object of made) {
      object.close();
      try { object.unlink(); } catch {}
    }
    console.log(JSON.stringify({ failed, modes: [...modes], count: made.length }));
    process.exit();`;
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
  t.deepEqual(JSON.parse(said.trim().split('\n').at(-1)!), { failed: [], modes: ['600'], count: 16 });
});

test('an option object without a prototype is as good', (t) => {
  const options = Object.assign(Object.create(null) as object, { name: freshName(t), mode: 0o640 });
  using shm = SharedMemory.create(16, options);
  t.is(statSync(segmentPath(shm.name)).mode & 0o777, 0o640);
  shm.unlink();
});

test('attach() of a descriptor refuses an option that its kind does not have', (t) => {
  using queue = SharedQueue.create({ name: freshName(t), slots: 2 });
  using mutex = SharedMutex.createOrAttach(freshName(t));
  using dict = SharedDict.create({ name: freshName(t) });
  for (const [object, option] of [
    [queue, 'readOnly'],
    [mutex, 'readOnly'],
    [dict, 'reserve'],
  ] as const) {
    t.throws(() => attach(object.toJSON(), { [option]: true }), {
      code: 'ERR_INVALID_ARG_TYPE',
      message: new RegExp(option),
    });
  }
  using reader = attach(dict.toJSON(), { readOnly: true }) as SharedDict;
  t.throws(() => reader.set('a', 1), { code: 'ERR_SHM_READ_ONLY' });
});

test('attach() of a dict refuses the option reserve, which it never had a use for', (t) => {
  using dict = SharedDict.create({ name: freshName(t) });
  t.throws(() => SharedDict.attach(dict.name, { reserve: true } as never), {
    code: 'ERR_INVALID_ARG_TYPE',
    message: /reserve/,
  });
  dict.unlink();
});

test('a segment pool ends by close(), any number of times', (t) => {
  const pool = new SegmentPool();
  const idle = pool.acquire(100);
  const lent = pool.acquire(100);
  pool.release(idle);
  pool.close();
  pool.close();
  t.throws(() => SharedMemory.attach(idle.name), { code: 'ENOENT' });
  t.throws(() => pool.acquire(1), { code: 'ERR_SHM_CLOSED' });
  t.is(lent.closed, false);
  pool.release(lent);
  t.throws(() => SharedMemory.attach(lent.name), { code: 'ENOENT' });
});
