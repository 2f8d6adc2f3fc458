import { SharedMemory } from 'shmkit';
import type { CreateOptions } from 'shmkit';

import { sizeName } from '../context.js';
import type { Context } from '../context.js';
import { timed } from '../harness.js';
import type { Row, Target } from '../harness.js';
import type { Arguments } from '../python.js';

/** A page. */
export const SMALL = 4096;

/** Making, opening and removing segments, as a user would write it, against the same lines in Python. */
export function lifecycleRows({ large, prefix, python, cleanup }: Context): Row[] {
  const row = (
    name: string,
    body: (iterations: number) => unknown,
    snippet: string,
    args: Arguments,
    target?: Target,
  ): Row => ({
    name,
    open: () => ({ shmkit: timed(body), peers: python ? [python.peer(snippet, args, target)] : [] }),
  });

  const filled = (name: string): string => {
    const shm = SharedMemory.create(SMALL, { name: `${prefix}-${name}` });
    cleanup.defer(() => {
      shm.close();
      shm.unlink();
    });
    shm.buf[0] = 7;
    return shm.name;
  };
  const attachRow = (name: string, body: (name: string, n: number) => number, snippet: string): Row => ({
    name,
    open() {
      const segment = filled(snippet);
      return {
        shmkit: timed((n) => body(segment, n)),
        peers: python ? [python.peer(snippet, { name: segment })] : [],
      };
    },
  });

  const small = sizeName(SMALL);
  const big = sizeName(large);
  const payload = Buffer.alloc(large, 1);
  return [
    row(
      `create, close, unlink ${small}, track: false`,
      (n) => cycle(n, { track: false }),
      'segment.cycle',
      { size: SMALL },
      { faster: 1.4 },
    ),
    row(
      `create, close, unlink ${small}, track: false, reserve: false`,
      (n) => cycle(n, { track: false, reserve: false }),
      'segment.cycle',
      { size: SMALL },
      { faster: 1.8 },
    ),
    row(
      `create, fill ${big}, close, unlink`,
      (n) => fill(n, large),
      'segment.fill',
      { size: large },
      { faster: 1 },
    ),
    row(
      `create, copy ${big} into it, close, unlink`,
      (n) => copy(n, payload),
      'segment.copy',
      { size: large },
      { faster: 1 },
    ),
    attachRow('attach, close', attach, 'segment.attach'),
    attachRow('attach, read a byte, close', attachAndRead, 'segment.attach_read'),
  ];
}

/** Create, close, unlink. */
export function cycle(iterations: number, options: CreateOptions): number {
  let bytes = 0;
  for (let i = 0; i < iterations; i++) {
    const shm = SharedMemory.create(SMALL, options);
    bytes += shm.size;
    shm.close();
    shm.unlink();
  }
  return bytes;
}

function fill(iterations: number, size: number): number {
  let last = 0;
  for (let i = 0; i < iterations; i++) {
    const shm = SharedMemory.create(size);
    last += shm.buf.fill(1)[size - 1]!;
    shm.close();
    shm.unlink();
  }
  return last;
}

function copy(iterations: number, payload: Buffer): number {
  let copied = 0;
  for (let i = 0; i < iterations; i++) {
    const shm = SharedMemory.create(payload.length);
    copied += payload.copy(shm.buf);
    shm.close();
    shm.unlink();
  }
  return copied;
}

function attach(name: string, iterations: number): number {
  let bytes = 0;
  for (let i = 0; i < iterations; i++) {
    const shm = SharedMemory.attach(name);
    bytes += shm.size;
    shm.close();
  }
  return bytes;
}

function attachAndRead(name: string, iterations: number): number {
  let total = 0;
  for (let i = 0; i < iterations; i++) {
    const shm = SharedMemory.attach(name);
    total += shm.buf[0]!;
    shm.close();
  }
  if (total !== 7 * iterations) throw new Error(`read ${total}`);
  return total;
}
