/** Segments that hold no list, or a damaged one: refused, or read without leaving the segment. */
import { Buffer } from 'node:buffer';
import { truncateSync } from 'node:fs';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import * as fc from 'fast-check';
import { ShareableList, SharedMemory } from 'shmkit';

import { freshName, leavesNothing, segmentPath } from '../../fixtures/segments.js';

const CORRUPT = 'ERR_SHM_CORRUPT';
const ITEMS = ['howdy', new Uint8Array([1, 2, 3]), 2.5, 100, null, true, 'Boom 💥', 'x'.repeat(100)];

/** Where the parts of the list of these items are. */
const N = ITEMS.length;
const OFFSETS = 8;
const DATA = 16 + 8 * N;

interface Damaged {
  bytes: Buffer;
  /** Where the formats and the codes start. */
  formats: number;
  codes: number;
}

/** The bytes of a sound list, to be damaged. */
function sound(): Damaged {
  using list = ShareableList.create(ITEMS);
  list.unlink();
  const bytes = list.shm.read();
  const formats = DATA + Number(bytes.readBigInt64LE(OFFSETS + 8 * N));
  return { bytes, formats, codes: formats + 8 * N };
}

/** A segment of these bytes is refused as a list, with this in the message, and nothing of it is kept. */
function refused(t: ExecutionContext, bytes: Uint8Array, message = /no list of CPython's layout/): void {
  using shm = SharedMemory.create(bytes.length, { name: freshName(t) });
  shm.write(bytes);
  leavesNothing(t, () => {
    t.throws(() => ShareableList.attach(shm.name), { code: CORRUPT, message });
    t.throws(() => ShareableList.attach(shm.name, { readOnly: true }), { code: CORRUPT, message });
  });
  t.deepEqual(shm.read(), Buffer.from(bytes), 'looking changes nothing');
}

test('a segment that is too small for any list is refused', (t) => {
  for (const size of [1, 7, 8, 15]) refused(t, Buffer.alloc(size));
});

test('a segment of zeros is an empty list, whatever its size', (t) => {
  for (const size of [16, 17, 4096]) {
    using shm = SharedMemory.create(size, { name: freshName(t) });
    using list = ShareableList.attach(shm.name);
    t.deepEqual(list.toArray(), []);
  }
});

test('a segment of anything else is refused', (t) => {
  refused(t, Buffer.alloc(4096, 0xff));
  refused(t, Buffer.alloc(4096, 'text'));
  refused(t, Buffer.alloc(4096, 1));
});

test('a list in a segment that is larger than it needs is read', (t) => {
  const { bytes } = sound();
  using shm = SharedMemory.create(bytes.length + 5000, { name: freshName(t) });
  shm.write(bytes);
  using list = ShareableList.attach(shm.name);
  t.deepEqual(list.toArray(), ITEMS);
});

test('a list that is cut short anywhere is refused', (t) => {
  const { bytes } = sound();
  using shm = SharedMemory.create(bytes.length, { name: freshName(t) });
  shm.write(bytes);
  for (let size = bytes.length - 1; size > 0; size -= 7) {
    truncateSync(segmentPath(shm.name), size);
    t.throws(() => ShareableList.attach(shm.name), { code: CORRUPT }, `${size} bytes`);
  }
});

for (const count of [
  -1n,
  BigInt(N - 1),
  BigInt(N + 1),
  2n ** 31n,
  2n ** 32n,
  2n ** 60n,
  2n ** 63n - 1n,
  -(2n ** 63n),
]) {
  test(`a list that says it has ${count} items, and has ${N}, is refused`, (t) => {
    const { bytes } = sound();
    bytes.writeBigInt64LE(count);
    refused(t, bytes);
  });
}

for (const index of [0, 1, N - 1, N]) {
  for (const by of [-8n, 1n, 4n, 7n, 2n ** 20n, 2n ** 61n, -(2n ** 40n)]) {
    test(`an offset that is ${by} off is refused: ${index}`, (t) => {
      const { bytes } = sound();
      const at = OFFSETS + 8 * index;
      bytes.writeBigInt64LE(bytes.readBigInt64LE(at) + by, at);
      refused(t, bytes);
    });
  }
}

const formats = [
  '',
  's',
  'Q',
  'dd',
  '8',
  '-8s',
  '+8s',
  ' 8s',
  '08s',
  '8s ',
  '8S',
  '1e1s',
  '99999999',
  '999999s',
  '16s',
  'xxxxxxx',
  'xxxxxx??',
  '\t',
];
for (const format of formats) {
  test(`a format that is ${JSON.stringify(format)} in a slot of 8 bytes is refused`, (t) => {
    const damaged = sound();
    damaged.bytes.fill(0, damaged.formats, damaged.formats + 8).write(format, damaged.formats, 'latin1');
    refused(t, damaged.bytes, /item 0/);
  });
}

test('a code that no list has is refused', (t) => {
  for (const code of [4, 127, 255]) {
    for (const index of [0, 3, 4]) {
      const { bytes, codes } = sound();
      bytes[codes + index] = code;
      refused(t, bytes, new RegExp(`item ${index}`));
    }
  }
});

