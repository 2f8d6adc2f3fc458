/** `increments.js NAME COUNT`: adds 1 without atomics that many times inside a mutex, and as often inside txns. */
import { SharedMemory, SharedMutex } from 'shmkit';

const [name, count] = process.argv.slice(2);
const shm = SharedMemory.attach(name);
const mutex = SharedMutex.attach(`${name}-mutex`);
const words = new Int32Array(shm.buffer);
process.stdout.write('ready\n');
await new Promise((resolve) => process.stdin.once('data', resolve));
for (let i = 0; i < count; i++) {
  const guard = mutex.lockSync();
  words[0]++;
  guard.unlock();
  shm.txnSync(() => {
    words[1]++;
  });
}
process.exit();
