/** Misuses of handles and views: after close(), in flight, across threads, and of what keeps a segment alive. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { promisify } from 'node:util';
import { MessageChannel } from 'node:worker_threads';
import zlib from 'node:zlib';

import { collectGarbage, joinPythonTracker, segments, SharedMemory, unlink } from 'shmkit';

import { random, sink, wrong, turn, code, refused, either, segment, worker } from './tools.js';
import type { Misuses } from './tools.js';

export const lifetime: Misuses = {
  'views that outlive the close': () => {
    const views = segment((shm) => [
      shm.buf,
      new Float64Array(shm.buffer),
      shm.buf.subarray(9),
      new DataView(shm.buffer),
    ]);
    for (const view of views.slice(0, 3) as Buffer[]) {
      assert.equal(view.length, 0);
      view[0] = 1;
      assert.throws(() => view.fill(1), TypeError); // V8's error for a detached buffer
    }
  },
  'transfer, then close': () => {
    const moved = segment((shm) => {
      const buffer = shm.buffer as ArrayBuffer & { transfer?: () => ArrayBuffer };
      return random.below(2) === 0 ? buffer.transfer?.() : structuredClone(buffer);
    });
    if (moved !== undefined) new Uint8Array(moved).fill(3);
  },
  'clones and posts': () =>
    segment((shm) => {
      const { port1, port2 } = new MessageChannel();
      refused(() => structuredClone(shm));
      refused(() => port1.postMessage(shm));
      refused(() => port1.postMessage({ deep: [shm] }));
      port1.postMessage(shm.buf);
      port1.postMessage(shm.buffer);
      try {
        structuredClone(shm.buffer, { transfer: [shm.buffer] });
      } catch {
        // this Node does not transfer it
      }
      port1.close();
      port2.close();
    }),
  'zlib.gzip in flight': async () => {
    const done = segment((shm) => promisify(zlib.gzip)(shm.buf));
    await done;
  },
  'fs.write in flight': async () => {
    const done = segment(
      (shm) =>
        new Promise<unknown>((resolve) => {
          fs.write(sink, shm.buf, (error, bytes) => resolve(error ?? bytes));
        }),
      65536,
    );
    await done;
  },
  'a create that is aborted': async () => {
    const abort = new AbortController();
    const size = 1 + random.below(32 << 20);
    if (random.below(3) === 0) abort.abort();
    const made = SharedMemory.createAsync(size, { signal: abort.signal }).then(
      (shm) => {
        shm.close();
        shm.unlink();
      },
      (error: unknown) => assert.ok(code(error) !== undefined, String(error)),
    );
    if (random.below(2) === 0) await turn();
    abort.abort();
    await made;
  },
  'dropped handles': async () => {
    either(() => SharedMemory.attach(segment((shm) => shm).name));
    const kept = SharedMemory.create(1 << 16);
    kept.unlink();
    const view = kept.buf;
    if (random.below(4) === 0) await turn();
    view.fill(1);
  },
  'ownership of segments that are gone, closed or without an owner': () => {
    const shm = SharedMemory.create(4096, { name: 'owned', track: random.below(2) === 0 });
    const other = SharedMemory.attach('owned');
    other.adopt();
    if (random.below(2) === 0) fs.rmSync('/dev/shm/owned');
    else shm.unlink();
    refused(() => SharedMemory.attach('owned').adopt(), 'ENOENT');
    refused(() => shm.unlink(), 'ENOENT');
    SharedMemory.createOrAttach('owned', 4096).close();
    refused(() => SharedMemory.attach(other.toJSON()), 'ERR_SHM_UNLINKED');
    other.close();
    refused(() => other.adopt(), 'ERR_SHM_CLOSED');
    unlink('owned');
    shm.close();
  },
  'housekeeping with odd arguments': () => {
    for (const name of ['', '..', '../x', 'a\0b', wrong<string>(7), '\ud800', 'n'.repeat(300), 'nowhere']) {
      refused(() => unlink(name));
    }
    for (const options of [5, null, { dry: true }, { dryRun: 1 }, { python: 'yes' }]) {
      refused(() => collectGarbage(wrong(options)));
    }
    for (const descriptor of [-1, 1.5, 1e9, '3', null, sink])
      refused(() => joinPythonTracker(wrong(descriptor)));
    either(() => collectGarbage({ dryRun: random.below(2) === 0 }));
    assert.ok(segments().every(({ name }) => typeof name === 'string'));
  },
  'the ledger’s descriptor closed, and its file removed': () => {
    const shm = SharedMemory.create(4096, { name: 'kept' });
    for (const fd of fs.readdirSync('/proc/self/fd')) {
      try {
        if (/\.ledger/.test(fs.readlinkSync(`/proc/self/fd/${fd}`))) fs.closeSync(Number(fd));
      } catch {
        // the descriptor of the listing itself
      }
    }
    const directory = `/dev/shm/.shmkit-${process.geteuid?.()}`;
    if (random.below(2) === 0) fs.rmSync(directory, { recursive: true, force: true });
    either(() => SharedMemory.create(100).unlink());
    either(() => SharedMemory.create(100).unlink());
    shm.close();
    shm.unlink();
  },
  'a worker that moves its buffer and exits': async () => {
    const thread = await worker(`
      const shm = SharedMemory.create(65536);
      shm.unlink();
      const moved = shm.buffer.transfer?.() ?? shm.buffer;
      try { parentPort.postMessage(moved, [moved]) } catch { parentPort.postMessage(0) }
      if (${random.below(2)}) process.exit();
    `);
    await thread.terminate();
  },
  'a worker terminated at work': async () => {
    const thread = await worker(`
      const shm = SharedMemory.create(65536);
      const list = ShareableList.create([1, 'abc', null]);
      shm.unlink(); list.unlink();
      parentPort.postMessage(0);
      for (;;) {
        shm.buf.fill(1);
        list.set(1, 'def');
        const other = SharedMemory.create(4096);
        other.buf[0] = 1;
        other.unlink();
        if (Math.random() < 0.5) other.close();
        if (Math.random() < 0.1) await SharedMemory.createAsync(4096).then((made) => made.unlink());
      }
    `);
    for (let i = random.below(20); i > 0; i--) await turn();
    await thread.terminate();
  },
};
