/** Lists whose bytes CPython 3.11 wrote: ours have the same, and say so where they differ on purpose. */
import { Buffer, isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import { ShareableList, SharedMemory } from 'shmkit';
import type { Float, ListItem } from 'shmkit';

import { freshName, leavesNothing } from '../fixtures/segments.js';
import { fromWire, storable } from '../fixtures/peers/wire.js';
import type { WireItem } from '../fixtures/peers/wire.js';

/** What Python's list refuses: an object of a type that it does not know, or text that has no UTF-8. */
type Refused = { t: 'unsupported'; py: string } | { t: 'str-lone-surrogate'; utf16: string[] };
type Raised = { exc: string; msg: string };

interface Vector {
  id: string;
  input: (WireItem | Refused)[];
  sets?: [index: number, item: WireItem | Refused, outcome: Raised | null][];
  ctor_error?: Raised;
  hex: string;
  format: string;
  readback: (WireItem | Raised)[];
}

const file = new URL('vectors/shareable-list-cpython-3.11.json', import.meta.url);
const { vectors, count } = JSON.parse(readFileSync(file, 'utf8')) as { vectors: Vector[]; count: number };

/** JavaScript's nearest to the Python objects that no list takes. */
const STRANGERS: Record<string, unknown> = {
  list: [1],
  bytearray: new ArrayBuffer(2),
  S: Object('text'),
  I: Object(1),
  complex: { re: 1, im: 2 },
};

function given(item: WireItem | Refused): ListItem | Float {
  switch (item.t) {
    case 'unsupported':
      return STRANGERS[item.py] as ListItem;
    case 'str-lone-surrogate':
      return String.fromCharCode(...item.utf16.map((unit) => Number.parseInt(unit, 16)));
    default:
      return storable(item);
  }
}

/** Why our list of the same items has other bytes, if it has. */
const DIFFERENT = new Map([
  ['latin1-7', 'sized by UTF-8'],
  ['latin1-8', 'sized by UTF-8'],
  ['emoji-2', 'sized by UTF-8'],
  ['latin1-4', 'sized by UTF-8'],
  ['emoji-split', 'sized by UTF-8'],
  ['boom-88336', 'sized by UTF-8'],
  ['zwj-family', 'sized by UTF-8'],
  ['truncated-then-neighbour', 'sized by UTF-8'],
  ['str-nul-tail', 'NULs stripped'],
  ['bytes-nul-tail', 'NULs stripped'],
  ['bytes-8-nuls', 'NULs stripped'],
  ['nan-payload', 'a NaN is just a NaN'],
  ['set-overflow-corrupts-meta', 'a refused set changes nothing'],
  ['set-errors', 'a refused set changes nothing'],
]);

/** How the errors of Python's list are called in ours. */
const CODES: Record<string, string> = {
  'struct.error': 'ERR_SHM_VALUE',
  UnicodeEncodeError: 'ERR_SHM_VALUE',
  KeyError: 'ERR_INVALID_ARG_TYPE',
  IndexError: 'ERR_OUT_OF_RANGE',
};

function bytesOf(list: ShareableList): string {
  return list.shm.read().toString('hex');
}

/** A list over exactly these bytes, as if CPython had made it just now. */
function listOver(t: ExecutionContext, hex: string): ShareableList {
  const bytes = Buffer.from(hex, 'hex');
  using shm = SharedMemory.create(bytes.length, { name: freshName(t) });
  shm.write(bytes);
  return ShareableList.attach(shm.name);
}

/** Does what was done to the vector's list, and checks each outcome. */
function applySets(t: ExecutionContext, list: ShareableList, { sets = [] }: Vector): void {
  for (const [index, item, outcome] of sets) {
    const before = bytesOf(list);
    // CPython takes an index below -length and damages the header with it.
    const code = index < -list.length ? 'ERR_OUT_OF_RANGE' : outcome && CODES[outcome.exc];
    if (code) {
      t.throws(() => list.set(index, given(item)), { code });
      t.is(bytesOf(list), before, 'a refused set changes nothing');
    } else if (item.t === 'bytes' && item.hex.endsWith('00')) {
      t.throws(() => list.set(index, given(item)), { code: 'ERR_SHM_VALUE' });
      using stripping = ShareableList.attach(list.name, { trailingNul: 'strip' });
      stripping.set(index, given(item));
    } else {
      list.set(index, given(item));
    }
  }
}

/** The bytes that ours has for the items of a vector with different ones. */
function checkDifference(t: ExecutionContext, list: ShareableList, vector: Vector, why: string): void {
  const items = vector.input.map(given);
  if (why === 'sized by UTF-8') {
    t.deepEqual(list.toArray(), items, 'every text is whole');
    const formats = vector.input.map((item) =>
      item.t === 'str' ? `${8 * (Math.floor(item.utf8.length / 16) + 1)}s` : 'q',
    );
    t.is(list.format, formats.join(''));
    t.true(list.shm.size > vector.hex.length / 2, 'with more room than in CPython');
  } else if (why === 'a NaN is just a NaN') {
    t.is(list.format, 'd');
    t.is(list.get(0), Number.NaN);
  } else if (why === 'a refused set changes nothing') {
    t.deepEqual(list.toArray(), vector.id === 'set-errors' ? [1, 'a'] : [1.5, 'abc']);
  } else {
    t.fail(why);
  }
}

test('the file of vectors is whole', (t) => {
  t.is(vectors.length, count);
  t.is(new Set(vectors.map(({ id }) => id)).size, 60);
  t.true([...DIFFERENT.keys()].every((id) => vectors.some((vector) => vector.id === id)));
});

const refusedVectors = vectors.filter((vector) => vector.ctor_error);
const madeVectors = vectors.filter((vector) => !vector.ctor_error);

for (const vector of refusedVectors) {
  test(`a list that CPython refuses is refused, and leaves nothing: ${vector.id}`, (t) => {
    const code = CODES[vector.ctor_error?.exc ?? ''] ?? 'no code';
    const name = freshName(t);
    leavesNothing(t, () => t.throws(() => ShareableList.create(vector.input.map(given), { name }), { code }));
    t.throws(() => ShareableList.attach(name), { code: 'ENOENT' });
  });
}

for (const vector of madeVectors) {
  const why = DIFFERENT.get(vector.id);
  if (why === 'NULs stripped') {
    test(`text and bytes that end in NUL are stored only on request: ${vector.id}`, (t) => {
      const items = vector.input.map(given);
      t.throws(() => ShareableList.create(items, { name: freshName(t) }), { code: 'ERR_SHM_VALUE' });
      using list = ShareableList.create(items, { name: freshName(t), trailingNul: 'strip' });
      t.deepEqual(
        list.toArray(),
        vector.readback.map((item) => fromWire(item as WireItem)),
      );
    });
  } else {
    const promise = why
      ? `our list differs from CPython's only in this: ${why}`
      : 'our list has the bytes of CPython';
    test(`${promise}: ${vector.id}`, (t) => {
      using list = ShareableList.create(vector.input.map(given), { name: freshName(t) });
      applySets(t, list, vector);
      if (why) return checkDifference(t, list, vector, why);
      t.is(bytesOf(list), vector.hex);
      t.is(list.format, vector.format);
    });
  }
}

for (const vector of madeVectors.filter(({ id }) => id !== 'set-errors')) {
  test(`we read what CPython wrote: ${vector.id}`, (t) => {
    using list = listOver(t, vector.hex);
    t.is(list.format, vector.format);
    t.is(list.length, vector.readback.length);
    for (const [index, item] of vector.readback.entries()) {
      if ('exc' in item) {
        t.is(item.exc, 'UnicodeDecodeError');
        t.throws(() => list.get(index), { code: 'ERR_SHM_ENCODING' });
      } else {
        t.deepEqual(list.get(index), fromWire(item));
      }
    }
    t.is(bytesOf(list), vector.hex, 'reading changes nothing');
  });
}

test('a list whose header CPython damaged is refused, with what is wrong', (t) => {
  const vector = vectors.find(({ id }) => id === 'set-errors');
  t.throws(() => listOver(t, vector?.hex ?? ''), { code: 'ERR_SHM_CORRUPT', message: /item 0/ });
});

test('text that CPython cut can be replaced', (t) => {
  const cut = madeVectors.filter(({ readback }) => readback.some((item) => 'exc' in item));
  t.true(cut.length >= 4);
  for (const vector of cut.filter(({ id }) => id !== 'set-errors')) {
    using list = listOver(t, vector.hex);
    list.set(0, 'whole');
    t.is(list.get(0), 'whole');
    t.true(isUtf8(list.shm.read()));
  }
});
