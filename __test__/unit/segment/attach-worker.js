// A worker thread that attaches to what it is posted and says what is in it. Plain JavaScript: not every
// Node lets a loader of TypeScript into a worker.
import { parentPort } from 'node:worker_threads';

import { attach, SharedMemory } from 'shmkit';

parentPort.on('message', (descriptor) => {
  const object = attach(descriptor);
  const isMemory = object instanceof SharedMemory;
  const seen = isMemory ? object.buf.toString('latin1', 0, 5) : object.toArray();
  if (isMemory) object.buf[object.size - 1] = 0xa5;
  object.close();
  parentPort.postMessage(seen);
});
