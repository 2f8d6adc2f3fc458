import { SharedMemory } from 'shmkit';

import { sizeName } from '../context.js';
import type { Context } from '../context.js';
import { timed } from '../harness.js';
import type { Row } from '../harness.js';

/** Small enough for the processor's caches: it is the access that is measured, and not the memory. */
const BYTES = 64 * 1024;
const SAME = { target: { time: 1.1 } };

const buf = (shm: SharedMemory) => shm.buf;
const bytes = (shm: SharedMemory) => new Uint8Array(shm.buffer);
const ints = (shm: SharedMemory) => new Int32Array(shm.buffer);
const doubles = (shm: SharedMemory) => new Float64Array(shm.buffer);
const plainBuf = (size: number) => Buffer.alloc(size);
const plainBytes = (size: number) => new Uint8Array(size);
const plainInts = (size: number) => new Int32Array(size / 4);
const plainDoubles = (size: number) => new Float64Array(size / 8);

/** Element access over the mapping against the same loop over memory of this process alone. */
export function accessRows(context: Context): Row[] {
  const segment = (name: string, size = BYTES): SharedMemory => {
    const shm = SharedMemory.create(size, { name: `${context.prefix}-${name}` });
    context.cleanup.defer(() => {
      shm.close();
      shm.unlink();
    });
    return shm;
  };

  /** One loop, once over `ours` and once over `plain`, which are of one class. */
  const row = <View extends { readonly length: number }>(
    name: string,
    view: (shm: SharedMemory) => View,
    plain: (size: number) => View,
    body: (view: View, passes: number) => unknown,
  ): Row => ({
    name,
    ops: plain(BYTES).length,
    open() {
      detachOne();
      const ours = view(segment('access'));
      const theirs = plain(BYTES);
      return {
        shmkit: timed((n) => body(ours, n)),
        peers: [{ name: `plain ${theirs.constructor.name}`, run: timed((n) => body(theirs, n)), ...SAME }],
      };
    },
  });

  return [
    row('read buf[i]', buf, plainBuf, readBuffer),
    row('write buf[i]', buf, plainBuf, writeBuffer),
    row('read-modify-write buf[i]', buf, plainBuf, updateBuffer),
    {
      // As it stands in most programs: the getter is asked for each element.
      name: 'read shm.buf[i], the getter each time',
      ops: BYTES,
      open() {
        detachOne();
        const shm = segment('getter');
        const plain = { buf: Buffer.alloc(BYTES) };
        return {
          shmkit: timed((n) => readThroughGetter(shm, n)),
          peers: [
            { name: "plain object's property", run: timed((n) => readThroughProperty(plain, n)), ...SAME },
          ],
        };
      },
    },
    row('read Float64Array', doubles, plainDoubles, readDoubles),
    row('write Float64Array', doubles, plainDoubles, writeDoubles),
    row('read-modify-write Float64Array', doubles, plainDoubles, updateDoubles),
    row('read-modify-write Int32Array', ints, plainInts, updateInts),
    row('read-modify-write Uint8Array', bytes, plainBytes, updateBytes),
    {
      // The physical limit: nothing that goes through every byte is faster than the memory.
      name: `copy ${sizeName(context.large)} into the segment (memcpy)`,
      open() {
        const source = Buffer.alloc(context.large, 1);
        const target = Buffer.alloc(context.large, 2);
        const shm = segment('memcpy', context.large);
        const { buf: into } = shm;
        into.fill(2);
        return {
          shmkit: timed((n) => copyBuffer(source, into, n)),
          peers: [
            { name: 'into a plain Buffer', run: timed((n) => copyBuffer(source, target, n)), ...SAME },
            { name: 'shm.write()', run: timed((n) => writeCopies(source, shm, n)) },
          ],
        };
      },
    },
  ];
}

/**
 * From the first buffer on that a thread detaches, as close() does, V8 checks every access to any typed
 * array in it. That is the state of most programs that run for a while, so all rows are measured in it.
 */
function detachOne(): void {
  structuredClone(null, { transfer: [new ArrayBuffer(8)] });
}

function readBuffer(view: Buffer, passes: number): number {
  let sum = 0;
  for (let pass = 0; pass < passes; pass++) {
    for (let i = 0; i < view.length; i++) sum = (sum + view[i]!) | 0;
  }
  return sum;
}

function writeBuffer(view: Buffer, passes: number): number {
  for (let pass = 0; pass < passes; pass++) {
    for (let i = 0; i < view.length; i++) view[i] = i + pass;
  }
  return view[view.length - 1]!;
}

function updateBuffer(view: Buffer, passes: number): number {
  for (let pass = 0; pass < passes; pass++) {
    for (let i = 0; i < view.length; i++) view[i] = view[i]! + 1;
  }
  return view[view.length - 1]!;
}

function readThroughGetter(shm: SharedMemory, passes: number): number {
  let sum = 0;
  for (let pass = 0; pass < passes; pass++) {
    for (let i = 0; i < BYTES; i++) sum = (sum + shm.buf[i]!) | 0;
  }
  return sum;
}

function readThroughProperty(plain: { buf: Buffer }, passes: number): number {
  let sum = 0;
  for (let pass = 0; pass < passes; pass++) {
    for (let i = 0; i < BYTES; i++) sum = (sum + plain.buf[i]!) | 0;
  }
  return sum;
}

function readDoubles(view: Float64Array, passes: number): number {
  let sum = 0;
  for (let pass = 0; pass < passes; pass++) {
    for (let i = 0; i < view.length; i++) sum += view[i]!;
  }
  return sum;
}

function writeDoubles(view: Float64Array, passes: number): number {
  for (let pass = 0; pass < passes; pass++) {
    for (let i = 0; i < view.length; i++) view[i] = i + pass;
  }
  return view[view.length - 1]!;
}

function updateDoubles(view: Float64Array, passes: number): number {
  for (let pass = 0; pass < passes; pass++) {
    for (let i = 0; i < view.length; i++) view[i] = view[i]! + 1;
  }
  return view[view.length - 1]!;
}

function updateInts(view: Int32Array, passes: number): number {
  for (let pass = 0; pass < passes; pass++) {
    for (let i = 0; i < view.length; i++) view[i] = view[i]! + 1;
  }
  return view[view.length - 1]!;
}

function updateBytes(view: Uint8Array, passes: number): number {
  for (let pass = 0; pass < passes; pass++) {
    for (let i = 0; i < view.length; i++) view[i] = view[i]! + 1;
  }
  return view[view.length - 1]!;
}

function copyBuffer(source: Buffer, target: Buffer, times: number): number {
  let copied = 0;
  for (let i = 0; i < times; i++) copied += source.copy(target);
  return copied;
}

function writeCopies(source: Buffer, shm: SharedMemory, times: number): number {
  for (let i = 0; i < times; i++) shm.write(source);
  return shm.buf[0]!;
}
