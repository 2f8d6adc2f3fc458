import { SegmentPool, SharedMemory } from 'shmkit';

import { sizeName } from '../context.js';
import type { Context } from '../context.js';
import { timed } from '../harness.js';
import type { Row } from '../harness.js';

const PAGE = 4096;

/** A segment that is written to and used again, against a fresh one for each time. */
export function reuseRow({ quick, cleanup }: Context, bytes: number): Row {
  const size = quick ? bytes / 16 : bytes;
  return {
    name: `SegmentPool: acquire, fill, release ${sizeName(size)}`,
    open() {
      const pool = new SegmentPool();
      cleanup.defer(() => pool[Symbol.dispose]());
      return {
        shmkit: timed((n) => {
          for (let i = 0; i < n; i++) {
            const segment = pool.acquire(size);
            segment.buf.fill(i);
            pool.release(segment);
          }
        }),
        peers: [
          {
            name: 'create, touch each page, close, unlink',
            run: timed((n) => fresh(n, size, touch)),
            target: { faster: 8 },
          },
          { name: 'create, fill, close, unlink', run: timed((n) => fresh(n, size, fill)) },
        ],
      };
    },
  };
}

function fresh(times: number, size: number, use: (buf: Buffer, value: number) => void): void {
  for (let i = 0; i < times; i++) {
    const segment = SharedMemory.create(size);
    use(segment.buf, i);
    segment.close();
    segment.unlink();
  }
}

const fill = (buf: Buffer, value: number): void => void buf.fill(value);

function touch(buf: Buffer, value: number): void {
  for (let at = 0; at < buf.length; at += PAGE) buf[at] = value;
}