// What a process leaves that is killed between its two notes of an item's new type, CPython's or ours.
for (const [index, code, read] of [
  [0, 0, CORRUPT],
  [0, 3, CORRUPT],
  [1, 0, CORRUPT],
  [2, 1, 2.5],
  [3, 2, 100],
  [4, 0, null],
  [5, 3, true],
] as const) {
  test(`item ${index} with the code ${code}, as a kill leaves it, spares the rest and is mended by set`, (t) => {
    const { bytes, codes } = sound();
    bytes[codes + index] = code;
    using shm = SharedMemory.create(bytes.length, { name: freshName(t) });
    shm.write(bytes);
    using list = ShareableList.attach(shm.name);
    if (read === CORRUPT) t.throws(() => list.get(index), { code: CORRUPT });
    else t.is(list.get(index), read);
    t.is(list.get(7), 'x'.repeat(100));
    const value = ITEMS[index]!;
    list.set(index, value);
    t.deepEqual(list.get(index), value);
    t.deepEqual(shm.read(), sound().bytes, 'and it is the list that it was');
  });
}

test('a slot larger than any format can say is refused', (t) => {
  using shm = SharedMemory.create(20 << 20, { name: freshName(t) });
  const slot = 16 << 20;
  shm.buf.writeBigInt64LE(1n, 0);
  shm.buf.writeBigInt64LE(BigInt(slot), 16);
  shm.buf.write('8s', 24 + slot);
  shm.buf[24 + slot + 8] = 1;
  t.throws(() => ShareableList.attach(shm.name), { code: CORRUPT, message: /item 0 has 16777216 bytes/ });
});

test('a forged count in a huge sparse segment costs no memory', (t) => {
  using shm = SharedMemory.create(2 ** 40, { name: freshName(t), reserve: false });
  const count = Buffer.alloc(8);
  count.writeBigInt64LE((2n ** 40n - 16n) / 17n);
  shm.write(count);
  t.throws(() => ShareableList.attach(shm.name, { reserve: false }), { code: CORRUPT });
});

test('a format that is shorter than its slot is read as CPython reads it', (t) => {
  const damaged = sound();
  damaged.bytes.fill(0, damaged.formats, damaged.formats + 8).write('3s', damaged.formats);
  using shm = SharedMemory.create(damaged.bytes.length, { name: freshName(t) });
  shm.write(damaged.bytes);
  using list = ShareableList.attach(shm.name);
  t.is(list.get(0), 'how');
  list.set(0, 'to');
  t.is(list.format.slice(0, 2), '3s', 'a format that is long enough is kept');
  list.set(0, 'longer');
  t.is(list.get(0), 'longer');
  t.is(list.format.slice(0, 2), '8s');
});

const laterFormats = ['99s', '9s', 'Q', '', 's', '12345678'];
for (const format of laterFormats) {
  test(`an item whose format becomes ${JSON.stringify(format)} under us is refused, and the others are not`, (t) => {
    const damaged = sound();
    using shm = SharedMemory.create(damaged.bytes.length, { name: freshName(t) });
    shm.write(damaged.bytes);
    using list = ShareableList.attach(shm.name);
    shm.buf.fill(0, damaged.formats, damaged.formats + 8).write(format, damaged.formats, 'latin1');
    t.throws(() => list.get(0), { code: CORRUPT, message: /item 0/ });
    t.throws(() => list.toArray(), { code: CORRUPT });
    t.deepEqual(list.get(1), ITEMS[1]);
    list.set(0, 'mended');
    t.is(list.get(0), 'mended');
  });
}

/** What reading a damaged list may end with. */
const HARMLESS = new Set([CORRUPT, 'ERR_SHM_ENCODING']);

/** Every accessor works or says what is wrong. */
function tryEverything(list: ShareableList): void {
  const uses: ((index: number) => unknown)[] = [
    (index) => list.get(index),
    (index) => list.set(index, list.get(index)),
    () => list.toArray(),
    () => [...list],
    () => list.format,
    () => list.indexOf('howdy'),
    () => list.count(100),
    () => list.includes(new Uint8Array([1, 2, 3])),
    (index) => list.set(index, 7),
    (index) => list.set(index, 'text'),
    (index) => list.get(index),
  ];
  for (const use of uses) {
    for (let index = 0; index < list.length; index++) {
      try {
        use(index);
      } catch (error) {
        const { code } = error as { code?: string };
        if (!HARMLESS.has(code ?? '')) throw error;
      }
    }
  }
}

const flips = (size: number) =>
  fc.array(fc.tuple(fc.nat(size - 1), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 8 });

test('a list with random bytes flipped is refused as corrupt, or all of it works', (t) => {
  const { bytes, formats: start } = sound();
  // Formats and codes are looked at for a moment before they count as damaged, so fewer of those.
  const header = flips(start);
  const anywhere = flips(bytes.length);
  const check = (changes: [number, number][]) => {
    const damaged = Buffer.from(bytes);
    for (const [at, mask] of changes) damaged[at] = damaged[at]! ^ mask;
    using shm = SharedMemory.create(damaged.length);
    try {
      shm.write(damaged);
      using list = ShareableList.attach(shm.name);
      tryEverything(list);
    } catch (error) {
      if ((error as { code?: string }).code !== CORRUPT) throw error;
    } finally {
      shm.unlink();
    }
  };
  leavesNothing(t, () => {
    t.notThrows(() => fc.assert(fc.property(header, check), { numRuns: 1500 }));
    t.notThrows(() => fc.assert(fc.property(anywhere, check), { numRuns: 100 }));
  });
});

test('a list that another process damages while we have it never leads outside of its segment', (t) => {
  const { bytes } = sound();
  t.notThrows(() =>
    fc.assert(
      fc.property(flips(bytes.length), (changes) => {
        using shm = SharedMemory.create(bytes.length);
        shm.write(bytes);
        using list = ShareableList.attach(shm.name);
        shm.unlink();
        for (const [at, mask] of changes) shm.buf[at] = shm.buf[at]! ^ mask;
        tryEverything(list);
      }),
      { numRuns: 1000 },
    ),
  );
});
