/**
 * What could reach unmapped memory, each in a process of its own: `scenarios.ts NAME` ends with code 0, or
 * with whatever went wrong. Run by ../lifetime.test.ts.
 */
import assert from 'node:assert/strict';
import { constants } from 'node:buffer';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import zlib from 'node:zlib';

import { ShareableList, SharedMemory } from 'shmkit';

const gc = (globalThis as { gc?: () => void }).gc ?? (() => undefined);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** One line of /proc/self/status, in MB. */
function status(key: string): number {
  const line = fs.readFileSync('/proc/self/status', 'utf8').match(`${key}:\\s+(\\d+)`);
  return Number(line?.[1]) / 1024;
}

function startWorker(name: string): Worker {
  return new Worker(new URL('worker.js', import.meta.url), { workerData: name, execArgv: [] });
}

async function message(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

const scenarios: Record<string, () => Promise<void> | void> = {
  async 'zlib.gzip in flight while its segment closes'() {
    for (let round = 0; round < 200; round++) {
      const shm = SharedMemory.create(8192); // what one call of the engine takes; see docs/limits.md
      shm.buf.fill('abc');
      const done = promisify(zlib.gzip)(shm.buf);
      if (round % 2 === 1) await turn();
      shm.close();
      shm.unlink();
      assert.ok((await done).length > 0);
    }
  },

  async 'fs.write in flight while its segment closes'() {
    const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'shmkit-')), 'out');
    const fd = fs.openSync(file, 'w');
    const write = promisify(fs.write) as (
      fd: number,
      bytes: Buffer,
      o: number,
      n: number,
      at: number,
    ) => Promise<unknown>;
    for (let round = 0; round < 40; round++) {
      const shm = SharedMemory.create(8 << 20);
      shm.buf.fill(1);
      const done = write(fd, shm.buf, 0, shm.size, 0);
      if (round % 2 === 1) await turn();
      shm.close();
      shm.unlink();
      await done;
    }
    fs.closeSync(fd);
    fs.rmSync(path.dirname(file), { recursive: true });
  },

  async 'a buffer that was transferred elsewhere, then close'() {
    for (let round = 0; round < 2000; round++) {
      const shm = SharedMemory.create(4096);
      shm.buf[0] = 7;
      const moved = (shm.buffer as ArrayBuffer & { transfer?: () => ArrayBuffer }).transfer?.() ?? shm.buffer;
      const view = new Uint8Array(moved);
      assert.deepEqual([...view.subarray(0, 1)], [7]);
      shm.close();
      let bits = 0; // of a view that is detached, or of zero pages
      for (let i = 0; i < view.length; i++) bits |= view[i]!;
      assert.equal(bits, 0);
      if (view.length > 0) view[1] = 1;
      shm.unlink();
      if (round % 500 === 0) gc();
      if (round % 100 === 0) await turn();
    }
  },

  'a handle whose buffer was transferred says so, until it is closed'() {
    const transfer = (shm: SharedMemory): unknown =>
      (shm.buffer as ArrayBuffer & { transfer?: () => ArrayBuffer }).transfer?.();
    const shm = SharedMemory.create(64);
    const list = ShareableList.create([1, 'a']);
    shm.unlink();
    list.unlink();
    if (transfer(shm) === undefined) return; // Node 20 has no transfer()
    transfer(list.shm);
    for (const use of [
      () => shm.buf,
      () => shm.buffer,
      () => list.get(0),
      () => list.set(0, 1),
      () => [...list],
    ]) {
      assert.throws(use, { code: 'ERR_SHM_DETACHED' }, use.toString());
    }
    shm.write(new Uint8Array([5]));
    assert.equal(shm.read(0, 1)[0], 5);
    shm.close();
    assert.throws(() => shm.buf, { code: 'ERR_SHM_CLOSED' });
  },

  async 'a buffer that a worker moved to us, then exited'() {
    for (let round = 0; round < 20; round++) {
      const worker = startWorker('moves its buffer here and exits');
      const ended = new Promise((resolve) => worker.once('exit', resolve));
      const got = await message(worker);
      await ended;
      gc();
      await turn();
      if (got instanceof ArrayBuffer) {
        const view = new Uint8Array(got);
        for (let i = 0; i < view.length; i += 512) view[i] = view[i]! + 1;
      }
    }
  },

  async 'workers that end with segments open'() {
    const before = status('RssShmem');
    for (let round = 0; round < 20; round++) {
      const worker = startWorker('holds segments');
      await message(worker);
      await worker.terminate();
    }
    assert.ok(status('RssShmem') < before + 20, `${status('RssShmem')} MB of ${20 * 50} are left`);
  },

  async 'workers terminated while createAsync is at work'() {
    for (let round = 0; round < 20; round++) {
      const worker = startWorker('creates asynchronously');
      await message(worker);
      for (let i = 0; i < round; i++) await turn();
      await worker.terminate();
    }
  },

  async 'workers terminated while they make buffers leave no mapping'() {
    for (let round = 0; round < 30; round++) {
      const worker = startWorker('makes buffers without end');
      await message(worker);
      for (let i = 0; i < round * 10; i++) await turn();
      await worker.terminate();
    }
    for (let i = 0; i < 20; i++) {
      gc();
      await turn();
    }
    const left = fs.readFileSync('/proc/self/maps', 'utf8').match(/\/dev\/shm/g) ?? [];
    assert.equal(left.length, 0, `${left.length} mappings are left`);
  },

  async '90,000 create/close/unlink in synchronous loops'() {
    const maps = (): number => fs.readFileSync('/proc/self/maps', 'utf8').split('\n').length;
    const loop = (times: number): void => {
      for (let i = 0; i < times; i++) {
        const shm = SharedMemory.create(4096);
        shm.buf[0] = 1;
        shm.close();
        shm.unlink();
      }
    };
    loop(70_000);
    await turn();
    gc();
    await turn();
    const memory = status('VmRSS');
    const mappings = maps();
    loop(20_000);
    assert.ok(status('VmRSS') < memory + 30, `from ${memory} to ${status('VmRSS')} MB`);
    assert.ok(maps() < mappings + 1000, `from ${mappings} to ${maps()} mappings`);
  },

  '30 of 64 MB in one synchronous loop'() {
    const before = status('VmRSS');
    for (let i = 0; i < 30; i++) {
      const shm = SharedMemory.create(64 << 20);
      shm.buf.fill(1);
      shm.close();
      shm.unlink();
      assert.ok(status('VmRSS') < before + 128, `from ${before} to ${status('VmRSS')} MB after ${i + 1}`);
    }
  },

  async 'handles dropped without close give their memory back'() {
    const before = status('VmRSS');
    for (let i = 0; i < 50; i++) {
      const shm = SharedMemory.create(16 << 20);
      shm.buf.fill(1);
      shm.unlink();
      gc();
      await turn();
    }
    await turn();
    assert.ok(status('VmRSS') < before + 100, `from ${before} to ${status('VmRSS')} MB, of 800`);
  },

  async 'a view outlives the handle that nobody closed'() {
    const views = Array.from({ length: 20 }, () => {
      const shm = SharedMemory.create(4096);
      shm.buf.fill(9);
      shm.unlink();
      return new Uint8Array(shm.buffer);
    });
    for (let i = 0; i < 5; i++) {
      gc();
      await turn();
    }
    for (const view of views) assert.ok(view.every((byte) => byte === 9));
  },

  'every use after close is an error, and every view is empty'() {
    const shm = SharedMemory.create(4096);
    const list = ShareableList.create([1, 2.5, 'x', null, true, new Uint8Array([1])]);
    const { buf, buffer } = shm;
    const words = new BigInt64Array(buffer);
    const { name } = shm;
    shm.close();
    shm.close();
    list.close();
    assert.deepEqual([buf.length, buffer.byteLength, words.length], [0, 0, 0]);
    assert.equal(words[0], undefined);
    const uses: Array<() => unknown> = [
      () => shm.buf,
      () => shm.buffer,
      () => shm.read(),
      () => shm.write(new Uint8Array(1)),
      () => shm.sharedBuffer(),
      () => list.get(0),
      () => list.get(2),
      () => list.set(0, 1),
      () => list.set(2, 'y'),
      () => list.format,
      () => list.toArray(),
      () => [...list],
      () => list.indexOf(1),
      () => list.includes(1),
      () => list.count(1),
    ];
    for (const use of uses) assert.throws(use, { code: 'ERR_SHM_CLOSED' }, use.toString());
    assert.deepEqual([shm.name, shm.size, shm.closed, list.length, list.closed], [name, 4096, true, 6, true]);
    shm.unlink();
    list.unlink();
  },

  async 'a SharedArrayBuffer lives on in a worker after close'() {
    const shm = SharedMemory.create(4096);
    let shared: SharedArrayBuffer;
    try {
      shared = shm.sharedBuffer();
    } catch (error) {
      // Node 20, and early 22 and 24: the error says what to do instead.
      assert.equal((error as { code?: string }).code, 'ERR_SHM_UNSUPPORTED');
      shm.unlink();
      return;
    }
    const worker = startWorker('increments a shared buffer');
    worker.postMessage(shared);
    await message(worker);
    assert.equal(shm.buf[0], 1);
    shm.close();
    shm.unlink();
    worker.postMessage(shared);
    await message(worker);
    assert.equal(new Uint8Array(shared)[0], 2);
    await worker.terminate();
  },

  'more bytes than this Node has buffers for: read and write still work'() {
    const size = 5 * 2 ** 30;
    const shm = SharedMemory.create(size, { reserve: false });
    if (size > constants.MAX_LENGTH) {
      assert.throws(() => shm.buf, { code: 'ERR_SHM_BUFFER_TOO_LARGE' });
      assert.throws(() => shm.buffer, { code: 'ERR_SHM_BUFFER_TOO_LARGE' });
      assert.throws(() => shm.read(), { code: 'ERR_OUT_OF_RANGE' });
    } else {
      shm.buf[size - 1] = 5;
      assert.equal(shm.buf.length, size);
    }
    shm.write(Buffer.from('far out'), size - 7);
    assert.equal(shm.read(size - 7).toString(), 'far out');
    shm.close();
    shm.unlink();
  },

  'a full /dev/shm is ENOSPC at creation, and nothing is left of it'() {
    // Run with 16 MB of its own.
    const kept = SharedMemory.create(8 << 20);
    kept.buf.fill(5);
    assert.throws(() => SharedMemory.create(64 << 20), { code: 'ENOSPC', syscall: 'posix_fallocate' });
    assert.throws(() => SharedMemory.create(12 << 20, { name: 'too-large' }), { code: 'ENOSPC' });
    assert.throws(() => SharedMemory.attach('too-large'), { code: 'ENOENT' });
    assert.throws(() => SharedMemory.createOrAttach('too-large', 12 << 20), { code: 'ENOSPC' });
    const long = Array.from({ length: 200_000 }, () => 'x'.repeat(40));
    assert.throws(() => ShareableList.create(long), { code: 'ENOSPC' });
    // A list is written at once, so not reserving its memory would be a SIGBUS here.
    assert.throws(() => ShareableList.create(long, { reserve: false }), { code: 'ENOSPC' });
    // A sparse one is made all right, and refused to whoever attaches to use it.
    const sparse = SharedMemory.create(12 << 20, { reserve: false });
    assert.throws(() => SharedMemory.attach(sparse.name), { code: 'ENOSPC' });
    SharedMemory.attach(sparse.name, { reserve: false }).close();
    sparse.unlink();
    const left = fs.readdirSync('/dev/shm').filter((name) => !name.startsWith('.shmkit-'));
    assert.deepEqual(left, [kept.name]);
    assert.ok(kept.buf.every((byte) => byte === 5));
    kept.close();
    kept.unlink();
    const again = SharedMemory.create(12 << 20);
    again.buf.fill(1);
    again.unlink();
  },
};

/** The names of all, for the test that runs them. */
export const names = Object.keys(scenarios);

await scenarios[process.argv[2] ?? '']?.();
