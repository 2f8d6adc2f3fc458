/**
 * `npx tsx examples/frames/main.ts`: frames of a camera through a queue to numpy, which finds the ball in each of them.
 * They are drawn in the queue's slots and read there; nothing is copied, and the camera waits where numpy is slower.
 *
 * It needs a Python with numpy and the package shmkit: `python3`, or what PYTHON says.
 */
import { Pool, SharedArray, SharedQueue } from 'shmkit';

import { draw, HEIGHT, place, WIDTH } from './camera.js';

const FRAMES = 200;

await using pool = new Pool(new URL('finder.py', import.meta.url), {
  workers: 1,
  python: process.env['PYTHON'] ?? 'python3',
});
using frames = SharedQueue.create({ slots: 4, shape: [HEIGHT, WIDTH], dtype: 'uint8' });
using found = SharedArray.create([FRAMES, 2], { dtype: 'int32' });

await pool.run('ready');
const start = performance.now();
const finding = pool.run<number>('find', frames, found);
for (let frame = 0; frame < FRAMES; frame++) {
  using slot = await frames.claim();
  draw(slot.data, frame);
  slot.commit();
}
frames.end();
const count = await finding;
const seconds = (performance.now() - start) / 1000;

let right = 0;
for (let frame = 0; frame < FRAMES; frame++) {
  const { row, column } = place(frame);
  if (found.get(frame, 0) === row && found.get(frame, 1) === column) right++;
}
const megabytes = (FRAMES * WIDTH * HEIGHT) / 1e6;
console.log(`${count} frames of ${WIDTH} × ${HEIGHT}, the ball found in ${right}`);
console.log(`${(FRAMES / seconds).toFixed(0)} frames a second, ${(megabytes / seconds).toFixed(0)} MB/s`);
