// The bytes of each structure as a published version made them. A new version must open them; a structure that is made today
// must have the same bytes, or its layout has changed and needs a new version: see CONTRIBUTING.md. Raw segments, lists and `.npy`
// have CPython's and numpy's layouts.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import { SharedBroadcast, SharedDict, SharedEvent, SharedMutex, SharedQueue } from 'shmkit';

import { Program } from '../fixtures/program.js';
import { venvPython } from '../fixtures/python.js';
import { freshName, segmentPath } from '../fixtures/segments.js';
import { participants } from './conformance/subject.js';
import type { Ranges } from './conformance/subject.js';

/** Where the version of the maker is in each structure, and the oldest version that can use it. */
const VERSIONS = [8, 12];
/** Makes the files again, for a new version. */
const UPDATE = process.env['SHMKIT_UPDATE_GOLDEN'] !== undefined;

interface Structure {
  readonly kind: string;
  readonly version: number;
  /** Makes one with contents, which is still open: closing it would change its participants. */
  make(name: string): { close(): void };
  /** What is in it, by the facade. */
  read(name: string): unknown;
  /** The same by Python: an expression that is JSON. */
  readonly python: string;
  readonly contents: unknown;
  /** The bytes that do not name a process. */
  compared(size: number): Ranges;
}

const structures: readonly Structure[] = [
  {
    kind: 'queue',
    version: 1,
    make(name) {
      const queue = SharedQueue.create({ name, slots: 4, dtype: 'int32', shape: [2] });
      for (const value of [1, 2, 3]) queue.tryPush(Int32Array.of(value, -value));
      queue.tryPop();
      return queue;
    },
    read(name) {
      using queue = SharedQueue.attach<'int32'>(name);
      return [queue.slots, [...queue.tryPop()!], [...queue.tryPop()!], queue.tryPop() ?? null];
    },
    python: `(lambda q: [q.slots, q.try_pop().tolist(), q.try_pop().tolist(), q.try_pop()])(shmkit.SharedQueue.attach(name))`,
    contents: [4, [2, -2], [3, -3], null],
    compared: (size) => [[0, 384], ...participants(384, 16_704), [16_704, size]],
  },
  {
    kind: 'broadcast',
    version: 1,
    make(name) {
      const broadcast = SharedBroadcast.create({
        name,
        slots: 4,
        dtype: 'float32',
        shape: [1],
        onSlow: 'drop',
      });
      for (const value of [1.5, 2.5, 3.5]) broadcast.tryPublish(Float32Array.of(value));
      return broadcast;
    },
    read(name) {
      using broadcast = SharedBroadcast.attach<'float32'>(name);
      const reader = broadcast.subscribe({ from: 'oldest' });
      return [broadcast.published, broadcast.onSlow, reader.tryNext()![0], reader.tryNext()![0]];
    },
    python: `(lambda b: (lambda s: [b.published, b.on_slow, float(s.try_next()[0]), float(s.try_next()[0])])(b.subscribe(oldest=True)))(shmkit.SharedBroadcast.attach(name))`,
    contents: [3, 'drop', 1.5, 2.5],
    compared: (size) => [[0, 320], ...participants(320, 16_640), [16_640, size]],
  },
  {
    kind: 'dict',
    version: 1,
    make(name) {
      const dict = SharedDict.create<unknown>({ name, maxByteLength: 2 ** 20 });
      dict.assign({
        number: 1.5,
        text: 'tëxt',
        yes: true,
        none: null,
        deep: { list: [1, 'two'] },
        gone: 'x',
      });
      dict.delete('gone');
      return dict;
    },
    read(name) {
      using dict = SharedDict.attach<unknown>(name);
      return ['number', 'text', 'yes', 'none', 'deep', 'gone'].map((key) => dict.get(key) ?? null);
    },
    python: `(lambda d: [d.get(key) for key in ("number", "text", "yes", "none", "deep", "gone")])(shmkit.SharedDict.attach(name))`,
    contents: [1.5, 'tëxt', true, null, { list: [1, 'two'] }, null],
    compared: (size) => [[0, size]],
  },
  {
    kind: 'mutex',
    version: 1,
    make(name) {
      const mutex = SharedMutex.createOrAttach(name);
      mutex.lockSync().unlock();
      return mutex;
    },
    read(name) {
      using mutex = SharedMutex.attach(name);
      using guard = mutex.tryLock();
      return guard === undefined ? 'held' : 'free';
    },
    python: `(lambda m: "held" if m.try_lock() is None else "free")(shmkit.SharedMutex.attach(name))`,
    contents: 'free',
    compared: (size) => [[0, 128], ...participants(128, size)],
  },
  {
    kind: 'event',
    version: 1,
    make(name) {
      const event = SharedEvent.createOrAttach(name);
      event.set();
      event.clear();
      event.set();
      return event;
    },
    read(name) {
      using event = SharedEvent.attach(name);
      return event.isSet;
    },
    python: `shmkit.SharedEvent.attach(name).is_set()`,
    contents: true,
    compared: (size) => [[0, 128], ...participants(128, size)],
  },
];

