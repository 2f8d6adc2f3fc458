/** What `pool.mapArray` calls. */
import { existsSync, writeFileSync } from 'node:fs';

import type { SharedArray } from 'shmkit';

type Floats = SharedArray<'float64'>;

export function roots(input: Floats, output: Floats): void {
  for (let i = 0; i < input.size; i++) output.set(Math.sqrt(input.get(i)), i);
}

/** Each row's first element becomes the row's index. */
export function index(input: SharedArray, output: Floats, from: number): void {
  for (let row = 0; row < input.shape[0]!; row++) output.set(from + row, row, 0);
}

/** Of the part that begins with that element the worker dies, the first time. */
export function dieOnce(input: Floats, output: Floats, from: number): void {
  const [at, marker] = (process.env['SHMKIT_TEST_DIE'] ?? '').split(',');
  roots(input, output);
  if (from === Number(at) && !existsSync(marker!)) {
    writeFileSync(marker!, '');
    process.kill(process.pid, 'SIGKILL');
  }
}

export function dieAlways(_input: Floats, _output: Floats, from: number): void {
  if (from >= 500) process.kill(process.pid, 'SIGKILL');
}

/** With the part that begins there it never comes back; it wrote to that part before. */
export function hangAt(_input: Floats, output: Floats, from: number): void {
  output.set(output.get(0) + 1, 0);
  if (from >= 500) for (;;);
}

export function failAt(_input: Floats, _output: Floats, from: number): void {
  if (from >= 500) throw new RangeError('no');
}

let parts: readonly SharedArray[] = [];

/** The parts of the call before are closed, and so will be the segment of this one. */
export function closeAll(input: SharedArray, output: Floats): void {
  if (parts.some((part) => !part.closed)) throw new Error('a part is open after its call');
  parts = [input, output];
  roots(input as Floats, output);
  input.shm.close();
}
