/**
 * `npx tsx examples/txn.ts`: a producer and a consumer in two processes, on one segment. What one writes inside of a
 * txn the other sees whole, or not yet.
 *
 * In Python's words:
 *
 *     with shr.txn() as shm:                   with shr.txn(read_only=True) as shm:
 *         for i in range(100): shm[i] = i          print(shm[99], shm[0:10])
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { SharedEvent, SharedMemory } from 'shmkit';
import type { Descriptor } from 'shmkit';

const ROUNDS = 3;

async function produce(): Promise<void> {
  using shm = SharedMemory.create(100);
  using written = SharedEvent.createOrAttach(`${shm.name}-written`);
  using read = SharedEvent.createOrAttach(`${shm.name}-read`);
  const consumer = fork(fileURLToPath(import.meta.url), ['consume'], { serialization: 'json' });
  consumer.send([shm, written, read]);

  for (let round = 1; round <= ROUNDS; round++) {
    {
      using txn = await shm.txn();
      for (let i = 0; i < 100; i++) txn.bytes[i] = i * round;
    }
    written.set();
    await read.wait({ timeout: 10_000 });
    read.clear();
  }
  await once(consumer, 'exit');
}

async function consume([shm, written, read]: [SharedMemory, SharedEvent, SharedEvent]): Promise<void> {
  for (let round = 1; round <= ROUNDS; round++) {
    await written.wait({ timeout: 10_000 });
    written.clear();
    await shm.txn((txn) => console.log(`[99] is ${txn.get(99)}, [0:10] is ${txn.slice(0, 10).join(' ')}`), {
      readOnly: true,
    });
    read.set();
  }
}

if (process.argv[2] === 'consume') {
  const [[shm, written, read]] = (await once(process, 'message')) as [Descriptor[]];
  await consume([
    SharedMemory.attach(shm as Descriptor),
    SharedEvent.attach(written as Descriptor),
    SharedEvent.attach(read as Descriptor),
  ]);
  process.disconnect();
} else {
  await produce();
}
