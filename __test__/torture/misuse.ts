/**
 * Every misuse we know of, `ROUNDS` times each, in an order that the seed gives: `misuse.ts SEED ROUNDS`.
 * Each ends well or with an error that has a `code`; anything else, and a crash above all, is a failure.
 * Runs in a `/dev/shm` of its own (512 MB), beside ./neighbour.ts which writes random bytes into everything.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { promisify } from 'node:util';
import { MessageChannel, Worker } from 'node:worker_threads';
import zlib from 'node:zlib';

import {
  attach,
  collectGarbage,
  float,
  joinPythonTracker,
  lockState,
  segments,
  ShareableList,
  SharedArray,
  SharedEvent,
  SharedBroadcast,
  SharedMemory,
  SharedMutex,
  SharedQueue,
  unlink,
} from 'shmkit';
import type { Descriptor, DType, Guard, ListItem, Subscription, Txn, WaitOptions } from 'shmkit';

import { Random } from './random.js';

const seed = Number(process.argv[2]);
const rounds = Number(process.argv[3]);
const random = new Random(seed);
const root = process.getuid?.() === 0 && fs.readFileSync('/proc/self/uid_map', 'utf8').includes('4294967295');
const sink = fs.openSync('/dev/null', 'w');

/** What type checks would have refused before the library sees it. */
const wrong = <T>(value: unknown): T => value as T;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const code = (error: unknown): unknown => (error as { code?: unknown }).code;

/** The call must throw an error with a code, or with the one given. */
function refused(call: () => unknown, ...codes: string[]): void {
  try {
    call();
  } catch (error) {
    if (codes.length > 0 ? codes.includes(String(code(error))) : code(error) !== undefined) return;
    throw error;
  }
  assert.fail(`not refused: ${call.toString()}`);
}

/** The call may do either: the neighbour is at work. */
function either(call: () => unknown): void {
  try {
    call();
  } catch (error) {
    if (typeof code(error) !== 'string') throw error;
  }
}

/** A segment for one misuse. */
function segment<T>(use: (shm: SharedMemory) => T, size = 4096): T {
  const shm = SharedMemory.create(size, { reserve: random.below(2) === 0, populate: random.below(8) === 0 });
  try {
    return use(shm);
  } finally {
    shm.close();
    either(() => shm.unlink());
  }
}

const DTYPES: DType[] = ['int8', 'uint16', 'int32', 'uint64', 'float16', 'float32', 'float64', 'bool'];

/** An array for one misuse. */
function array<T>(use: (a: SharedArray) => T): T {
  const shape = Array.from({ length: random.below(4) }, () => random.below(6));
  const [dtype, header] = [random.pick(DTYPES), random.pick(['npy', 'none'] as const)];
  const a: SharedArray = SharedArray.create(shape, { dtype, header, order: random.pick(['C', 'F']) });
  try {
    return use(a);
  } finally {
    a.close();
    either(() => a.unlink());
  }
}

/** As `either`, of what may take a while. */
async function eventually(call: () => unknown): Promise<void> {
  try {
    await call();
  } catch (error) {
    // A DOMException's code is a number.
    const { name } = error as Error;
    if (typeof code(error) !== 'string' && !['AbortError', 'DataCloneError', 'TimeoutError'].includes(name))
      throw error;
  }
}

/** One of three names, so that handles meet. */
function lockOf<T>(kind: { createOrAttach(name: string): T }, what: string): T {
  for (;;) {
    try {
      return kind.createOrAttach(`${what}-${random.below(3)}`);
    } catch (error) {
      // The neighbour has been at it.
      if (!['ERR_SHM_NOT_A_LOCK', 'ERR_SHM_VERSION'].includes(String(code(error)))) throw error;
      for (const n of [0, 1, 2]) either(() => unlink(`${what}-${n}`));
    }
  }
}
const mutexOf = (): SharedMutex => lockOf(SharedMutex, 'mutex');

/** What ends a wait soon. */
function calledOff(): WaitOptions {
  return random.below(2) === 0
    ? { timeout: random.below(3) }
    : { signal: AbortSignal.timeout(random.below(3)) };
}

const ITEMS: ListItem[] = [
  1,
  -1,
  2.5,
  true,
  false,
  null,
  'abc',
  'ünïcödé',
  'x'.repeat(300),
  2n ** 62n,
  new Uint8Array([1, 2, 3]),
];

