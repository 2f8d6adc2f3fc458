/** Bad input for SharedMemory: each is refused with its code, and nothing is changed or left behind. */
import { Buffer } from 'node:buffer';
import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import { attach as attachAny, ShareableList, SharedMemory, SharedQueue } from 'shmkit';
import type { AttachOptions, CreateOptions } from 'shmkit';

import { exists, freshName, leavesNothing, segmentPath } from '../../fixtures/segments.js';

const NOBODY = 65_534;
const BAD_NAME = { code: 'ERR_SHM_NAME' };
const WRONG_TYPE = { code: 'ERR_INVALID_ARG_TYPE', instanceOf: TypeError };
const OUT_OF_RANGE = { code: 'ERR_OUT_OF_RANGE', instanceOf: RangeError };
const CLOSED = { code: 'ERR_SHM_CLOSED' };

/** Whatever has no place in the types, passed nonetheless. */
const untyped = <T>(value: unknown) => value as T;

for (const size of [0, -0, -1, -4096, 0.5, 4096.5, Number.NaN, Infinity, -Infinity, 2 ** 53]) {
  test(`a size of ${Object.is(size, -0) ? '-0' : size} is refused`, (t) => {
    const name = freshName(t);
    leavesNothing(t, () => {
      t.throws(() => SharedMemory.create(size, { name }), OUT_OF_RANGE);
      t.throws(() => SharedMemory.createOrAttach(name, size), OUT_OF_RANGE);
    });
    t.false(exists(name));
  });
}

test('a size that is no number is refused', async (t) => {
  const name = freshName(t);
  for (const size of [undefined, null, '64', 64n, {}, [64], true, Symbol('64')]) {
    t.throws(() => SharedMemory.create(untyped(size), { name }), WRONG_TYPE);
    await t.throwsAsync(SharedMemory.createAsync(untyped(size), { name }), WRONG_TYPE);
  }
  t.false(exists(name));
});

const badNames: [what: string, name: string][] = [
  ['empty', ''],
  ['a dot', '.'],
  ['two dots', '..'],
  ['a slash', '/'],
  ['a leading slash', '/name'],
  ['a slash inside', 'a/b'],
  ['a way out of the folder', '../name'],
  ['a NUL', 'a\0b'],
  ['a NUL at the end', 'name\0'],
  ['of 256 letters', 'n'.repeat(256)],
  ['of 256 bytes in 128 letters', 'é'.repeat(128)],
  ['a lone surrogate', 'a\ud800'],
];

for (const [what, name] of badNames) {
  test(`a name that is ${what} is refused before the system sees it`, async (t) => {
    leavesNothing(t, () => {
      t.throws(() => SharedMemory.create(64, { name }), BAD_NAME);
      t.throws(() => SharedMemory.attach(name), BAD_NAME);
      t.throws(() => SharedMemory.attach({ kind: 'memory', name }), BAD_NAME);
      t.throws(() => SharedMemory.createOrAttach(name, 64), BAD_NAME);
      t.throws(() => ShareableList.create([1], { name }), BAD_NAME);
      t.throws(() => ShareableList.attach(name), BAD_NAME);
    });
    await t.throwsAsync(SharedMemory.createAsync(64, { name }), BAD_NAME);
  });
}

test('the longest names that the system allows work', (t) => {
  for (const tail of ['n', 'é']) {
    const name = freshName(t, tail.repeat(100)).padEnd(255 - 100 * (Buffer.byteLength(tail) - 1), 'n');
    t.is(Buffer.byteLength(name), 255);
    t.teardown(() => rmSync(segmentPath(name), { force: true }));
    using shm = SharedMemory.create(64, { name });
    using other = SharedMemory.attach(name);
    t.is(other.name, shm.name);
  }
});

test('a name that is no string is refused', (t) => {
  leavesNothing(t, () => {
    for (const name of [null, 7, {}, ['a'], Buffer.from('a'), Symbol('a')]) {
      t.throws(() => SharedMemory.create(64, { name: untyped(name) }), WRONG_TYPE);
      t.throws(() => SharedMemory.attach(untyped(name)), WRONG_TYPE);
      t.throws(() => SharedMemory.createOrAttach(untyped(name), 64), WRONG_TYPE);
    }
    t.throws(() => SharedMemory.attach(untyped(undefined)), WRONG_TYPE);
  });
});

