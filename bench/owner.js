// The other process of the tracker's rows: it makes segments, says how long the first of them took, and goes, with
// all of them, when its standard input ends. Plain JavaScript: a loader for TypeScript would share the processor
// with what is timed.
import { SharedMemory } from 'shmkit';

const SIZE = 4096;
const count = Number(process.argv[2]);

const start = process.hrtime.bigint();
const first = SharedMemory.create(SIZE);
const ns = Number(process.hrtime.bigint() - start);

const made = [first];
while (made.length < count) made.push(SharedMemory.create(SIZE));
for (const shm of made) shm.close(); // what is owned is the name
console.log(JSON.stringify({ ns, name: first.name }));

process.stdin.resume().on('end', () => {
  for (const shm of made) shm.unlink();
});
