// A worker process: attaches to the columns, which it can read but not harm, and leaves its results and its
// progress in shared memory as well. It sends nothing.
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { SharedMemory } from 'shmkit';
import { bandTable } from './bands.js';
import { BoardRow } from './board.js';
import { resampleMeans } from './bootstrap.js';
import type { ResampleJob } from './job.js';
import { endWithParent, leaveInterruptsToParent } from './orphan.js';

leaveInterruptsToParent();
const [job] = (await once(process, 'message')) as [ResampleJob];
using delay = SharedMemory.attach(job.delay, { readOnly: true });
using distance = SharedMemory.attach(job.distance, { readOnly: true });
using results = SharedMemory.attach(job.results);
using row = new BoardRow(job.board, job.worker);
const releaseParent = endWithParent([delay, distance, results, row.list]);

const columns = { delay: new Int16Array(delay.buffer), distance: new Uint16Array(distance.buffer) };
const means = new Float64Array(results.buffer);
const bands = job.bandStarts.length;
const bandOf = bandTable(job.bandStarts);

row.state = 'working';
let done = 0;
for (let resample = job.first; resample < job.end; resample += job.step) {
  means.set(resampleMeans(columns, bandOf, bands, resample), (job.firstRow + resample) * bands);
  row.done = ++done;
  await setImmediate(); // lets the event loop see that the parent is gone
}
row.state = 'done';
releaseParent();