test('options of the wrong type are refused', (t) => {
  using shm = SharedMemory.create(64, { name: freshName(t) });
  const name = freshName(t);
  leavesNothing(t, () => {
    for (const option of ['reserve', 'populate', 'track'] as const) {
      for (const value of [null, 0, 1, 'true', {}]) {
        t.throws(
          () => SharedMemory.create(64, untyped<CreateOptions>({ name, [option]: value })),
          WRONG_TYPE,
        );
      }
    }
    for (const option of ['readOnly', 'foreign', 'reserve'] as const) {
      for (const value of [null, 0, 1, 'true', {}]) {
        t.throws(
          () => SharedMemory.attach(shm.name, untyped<AttachOptions>({ [option]: value })),
          WRONG_TYPE,
        );
      }
    }
    for (const options of [null, 7, 'name', true]) {
      t.throws(() => SharedMemory.create(64, untyped(options)), WRONG_TYPE);
      t.throws(() => SharedMemory.attach(shm.name, untyped(options)), WRONG_TYPE);
    }
    t.throws(() => SharedMemory.create(64, { name, mode: 0o1000 }), OUT_OF_RANGE);
    t.throws(() => SharedMemory.create(64, { name, mode: -1 }), OUT_OF_RANGE);
    t.throws(() => SharedMemory.create(64, { name, mode: 0.5 }), OUT_OF_RANGE);
    t.throws(() => SharedMemory.create(64, { name, mode: untyped('600') }), WRONG_TYPE);
  });
  t.false(exists(name));
});

const CREATION = 'name, mode, reserve, populate, track';
const ATTACHMENT = 'readOnly, foreign, reserve';

test('an option of another function is refused, with those that there are', async (t) => {
  using shm = SharedMemory.create(64, { name: freshName(t) });
  using queue = SharedQueue.create({ slots: 2, name: freshName(t) });
  using list = ShareableList.create([1], { name: freshName(t) });
  const name = freshName(t);
  const { signal } = new AbortController();
  const refusals: [known: string, options: object, attempt: (options: never) => unknown][] = [
    [CREATION, { signal }, (options) => SharedMemory.create(10, options)],
    [CREATION, { trailingNul: 'strip' }, (options) => SharedMemory.create(10, options)],
    [`${CREATION}, signal`, { trailingNul: 'strip' }, (options) => SharedMemory.createAsync(10, options)],
    [CREATION, { signal }, (options) => SharedMemory.createOrAttach(name, 10, options)],
    [`${CREATION}, trailingNul`, { signal }, (options) => ShareableList.create([1], options)],
    [ATTACHMENT, { trailingNul: 'strip' }, (options) => SharedMemory.attach(shm.name, options)],
    [`${ATTACHMENT}, trailingNul`, { signal }, (options) => ShareableList.attach(list.name, options)],
    [ATTACHMENT, { signal }, (options) => attachAny(shm.toJSON(), options)],
    [ATTACHMENT, { signal }, (options) => attachAny(queue.toJSON(), options)],
  ];
  for (const [known, options, attempt] of refusals) {
    const [option] = Object.keys(options);
    const message = `there is no option "${option}" here; there are: ${known}`;
    await t.throwsAsync(async () => attempt(options as never), { ...WRONG_TYPE, message });
  }
  t.throws(() => SharedMemory.createOrAttach(name, 10, { name: 'other' }), {
    ...WRONG_TYPE,
    message: /and is "other"/,
  });
  t.false(exists(name));
  SharedMemory.createOrAttach(name, 10, { name }).unlink();
  using stripped = ShareableList.attach(list.name, { trailingNul: 'strip' });
  t.is(stripped.get(0), 1);
});

test('a constructor is not a way to make a handle', (t) => {
  for (const Class of [SharedMemory, ShareableList]) {
    const Constructor = untyped<new (...args: unknown[]) => unknown>(Class);
    t.throws(() => new Constructor(), { instanceOf: TypeError });
    t.throws(() => new Constructor({}, { name: 'a', size: 8, created: true, readOnly: false }), {
      instanceOf: TypeError,
    });
  }
});

test('read() and write() outside the segment are refused, and nothing is written', (t) => {
  using shm = SharedMemory.create(64, { name: freshName(t) });
  shm.buf.fill(1);
  for (const offset of [-1, 65, 0.5, Number.NaN, Infinity, 2 ** 53]) {
    t.throws(() => shm.read(offset), OUT_OF_RANGE);
    t.throws(() => shm.write(Buffer.from('a'), offset), OUT_OF_RANGE);
  }
  for (const length of [-1, 55, 0.5, Number.NaN, Infinity])
    t.throws(() => shm.read(10, length), OUT_OF_RANGE);
  t.throws(() => shm.write(Buffer.alloc(65)), OUT_OF_RANGE);
  t.throws(() => shm.write(Buffer.alloc(2), 63), OUT_OF_RANGE);
  for (const bytes of [undefined, null, 'text', [1, 2], new Float32Array(2), new ArrayBuffer(2), 7]) {
    t.throws(() => shm.write(untyped(bytes)), WRONG_TYPE);
  }
  t.throws(() => shm.read(untyped('0')), WRONG_TYPE);
  t.true(shm.buf.every((byte) => byte === 1));
});

