// The worker threads of scenarios.ts. Plain JavaScript: Node 20 has no loader for TypeScript in its workers.
import { parentPort, workerData } from 'node:worker_threads';

import { SharedMemory } from 'shmkit';

const parts = {
  'moves its buffer here and exits'() {
    const shm = SharedMemory.create(65536);
    shm.buf.fill(7);
    shm.unlink();
    const moved = shm.buffer.transfer?.() ?? shm.buffer;
    try {
      parentPort.postMessage(moved, [moved]);
    } catch {
      parentPort.postMessage('not transferable');
    }
    setImmediate(() => process.exit(0));
  },
  'holds segments'() {
    const held = Array.from({ length: 50 }, () => {
      const shm = SharedMemory.create(1 << 20);
      shm.buf.fill(1);
      shm.unlink();
      return shm;
    });
    parentPort.postMessage('ready');
    setInterval(() => held.length, 1000);
  },
  async 'creates asynchronously'() {
    parentPort.postMessage('ready');
    for (;;) {
      const shm = await SharedMemory.createAsync(1 << 20);
      shm.unlink();
      shm.buf[0] = 1;
    }
  },
  'makes buffers without end'() {
    parentPort.postMessage('ready');
    for (;;) {
      const shm = SharedMemory.create(65536);
      shm.unlink();
      shm.buf[0] = 1;
      try {
        new Uint8Array(shm.sharedBuffer())[1] = 1;
      } catch (error) {
        if (error.code !== 'ERR_SHM_UNSUPPORTED') throw error;
      }
      if (shm.buf[0] === 1) shm.close();
    }
  },
  'increments a shared buffer'() {
    parentPort.on('message', (shared) => {
      Atomics.add(new Uint8Array(shared), 0, 1);
      parentPort.postMessage('done');
    });
  },
};

await parts[workerData]();
