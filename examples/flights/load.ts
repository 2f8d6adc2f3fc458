// A child process that reads the file into the shared columns. In a process of its own it leaves the parent free
// to answer signals, and takes the memory that decoding needs away with it.
import { once } from 'node:events';
import { SharedMemory } from 'shmkit';
import { readFlights } from './columns.js';
import type { LoadJob } from './job.js';
import { endWithParent, leaveInterruptsToParent } from './orphan.js';

leaveInterruptsToParent();
const [job] = (await once(process, 'message')) as [LoadJob];
using delay = SharedMemory.attach(job.delay);
using distance = SharedMemory.attach(job.distance);
const releaseParent = endWithParent([delay, distance]);
await readFlights({ delay: new Int16Array(delay.buffer), distance: new Uint16Array(distance.buffer) });
releaseParent();