test('nothing works after close(), apart from unlink() and what names the segment', (t) => {
  const shm = SharedMemory.create(64, { name: freshName(t) });
  const { buf, buffer } = shm;
  const list = ShareableList.create([1, 'two'], { name: freshName(t) });
  const empty = ShareableList.create([], { name: freshName(t) });
  const items = list[Symbol.iterator]();
  for (const object of [shm, list, empty]) {
    t.false(object.closed);
    object.close();
    object.close();
    t.true(object.closed);
  }
  t.is(buf.length, 0);
  t.is(buffer.byteLength, 0);
  t.is(buf[0], undefined);
  const uses: (() => unknown)[] = [
    () => shm.buf,
    () => shm.buffer,
    () => shm.sharedBuffer(),
    () => shm.read(),
    () => shm.write(Buffer.from('a')),
    () => list.get(0),
    () => list.set(0, 1),
    () => list.set(1, 'one'),
    () => list.indexOf(1),
    () => list.includes(1),
    () => list.count(1),
    () => list.toArray(),
    () => [...list],
    () => items.next(),
    () => list.format,
    () => empty.get(0),
    () => empty.count(1),
    () => [...empty],
  ];
  for (const use of uses) t.throws(use, CLOSED, String(use));
  t.is(shm.size, 64);
  t.is(list.length, 2);
  for (const object of [shm, list, empty]) {
    t.is(object.toJSON().name, object.name);
    object.unlink();
    t.false(exists(object.name));
  }
});

test('close() gives descriptor and mappings back', (t) => {
  leavesNothing(t, () => {
    const shm = SharedMemory.create(4096, { name: freshName(t) });
    shm.buf[0] = 1;
    const list = ShareableList.create([1, 2], { name: freshName(t) });
    t.is(list.get(0), 1);
    shm.close();
    list.close();
  });
});

test('what a read-only handle writes reaches nobody', (t) => {
  using shm = SharedMemory.create(64, { name: freshName(t) });
  using reader = SharedMemory.attach(shm.name, { readOnly: true });
  t.true(reader.readOnly);
  shm.buf[0] = 42;
  t.is(reader.buf[0], 42);
  t.throws(() => reader.write(Buffer.from('a')), { code: 'ERR_SHM_READ_ONLY' });
  reader.buf[1] = 1;
  t.is(shm.buf[1], 0);
});

function attempts(name: string, attach: AttachOptions = {}): (() => unknown)[] {
  return [
    () => SharedMemory.attach(name, attach),
    () => ShareableList.attach(name, attach),
    () => SharedMemory.attach(name, { ...attach, readOnly: true }),
  ];
}

/** Every way to open something of this name is refused with one of these codes. */
function unusable(t: ExecutionContext, name: string, ...codes: string[]): void {
  leavesNothing(t, () => {
    for (const attempt of [...attempts(name), () => SharedMemory.createOrAttach(name, 64)]) {
      const error = t.throws<Error & { code?: string }>(attempt);
      t.true(codes.includes(error?.code ?? ''), `${error?.code} is none of ${codes.join()}`);
    }
    t.throws(() => SharedMemory.create(64, { name }), { code: 'EEXIST' });
  });
  t.true(exists(name), 'and it is still there');
}

test('a symbolic link in place of a segment is not followed', (t) => {
  using shm = SharedMemory.create(64, { name: freshName(t) });
  const name = freshName(t);
  symlinkSync(segmentPath(shm.name), segmentPath(name));
  unusable(t, name, 'ELOOP');
});

test('a symbolic link to nowhere is not followed', (t) => {
  const name = freshName(t);
  symlinkSync(segmentPath(`${name}-nowhere`), segmentPath(name));
  unusable(t, name, 'ELOOP');
  t.false(exists(`${name}-nowhere`));
});

test('a folder in place of a segment is refused', (t) => {
  const name = freshName(t);
  mkdirSync(segmentPath(name));
  unusable(t, name, 'ERR_SHM_NOT_A_SEGMENT');
});

test('a fifo in place of a segment is refused at once, though nobody has its other end', (t) => {
  const name = freshName(t);
  execFileSync('mkfifo', [segmentPath(name)]);
  unusable(t, name, 'ERR_SHM_NOT_A_SEGMENT');
});

test('a segment without a size is refused, after a moment for its creator', (t) => {
  const name = freshName(t);
  writeFileSync(segmentPath(name), '');
  unusable(t, name, 'ERR_SHM_EMPTY');
});

const asRoot = process.geteuid?.() === 0 ? test : test.skip;

asRoot('a segment of another user is refused unless it is asked for', (t) => {
  using list = ShareableList.create([1, 'two'], { name: freshName(t) });
  const { name } = list;
  chownSync(segmentPath(name), NOBODY, NOBODY);
  unusable(t, name, 'ERR_SHM_FOREIGN');
  for (const attempt of attempts(name, { foreign: true })) {
    using handle = attempt() as SharedMemory;
    t.is(handle.name, name);
  }
  using foreign = ShareableList.attach(name, { foreign: true });
  t.deepEqual(foreign.toArray(), [1, 'two']);
});