const pathOf = ({ kind, version }: Structure): URL =>
  new URL(`../fixtures/golden/${kind}-${version}.bin.gz`, import.meta.url);

/** The bytes of one that is made now, those that name a process left out. */
function made(t: ExecutionContext, structure: Structure): Buffer {
  const name = nameOf(t);
  const object = structure.make(name);
  try {
    const bytes = readFileSync(segmentPath(name));
    const shown = Buffer.alloc(bytes.length);
    for (const [from, to] of structure.compared(bytes.length)) bytes.copy(shown, from, from, to);
    return shown;
  } finally {
    object.close();
  }
}

function nameOf(t: ExecutionContext): string {
  const name = freshName(t);
  t.teardown(() => rmSync(segmentPath(`${name}.lk`), { force: true }));
  return name;
}

/** A segment with these bytes. */
function placed(t: ExecutionContext, bytes: Uint8Array): string {
  const name = nameOf(t);
  writeFileSync(segmentPath(name), bytes, { mode: 0o600 });
  t.teardown(() => rmSync(segmentPath(name), { force: true }));
  return name;
}

async function python(t: ExecutionContext, name: string, expression: string): Promise<unknown> {
  const code = `import json, shmkit
name = ${JSON.stringify(name)}
try:
    print(json.dumps(${expression}))
except shmkit.ShmError as error:
    print(json.dumps(error.code))`;
  const program = Program.run(t, venvPython(), ['-c', code]);
  const line = await program.says();
  t.is(await program.ends(), 0);
  return JSON.parse(line!);
}

for (const structure of structures) {
  const { kind, version, contents } = structure;
  const one = kind === 'event' ? `an ${kind}` : `a ${kind}`;
  test(`${one} of layout ${version} has the bytes that it always had`, (t) => {
    const bytes = made(t, structure);
    if (UPDATE && !existsSync(pathOf(structure)))
      writeFileSync(pathOf(structure), gzipSync(bytes, { level: 9 }));
    const golden = gunzipSync(readFileSync(pathOf(structure)));
    t.deepEqual(
      VERSIONS.map((at) => golden.readUInt32LE(at)),
      [version, version],
    );
    t.is(bytes.length, golden.length);
    const differs = golden.findIndex((byte, at) => byte !== bytes[at]);
    t.is(differs, -1, `the layout of ${one} has changed at byte ${differs}: give it a new version`);
  });

  test(`${one} of layout ${version} is opened by Node and by Python`, async (t) => {
    const golden = gunzipSync(readFileSync(pathOf(structure)));
    t.deepEqual(structure.read(placed(t, golden)), contents);
    t.deepEqual(await python(t, placed(t, golden), structure.python), contents);
  });

  test(`${one} of a newer layout is refused by Node and by Python`, async (t) => {
    const golden = gunzipSync(readFileSync(pathOf(structure)));
    for (const at of VERSIONS) golden.writeUInt32LE(version + 1, at);
    const name = placed(t, golden);
    t.throws(() => structure.read(name), { code: 'ERR_SHM_VERSION' });
    t.is(await python(t, name, structure.python), 'ERR_SHM_VERSION');
    t.deepEqual(readFileSync(segmentPath(name)), golden, 'nothing of it was changed');
  });
}