function list(use: (list: ShareableList) => void): void {
  const made = ShareableList.create(Array.from({ length: 1 + random.below(20) }, () => random.pick(ITEMS)));
  try {
    use(made);
  } finally {
    made.close();
    either(() => made.unlink());
  }
}

/** A file in /dev/shm that is no sound segment. */
function file(make: (path: string) => void, use: (name: string) => void): void {
  const name = `file-${process.pid}-${random.below(1e9)}`;
  const path = `/dev/shm/${name}`;
  make(path);
  try {
    use(name);
  } finally {
    fs.rmSync(path, { recursive: true });
  }
}

const attempts = (name: string): Array<() => unknown> => [
  () => SharedMemory.attach(name),
  () => SharedMemory.attach(name, { readOnly: true }),
  () => ShareableList.attach(name),
];

async function worker(source: string): Promise<Worker> {
  const started = new Worker(
    `import('shmkit').then(async ({ SharedEvent, SharedMemory, SharedMutex, ShareableList }) => {
      const { parentPort } = await import('node:worker_threads');
      ${source}
    })`,
    { eval: true },
  );
  await new Promise((resolve, reject) => {
    started.once('message', resolve);
    started.once('error', reject);
  });
  return started;
}

const misuses: Record<string, () => unknown> = {
  'bad sizes': () => {
    for (const size of [0, -1, NaN, 1.5, Infinity, 2 ** 53, -0, '5', null, undefined, 10n, {}]) {
      refused(() => SharedMemory.create(wrong(size)), 'ERR_OUT_OF_RANGE', 'ERR_INVALID_ARG_TYPE');
    }
    refused(() => SharedMemory.create(2 ** 52, { reserve: random.below(2) === 0 }));
  },
  'bad names': () => {
    for (const name of ['', '.', '..', '/', 'a/b', 'a\0b', 'n'.repeat(256), '\ud800']) {
      refused(() => SharedMemory.create(10, { name }), 'ERR_SHM_NAME');
      refused(() => SharedMemory.attach(name), 'ERR_SHM_NAME');
      refused(() => SharedMemory.createOrAttach(name, 10), 'ERR_SHM_NAME');
    }
    for (const name of [5, null, {}, Symbol('name')]) {
      refused(() => SharedMemory.attach(wrong(name)), 'ERR_INVALID_ARG_TYPE');
    }
    refused(() => SharedMemory.attach('missing'), 'ENOENT');
  },
  'a name that exists': () =>
    segment((shm) => {
      refused(() => SharedMemory.create(10, { name: shm.name }), 'EEXIST');
      refused(() => SharedMemory.createOrAttach(shm.name, shm.size + 1), 'ERR_SHM_SIZE');
      SharedMemory.createOrAttach(shm.name, shm.size).close();
    }),
  'bad options': () => {
    for (const options of [
      5,
      null,
      'x',
      { mode: 0o1000 },
      { mode: '7' },
      { reserve: 1 },
      { populate: 'no' },
      { track: 1 },
      { tracked: true },
    ]) {
      refused(() => SharedMemory.create(10, wrong(options)));
    }
    segment((shm) =>
      refused(() => SharedMemory.attach(shm.name, wrong({ readOnly: 1 })), 'ERR_INVALID_ARG_TYPE'),
    );
  },
  'bad descriptors': () => {
    for (const descriptor of [
      null,
      5,
      {},
      { kind: 'memory' },
      { kind: 5, name: 'x' },
      { kind: 'x', name: 'y' },
    ]) {
      refused(() => attach(wrong<Descriptor>(descriptor)));
    }
    segment((shm) => {
      refused(() => ShareableList.attach(shm.toJSON()), 'ERR_SHM_KIND');
      refused(() => attach({ ...shm.toJSON(), id: '1:2' }), 'ERR_SHM_UNLINKED');
      refused(() => attach({ ...shm.toJSON(), id: 'x' }));
    });
  },
  'a segment unlinked by somebody else, and its name taken': () =>
    segment((shm) => {
      SharedMemory.attach(shm.name).unlink();
      refused(() => shm.unlink(), 'ENOENT');
      const other = SharedMemory.create(64, { name: shm.name });
      refused(() => shm.unlink(), 'ENOENT');
      refused(() => attach(shm.toJSON()), 'ERR_SHM_UNLINKED');
      other.close();
      other.unlink();
    }),
  'no segments under a name': () => {
    for (const attempt of attempts('no-such')) refused(attempt, 'ENOENT');
    file(
      (path) => fs.symlinkSync('/etc/passwd', path),
      (name) => attempts(name).forEach((use) => refused(use, 'ELOOP')),
    );
    file(
      (path) => fs.mkdirSync(path),
      (name) => attempts(name).forEach((use) => refused(use)),
    );
  },
  'a fifo under a name': () =>
    file(
      (path) => execFileSync('mkfifo', [path]),
      (name) => attempts(name).forEach((use) => refused(use, 'ERR_SHM_NOT_A_SEGMENT')),
    ),
  'a segment without bytes': () =>
    file(
      (path) => fs.writeFileSync(path, ''),
      (name) => refused(random.pick(attempts(name)), 'ERR_SHM_EMPTY'),
    ),
  "another user's segment": () => {
    if (!root) return;
    file(
      (path) => {
        fs.writeFileSync(path, 'x'.repeat(100));
        fs.chownSync(path, 65534, 65534);
      },
      (name) => {
        for (const attempt of attempts(name)) refused(attempt, 'ERR_SHM_FOREIGN');
        SharedMemory.attach(name, { foreign: true }).close();
      },
    );
  },
  'random bytes as a list': () =>
    file(
      (path) =>
        fs.writeFileSync(
          path,
          Buffer.from(Array.from({ length: random.below(400) + 1 }, () => random.below(256))),
        ),
      (name) => either(() => ShareableList.attach(name).close()),
    ),
  'a list shorter than its header says': () =>
    file(
      (path) =>
        fs.writeFileSync(path, Buffer.concat([Buffer.from([9, 0, 0, 0, 0, 0, 0, 0]), Buffer.alloc(90)])),
      (name) => either(() => ShareableList.attach(name).close()),
    ),
  'indexes at both ends and beyond': () =>
    list((items) => {
      for (const index of [items.length, -items.length - 1, NaN, 0.5, Infinity, 2 ** 40]) {
        refused(() => items.get(index), 'ERR_OUT_OF_RANGE');
        refused(() => items.set(index, 1), 'ERR_OUT_OF_RANGE');
      }
      for (const index of ['0', null, undefined, {}, 1n]) {
        refused(() => items.get(wrong(index)), 'ERR_INVALID_ARG_TYPE', 'ERR_OUT_OF_RANGE');
      }
      either(() => items.get(-1));
    }),
  'values that no list takes': () =>
    list((items) => {
      for (const value of [
        2n ** 63n,
        -(2n ** 63n) - 1n,
        'x'.repeat(1000),
        '\ud800',
        'nul\0',
        new Uint8Array(500),
      ]) {
        refused(() => items.set(0, value), 'ERR_SHM_VALUE');
      }
      for (const value of [undefined, {}, [], Symbol('x'), () => 1, new Float32Array(1), { value: 1 }]) {
        refused(() => items.set(0, wrong(value)), 'ERR_INVALID_ARG_TYPE');
        refused(() => ShareableList.create([wrong(value)]), 'ERR_INVALID_ARG_TYPE');
        refused(() => items.indexOf(wrong(value)), 'ERR_INVALID_ARG_TYPE');
      }
      refused(() => ShareableList.create([1, '\ud800']), 'ERR_SHM_VALUE');
      refused(() => ShareableList.create(wrong(5)), 'ERR_INVALID_ARG_TYPE');
      refused(() => float(wrong('5')), 'ERR_INVALID_ARG_TYPE');
    }),
  'a list that changes under our hands': () =>
    list((items) => {
      for (let i = 0; i < 30; i++) {
        const at = random.below(items.length);
        either(() => items.set(at, random.pick(ITEMS)));
        either(() => items.get(at));
      }
      either(() => items.toArray());
      either(() => items.format);
      either(() => items.indexOf(random.pick(ITEMS)));
      either(() => items.count('abc'));
      either(() => ShareableList.attach(items.name).close());
    }),
  'an array that changes under our hands, and parts of it': () =>
    array((a) => {
      const any = () =>
        random.pick<number | null | (number | null)[]>([null, 0, -1, 3, [1], [null, null, -1], [-2, 9, 2]]);
      let view = a;
      for (let i = 0; i < 30; i++) {
        const value = random.pick<number | bigint>([0, 1, -1.5, NaN, 300, 2n ** 63n, 7n]);
        const index = Array.from({ length: random.below(5) }, () => random.below(8) - 4);
        either(() => view.set(value, ...index));
        either(() => view.get(...index));
        either(
          () =>
            (view = random
              .pick([a, view])
              .slice(...Array.from({ length: random.below(4) }, () => wrong<null>(any())))),
        );
        either(() => (view = random.pick([view, view.T, view.reshape([-1])])));
        either(() => random.pick([() => view.fill(value), () => view.scale(value), () => view.add(value)])());
        either(() => view.copyFrom(random.pick([a, view, a.T])));
        either(() => view.add(random.pick([a, view, a.T])));
        for (const kernel of ['sum', 'mean', 'min', 'max', 'argmin', 'argmax', 'toArray'] as const)
          either(() => view[kernel]());
        either(() => view.dot(view));
        either(() => attach(view.toJSON()).close());
      }
      either(() => SharedArray.attach(a.name).close());
      either(() => SharedArray.attach(a.name, { dtype: a.dtype, shape: a.shape, header: 'none' }).close());
      either(() => a.toString() + JSON.stringify(a));
    }),
  'descriptors of arrays with one thing wrong': () =>
    array((a) => {
      const odd = random.pick<unknown>([
        -1,
        0,
        1,
        2 ** 31,
        2 ** 53,
        NaN,
        1.5,
        '1',
        null,
        [],
        [1e15],
        [-1, 1, 2],
        undefined,
      ]);
      const key = random.pick(['shape', 'strides', 'offset', 'byteOffset', 'dtype', 'name', 'id', 'kind']);
      either(() => {
        using b = attach({ ...a.toJSON(), [key]: odd });
        assert(b instanceof SharedArray);
        b.sum();
        b.toTypedArray();
      });
    }),
  'arrays and views after close': () =>
    array((a) => {
      const view = a.T;
      const { data } = a;
      random.pick([a, a.shm]).close();
      view.close();
      assert.equal(data.length, 0);
      for (const one of [a, view]) {
        for (const use of [
          () => one.data,
          () => one.sum(),
          () => one.fill(1),
          () => one.T,
          () => one.slice(),
          () => one.toArray(),
          () => one.copyFrom(a),
        ]) {
          refused(use, 'ERR_SHM_CLOSED', 'ERR_INVALID_ARG_TYPE');
        }
        refused(() => one.get(...one.shape.map(() => 0)));
      }
    }),
  'reads and writes outside': () =>
    segment((shm) => {
      for (const [offset, length] of [
        [-1, 1],
        [4097, 0],
        [0, 4097],
        [4096, 1],
        [NaN, 1],
        [1.5, 1],
        [2 ** 60, 1],
      ] as const) {
        refused(() => shm.read(offset, length), 'ERR_OUT_OF_RANGE');
        refused(() => shm.write(new Uint8Array(length === 0 ? 1 : length), offset), 'ERR_OUT_OF_RANGE');
      }
      refused(() => shm.write(wrong('text')), 'ERR_INVALID_ARG_TYPE');
      refused(() => shm.write(wrong(new Float32Array(1))), 'ERR_INVALID_ARG_TYPE');
      shm.write(shm.buf); // onto itself
      shm.write(shm.buf.subarray(0, 100), random.below(3900));
      assert.equal(shm.read(random.below(4096)).length > 0, true);
      assert.equal(shm.buf[5000], undefined);
    }),
  'writes to a read-only handle': () =>
    segment((shm) => {
      const reader = SharedMemory.attach(shm.name, { readOnly: true });
      refused(() => reader.write(new Uint8Array(1)), 'ERR_SHM_READ_ONLY');
      reader.buf.fill(1);
      reader.read();
      reader.close();
    }),
  'use after close': () => {
    const shm = segment((open) => {
      assert.equal(open.buf.length, 4096);
      return open;
    });
    for (const use of [
      () => shm.buf,
      () => shm.buffer,
      () => shm.read(),
      () => shm.write(new Uint8Array(0)),
    ]) {
      refused(use, 'ERR_SHM_CLOSED');
    }
    refused(() => shm.sharedBuffer(), 'ERR_SHM_CLOSED');
    shm.close();
    list((items) => {
      items.close();
      for (const use of [
        () => items.get(0),
        () => items.set(0, 1),
        () => items.set(0, 'a'),
        () => [...items],
      ]) {
        refused(use, 'ERR_SHM_CLOSED');
      }
    });
  },
  'views that outlive the close': () => {
    const views = segment((shm) => [
      shm.buf,
      new Float64Array(shm.buffer),
      shm.buf.subarray(9),
      new DataView(shm.buffer),
    ]);
    for (const view of views.slice(0, 3) as Buffer[]) {
      assert.equal(view.length, 0);
      view[0] = 1;
      assert.throws(() => view.fill(1), TypeError); // the engine's own word for a detached buffer
    }
  },
  'transfer, then close': () => {
    const moved = segment((shm) => {
      const buffer = shm.buffer as ArrayBuffer & { transfer?: () => ArrayBuffer };
      return random.below(2) === 0 ? buffer.transfer?.() : structuredClone(buffer);
    });
    if (moved !== undefined) new Uint8Array(moved).fill(3);
  },
  'clones and posts': () =>
    segment((shm) => {
      const { port1, port2 } = new MessageChannel();
      refused(() => structuredClone(shm));
      refused(() => port1.postMessage(shm));
      refused(() => port1.postMessage({ deep: [shm] }));
      port1.postMessage(shm.buf);
      port1.postMessage(shm.buffer);
      try {
        structuredClone(shm.buffer, { transfer: [shm.buffer] });
      } catch {
        // not transferable, says this Node
      }
      port1.close();
      port2.close();
    }),
  'zlib.gzip in flight': async () => {
    const done = segment((shm) => promisify(zlib.gzip)(shm.buf));
    await done;
  },
  'fs.write in flight': async () => {
    const done = segment(
      (shm) =>
        new Promise<unknown>((resolve) => {
          fs.write(sink, shm.buf, (error, bytes) => resolve(error ?? bytes));
        }),
      65536,
    );
    await done;
  },
  'a create that is called off': async () => {
    const abort = new AbortController();
    const size = 1 + random.below(32 << 20);
    if (random.below(3) === 0) abort.abort();
    const made = SharedMemory.createAsync(size, { signal: abort.signal }).then(
      (shm) => {
        shm.close();
        shm.unlink();
      },
      (error: unknown) => assert.ok(code(error) !== undefined, String(error)),
    );
    if (random.below(2) === 0) await turn();
    abort.abort();
    await made;
  },
  'dropped handles': async () => {
    either(() => SharedMemory.attach(segment((shm) => shm).name));
    const kept = SharedMemory.create(1 << 16);
    kept.unlink();
    const view = kept.buf;
    if (random.below(4) === 0) await turn();
    view.fill(1);
  },
  'ownership of what is gone, closed, or nobody’s': () => {
    const shm = SharedMemory.create(4096, { name: 'owned', track: random.below(2) === 0 });
    const other = SharedMemory.attach('owned');
    other.adopt();
    if (random.below(2) === 0) fs.rmSync('/dev/shm/owned');
    else shm.unlink();
    refused(() => SharedMemory.attach('owned').adopt(), 'ENOENT');
    refused(() => shm.unlink(), 'ENOENT');
    SharedMemory.createOrAttach('owned', 4096).close();
    refused(() => SharedMemory.attach(other.toJSON()), 'ERR_SHM_UNLINKED');
    other.close();
    refused(() => other.adopt(), 'ERR_SHM_CLOSED');
    unlink('owned');
    shm.close();
  },
  'housekeeping with odd arguments': () => {
    for (const name of ['', '..', '../x', 'a\0b', wrong<string>(7), '\ud800', 'n'.repeat(300), 'nowhere']) {
      refused(() => unlink(name));
    }
    for (const options of [5, null, { dry: true }, { dryRun: 1 }, { python: 'yes' }]) {
      refused(() => collectGarbage(wrong(options)));
    }
    for (const descriptor of [-1, 1.5, 1e9, '3', null, sink])
      refused(() => joinPythonTracker(wrong(descriptor)));
    either(() => collectGarbage({ dryRun: random.below(2) === 0 }));
    assert.ok(segments().every(({ name }) => typeof name === 'string'));
  },
  'the ledger’s descriptor closed, and its file removed': () => {
    const shm = SharedMemory.create(4096, { name: 'kept' });
    for (const fd of fs.readdirSync('/proc/self/fd')) {
      try {
        if (/\.ledger/.test(fs.readlinkSync(`/proc/self/fd/${fd}`))) fs.closeSync(Number(fd));
      } catch {
        // the descriptor of the listing itself
      }
    }
    const directory = `/dev/shm/.shmkit-${process.geteuid?.()}`;
    if (random.below(2) === 0) fs.rmSync(directory, { recursive: true, force: true });
    either(() => SharedMemory.create(100).unlink());
    either(() => SharedMemory.create(100).unlink());
    shm.close();
    shm.unlink();
  },
  'a full filesystem': () => {
    refused(() => SharedMemory.create(600 << 20), 'ENOSPC', 'ENOMEM');
    refused(() => SharedMemory.create(600 << 20, { name: 'full' }), 'ENOSPC', 'ENOMEM');
    refused(() => SharedMemory.attach('full'), 'ENOENT');
  },
  '64 MB at a time': () => {
    segment((shm) => void shm.buf.fill(1), 64 << 20);
  },
  'a mutex locked, unlocked, closed and dropped in any order': async () => {
    const handles = Array.from({ length: 1 + random.below(3) }, () => mutexOf());
    const guards: (Guard | undefined)[] = [];
    const waits: Promise<unknown>[] = [];
    for (let i = 0; i < 12; i++) {
      const mutex = random.pick(handles);
      const steps: (() => unknown)[] = [
        () => guards.push(mutex.lockSync({ timeout: random.below(2), spin: random.below(50) })),
        () => guards.push(mutex.tryLock()),
        () => waits.push(eventually(() => mutex.lock(calledOff()).then((guard) => guards.push(guard)))),
        () => guards.length > 0 && random.pick(guards)?.unlock(),
        () => mutex.close(),
        () => structuredClone(mutex),
        () => turn(),
      ];
      await eventually(random.pick(steps));
    }
    for (const guard of guards) either(() => guard?.[Symbol.dispose]());
    if (random.below(2) === 0) handles.forEach((mutex) => either(() => mutex.close()));
    await Promise.all(waits);
    for (const guard of guards) either(() => guard?.unlock());
    handles.forEach((mutex) => either(() => mutex.close()));
    for (const mutex of handles) refused(() => mutex.lockSync(), 'ERR_SHM_CLOSED');
    either(() => handles[0]!.unlink());
  },
  'a txn used after its end, after close() and after unlink()': async () => {
    await eventually(() =>
      segment(async (shm) => {
        const limits = { timeout: 1 + random.below(3) };
        const kept: Txn[] = [];
        const use = (txn: Txn): void => {
          either(() => txn.set(random.below(5000), random.below(256)));
          either(() => txn.get(random.below(9000) - 4500));
          either(() => (txn.bytes[random.below(5000)] = 1));
          either(() => txn.write(Buffer.alloc(random.below(5000))));
          either(() => txn.slice(random.below(5000), -random.below(5000)));
        };
        const readOnly = random.below(2) === 0;
        either(() => shm.txnSync((txn) => (use(txn), kept.push(txn)), { ...limits, readOnly }));
        either(() => kept.push(shm.txnSync({ ...limits, readOnly })));
        either(() => shm.txnSync(() => random.below(2) === 0 && wrong(Promise.resolve()), limits));
        const waiting = shm.txn((txn) => (use(txn), kept.push(txn)), { ...calledOff(), readOnly: !readOnly });
        const settled = eventually(() => waiting);
        kept.forEach(use);
        if (random.below(2) === 0) either(() => shm.unlink());
        if (random.below(2) === 0) shm.close();
        kept.forEach(use);
        kept.forEach((txn) => either(() => txn[Symbol.dispose]()));
        await settled;
        kept.forEach(use);
        shm.close();
        refused(() => shm.txnSync(limits), 'ERR_SHM_CLOSED');
      }),
    );
  },
  'events set, cleared, awaited and closed in any order': async () => {
    const events = [0, 1].map(() => lockOf(SharedEvent, 'event'));
    const waits: Promise<unknown>[] = [];
    for (let i = 0; i < 10; i++) {
      const event = random.pick(events);
      const steps: (() => unknown)[] = [
        () => event.set(),
        () => event.clear(),
        () => event.waitSync({ timeout: random.below(2), spin: random.below(50) }),
        () => waits.push(eventually(() => event.wait(calledOff()))),
        () => event.close(),
        () => turn(),
      ];
      await eventually(random.pick(steps));
    }
    if (random.below(2) === 0) events.forEach((event) => event.close());
    await Promise.all(waits);
    either(() => events[0]!.unlink());
    events.forEach((event) => event.close());
    for (const event of events) refused(() => event.isSet, 'ERR_SHM_CLOSED');
  },
  'a queue used and closed in any order, and what is kept of its slots': async () => {
    const mode = random.pick(['mpmc', 'spsc'] as const);
    const slots = 1 + random.below(4);
    const queues: SharedQueue<'uint8'>[] = [];
    const length = 1 + random.below(200_000);
    // The neighbour may be faster, and spoil it.
    either(() => queues.push(SharedQueue.create({ slots, dtype: 'uint8', shape: [length], mode })));
    if (queues.length === 0) return;
    either(() => queues.push(SharedQueue.attach<'uint8'>(queues[0]!.name)));
    const item = new Uint8Array(length);
    const views: Uint8Array[] = [];
    const waits: Promise<unknown>[] = [];
    const keep = (slot: { data: Uint8Array; commit(): void } | undefined): void => {
      if (slot === undefined) return;
      views.push(slot.data);
      if (random.below(2) === 0) slot.commit();
    };
    for (let i = 0; i < 20; i++) {
      const queue = random.pick(queues);
      const steps: (() => unknown)[] = [
        () => queue.tryPush(item),
        () => queue.tryPopInto(item),
        () => queue.pushSync(item, { timeout: random.below(2), spin: random.below(50) }),
        () => queue.popSync({ timeout: random.below(2), spin: random.below(50) }),
        () => keep(queue.tryClaim()),
        () => keep(queue.tryTake()),
        () => waits.push(eventually(() => queue.push(item, calledOff()))),
        () => waits.push(eventually(() => queue.take(calledOff()).then(keep))),
        () => waits.push(eventually(async () => queue.batches().next())),
        () => waits.push(promisify(zlib.gzip)(random.pick([...views, item])).catch(() => {})),
        () => views.forEach((view) => (view[random.below(view.length + 1)] = random.below(256))),
        () => random.below(10) === 0 && queue.end(),
        () => random.below(5) === 0 && queue.close(),
        () => turn(),
      ];
      await eventually(random.pick(steps));
    }
    queues.forEach((queue) => queue.close());
    for (const view of views) view[0] = 1;
    await Promise.all(waits);
    for (const queue of queues) refused(() => queue.length, 'ERR_SHM_CLOSED');
    either(() => queues[0]!.unlink());
  },
  'a broadcast used and closed in any order, and its subscriptions': async () => {
    const onSlow = random.pick(['block', 'drop'] as const);
    const slots = 1 + random.below(4);
    const length = 1 + random.below(200_000);
    const broadcasts: SharedBroadcast<'uint8'>[] = [];
    // The neighbour may be faster, and spoil it.
    either(() => broadcasts.push(SharedBroadcast.create({ slots, dtype: 'uint8', shape: [length], onSlow })));
    if (broadcasts.length === 0) return;
    either(() => broadcasts.push(SharedBroadcast.attach<'uint8'>(broadcasts[0]!.name)));
    const item = new Uint8Array(length);
    const subscriptions: Subscription<'uint8'>[] = [];
    const waits: Promise<unknown>[] = [];
    const wait = (): { timeout: number; spin: number } => ({
      timeout: random.below(2),
      spin: random.below(50),
    });
    const from = (): 'latest' | 'oldest' => random.pick(['latest', 'oldest']);
    for (let i = 0; i < 30; i++) {
      const broadcast = random.pick(broadcasts);
      either(() => random.below(4) === 0 && subscriptions.push(broadcast.subscribe({ from: from() })));
      const subscription = subscriptions.at(random.below(subscriptions.length));
      const steps: (() => unknown)[] = [
        () => broadcast.tryPublish(item),
        () => broadcast.publishSync(item, wait()),
        () => subscription?.tryNext(),
        () => subscription?.tryNextInto(item),
        () => subscription?.nextSync(wait()),
        () => waits.push(eventually(() => broadcast.publish(item, calledOff()))),
        () => waits.push(eventually(async () => subscription?.next(calledOff()))),
        () => waits.push(eventually(async () => subscription?.batches().next())),
        () => random.below(3) === 0 && subscription?.close(),
        () => random.below(10) === 0 && broadcast.end(),
        () => random.below(10) === 0 && broadcast.close(),
        () => turn(),
      ];
      await eventually(random.pick(steps));
    }
    broadcasts.forEach((broadcast) => broadcast.close());
    await Promise.all(waits);
    for (const subscription of subscriptions) refused(() => subscription.tryNext(), 'ERR_SHM_CLOSED');
    for (const broadcast of broadcasts) refused(() => broadcast.published, 'ERR_SHM_CLOSED');
    either(() => broadcasts[0]!.unlink());
  },
  'locks of what is none, and none of what is one': () => {
    segment((shm) => {
      refused(() => SharedMutex.attach(shm.name));
      refused(() => SharedEvent.createOrAttach(shm.name));
      either(() => lockState(shm.name));
      either(() => shm.txnSync(() => {}, { timeout: 2 }));
      either(() => lockState(`${shm.name}.lk`));
      either(() => SharedMutex.attach(`${shm.name}.lk`).close());
      either(() => ShareableList.attach(`${shm.name}.lk`).close());
      either(() => SharedMemory.attach(`${shm.name}.lk`).close());
    });
    const bad = ['', 'a/b', '\0', '..', 'x'.repeat(300)];
    refused(() => SharedMutex.createOrAttach(random.pick(bad)), 'ERR_SHM_NAME');
    refused(() => SharedMutex.createOrAttach(wrong(random.pick([1, null, {}, Symbol('s')]))));
    const mutex = mutexOf();
    refused(() => mutex.lockSync(wrong(random.pick([5, { timeout: -1 }, { timeout: '1' }, { wait: 1 }]))));
    mutex.close();
  },
  'a worker terminated in a txn, with a mutex, and while it waits': async () => {
    const shm = SharedMemory.create(64);
    const thread = await worker(`
      const shm = SharedMemory.attach('${shm.name}');
      // The neighbour may have spoilt one.
      const open = (kind, name) => { try { return kind.createOrAttach(name) } catch { return undefined } };
      const mutex = open(SharedMutex, 'mutex-0');
      const event = open(SharedEvent, 'event-0');
      parentPort.postMessage(0);
      for (;;) {
        const step = Math.floor(Math.random() * 6);
        try {
          if (step === 0) shm.txnSync((txn) => txn.bytes.fill(1), { timeout: 5 });
          if (step === 1) await shm.txn(() => new Promise(setImmediate), { timeout: 5, readOnly: true });
          if (step === 2) mutex?.lockSync({ timeout: 5 }).unlock();
          if (step === 3) globalThis.guard = await mutex?.lock({ timeout: 5 });
          if (step === 4) event?.waitSync({ timeout: 5 });
          if (step === 5) await event?.wait({ timeout: 5 });
        } catch (error) {
          if (typeof error.code !== 'string') throw error;
        }
      }
    `);
    for (let i = random.below(20); i > 0; i--) await turn();
    await thread.terminate();
    either(() => shm.txnSync(() => {}, { timeout: 5 }));
    shm.close();
    either(() => shm.unlink());
  },
  'a worker that moves its buffer and exits': async () => {
    const thread = await worker(`
      const shm = SharedMemory.create(65536);
      shm.unlink();
      const moved = shm.buffer.transfer?.() ?? shm.buffer;
      try { parentPort.postMessage(moved, [moved]) } catch { parentPort.postMessage(0) }
      if (${random.below(2)}) process.exit();
    `);
    await thread.terminate();
  },
  'a worker terminated at work': async () => {
    const thread = await worker(`
      const shm = SharedMemory.create(65536);
      const list = ShareableList.create([1, 'abc', null]);
      shm.unlink(); list.unlink();
      parentPort.postMessage(0);
      for (;;) {
        shm.buf.fill(1);
        list.set(1, 'def');
        const other = SharedMemory.create(4096);
        other.buf[0] = 1;
        other.unlink();
        if (Math.random() < 0.5) other.close();
        if (Math.random() < 0.1) await SharedMemory.createAsync(4096).then((made) => made.unlink());
      }
    `);
    for (let i = random.below(20); i > 0; i--) await turn();
    await thread.terminate();
  },
};

const order = Object.keys(misuses).flatMap((name) => Array.from({ length: rounds }, () => name));
let done = 0;
for (const name of random.shuffle(order)) {
  try {
    await misuses[name]!();
  } catch (error) {
    console.error(`seed ${seed}, after ${done} misuses: ${name}`);
    throw error;
  }
  done++;
  if (done % 100 === 0) await turn();
}
console.log(
  `${done} misuses of ${Object.keys(misuses).length} kinds, seed ${seed}${root ? '' : ' (not root: no foreign segments)'}`,
);
process.exit(0);
