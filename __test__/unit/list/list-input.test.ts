/** Bad input for ShareableList: each is refused with its code, and no byte of the list is changed. */
import { Buffer } from 'node:buffer';
import { inspect } from 'node:util';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import * as fc from 'fast-check';
import { float, ShareableList } from 'shmkit';
import type { Float, ListCreateOptions, ListItem } from 'shmkit';

import { exists, freshName, leavesNothing } from '../../fixtures/segments.js';

const OUT_OF_RANGE = { code: 'ERR_OUT_OF_RANGE', instanceOf: RangeError };
const WRONG_TYPE = { code: 'ERR_INVALID_ARG_TYPE', instanceOf: TypeError };
const BAD_VALUE = { code: 'ERR_SHM_VALUE', instanceOf: RangeError };

/** Whatever has no place in the types, passed nonetheless. */
const untyped = <T>(value: unknown) => value as T;

const ITEMS = ['text', 1, 2.5, null, true, new Uint8Array([1, 2]), 'more text', 8, 9];

/** A list of which the action, refused as it is, may not change a byte. */
function unchanged(t: ExecutionContext, action: (list: ShareableList) => void): void {
  using list = ShareableList.create(ITEMS, { name: freshName(t) });
  const before = list.shm.read();
  leavesNothing(t, () => action(list));
  t.deepEqual(list.shm.read(), before);
}

test('an index that is no whole number is refused', (t) => {
  unchanged(t, (list) => {
    for (const index of [0.5, -0.5, 1e-9, -1e-9, Number.NaN, Infinity, -Infinity, 8.5, -9.5]) {
      t.throws(() => list.get(index), OUT_OF_RANGE, String(index));
      t.throws(() => list.set(index, 1), OUT_OF_RANGE, String(index));
    }
  });
});

test('an index that is almost a whole number is refused', (t) => {
  unchanged(t, (list) => {
    for (const index of [-1 - Number.EPSILON, -1e-20, -8.999999999999998, Number.MIN_VALUE]) {
      t.throws(() => list.get(index), OUT_OF_RANGE, String(index));
      t.throws(() => list.set(index, 1), OUT_OF_RANGE, String(index));
    }
  });
});

test('an index just outside is refused at both ends, one just inside is not', (t) => {
  unchanged(t, (list) => {
    t.is(list.get(list.length - 1), 9);
    t.is(list.get(-list.length), 'text');
    t.is(list.get(-0), 'text');
    for (const index of [list.length, -list.length - 1, 2 ** 31, -(2 ** 31), 2 ** 53, -(2 ** 53)]) {
      t.throws(() => list.get(index), OUT_OF_RANGE, String(index));
      t.throws(() => list.set(index, 1), OUT_OF_RANGE, String(index));
    }
  });
});

for (const index of [undefined, null, '0', '-1', 'length', true, {}, [0], () => 0]) {
  test(`${inspect(index)} is no index`, (t) => {
    unchanged(t, (list) => {
      t.throws(() => list.get(untyped(index)), WRONG_TYPE);
      t.throws(() => list.set(untyped(index), 1), WRONG_TYPE);
    });
  });
}

for (const index of [0n, -1n, Symbol('0')]) {
  test(`a ${typeof index} is no index: ${inspect(index)}`, (t) => {
    unchanged(t, (list) => {
      t.throws(() => list.get(untyped(index)), WRONG_TYPE);
      t.throws(() => list.set(untyped(index), 1), WRONG_TYPE);
    });
  });
}

const strangers: [what: string, value: unknown][] = [
  ['undefined', undefined],
  ['an object', {}],
  ['an object with a value', { value: 2 }],
  ['an array', [1]],
  ['a symbol', Symbol('item')],
  ['a function', () => 1],
  ['a Date', new Date(0)],
  ['a Map', new Map()],
  ['a boxed number', Object(1)],
  ['a boxed string', Object('text')],
  ['an ArrayBuffer', new ArrayBuffer(4)],
  ['a DataView', new DataView(new ArrayBuffer(4))],
  ['an Int8Array', new Int8Array(4)],
  ['a Uint8ClampedArray', new Uint8ClampedArray(4)],
  ['a Float32Array', new Float32Array(4)],
];

for (const [what, value] of strangers) {
  test(`${what} is no item of a list`, (t) => {
    const name = freshName(t);
    unchanged(t, (list) => {
      t.throws(() => ShareableList.create([1, untyped(value)], { name }), WRONG_TYPE);
      for (const index of list.toArray().keys()) t.throws(() => list.set(index, untyped(value)), WRONG_TYPE);
      t.throws(() => list.indexOf(untyped(value)), WRONG_TYPE);
    });
    t.false(exists(name));
  });
}

const lossy: [what: string, value: ListItem][] = [
  ['an integer of 2^63', 2n ** 63n],
  ['an integer below -2^63', -(2n ** 63n) - 1n],
  ['an integer of 2^64', 2n ** 64n],
  ['a huge integer', 10n ** 100n],
  ['a lone high surrogate', 'a\ud800'],
  ['a lone low surrogate', '\udc00b'],
  ['text that ends in NUL', 'a\0'],
  ['text that is NUL', '\0'],
  ['bytes that end in NUL', new Uint8Array([1, 0])],
  ['bytes that are NUL', new Uint8Array(1)],
];

for (const [what, value] of lossy) {
  test(`${what} cannot be stored without a loss, and is refused`, (t) => {
    const name = freshName(t);
    unchanged(t, (list) => {
      t.throws(() => ShareableList.create([1, value], { name }), BAD_VALUE);
      for (const index of list.toArray().keys()) t.throws(() => list.set(index, value), BAD_VALUE);
      t.false(list.includes(value));
    });
    t.false(exists(name));
  });
}

test('a lone surrogate is refused also where NULs are stripped', (t) => {
  const options = { name: freshName(t), trailingNul: 'strip' } as const;
  using list = ShareableList.create(['text'], options);
  t.throws(() => list.set(0, '\ud800\0'), BAD_VALUE);
  t.is(list.get(0), 'text');
});

test('text and bytes of one more than the capacity are refused, of the capacity not', (t) => {
  for (const size of [0, 1, 7, 8, 9, 127, 128, 4095, 4096, 100_000]) {
    using list = ShareableList.create([1, 'x'.repeat(size), 2], { name: freshName(t) });
    const capacity = 8 * (Math.floor(size / 8) + 1);
    for (const make of [
      (length: number) => 'y'.repeat(length),
      (length: number) => new Uint8Array(length).fill(1),
    ]) {
      list.set(1, make(capacity));
      t.deepEqual(list.get(1), make(capacity));
      const before = list.shm.read();
      t.throws(() => list.set(1, make(capacity + 1)), BAD_VALUE);
      t.deepEqual(list.shm.read(), before);
    }
    t.is(list.get(0), 1);
    t.is(list.get(2), 2);
  }
});

test('the longest text of all is stored, a longer one refused', (t) => {
  const longest = 9_999_991;
  using list = ShareableList.create(['x'.repeat(longest)], { name: freshName(t) });
  t.is(list.format, '9999992s');
  t.is((list.get(0) as string).length, longest);
  list.set(0, 'short');
  t.is(list.get(0), 'short');
  const name = freshName(t);
  for (const item of ['x'.repeat(longest + 1), Buffer.alloc(longest + 1, 1)]) {
    t.throws(() => ShareableList.create([item], { name }), BAD_VALUE);
  }
  t.false(exists(name));
});

test('what is not iterable makes no list', (t) => {
  for (const values of [undefined, null, 7, true, {}, { length: 2 }, Symbol('items')]) {
    t.throws(() => ShareableList.create(untyped(values)), WRONG_TYPE);
  }
});

test('an iterable that throws makes no list', (t) => {
  const name = freshName(t);
  const broken = new Error('broken');
  const items = (function* (): Iterable<ListItem> {
    yield 1;
    throw broken;
  })();
  leavesNothing(t, () =>
    t.is(
      t.throws(() => ShareableList.create(items as Iterable<ListItem>, { name })),
      broken,
    ),
  );
  t.false(exists(name));
});

test('options of the wrong type are refused', (t) => {
  using list = ShareableList.create([1], { name: freshName(t) });
  const name = freshName(t);
  for (const trailingNul of [null, 'keep', '', true, 0]) {
    const options = untyped<ListCreateOptions>({ name, trailingNul });
    t.throws(() => ShareableList.create([1], options), WRONG_TYPE);
    t.throws(() => ShareableList.attach(list.name, options), WRONG_TYPE);
  }
  for (const options of [null, 7, 'strip']) {
    t.throws(() => ShareableList.create([1], untyped(options)), WRONG_TYPE);
    t.throws(() => ShareableList.attach(list.name, untyped(options)), WRONG_TYPE);
  }
  t.false(exists(name));
});

test('a float() of what is no number is refused', (t) => {
  for (const value of ['2', null, undefined, 2n, {}, true]) {
    t.throws(() => float(untyped(value)), WRONG_TYPE);
  }
});

test('a list that is taken already stays what it was', (t) => {
  unchanged(t, (list) => {
    t.throws(() => ShareableList.create([1], { name: list.name }), { code: 'EEXIST' });
  });
});

test('a read-only list is read and never written', (t) => {
  using list = ShareableList.create(ITEMS, { name: freshName(t) });
  using reader = ShareableList.attach(list.name, { readOnly: true });
  t.deepEqual(reader.toArray(), ITEMS);
  const values: (ListItem | Float)[] = ['a', 1, 1n, 2.5, float(2), true, null, new Uint8Array(0)];
  for (const index of ITEMS.keys()) {
    for (const value of values) t.throws(() => reader.set(index, value), { code: 'ERR_SHM_READ_ONLY' });
  }
  t.deepEqual(list.toArray(), ITEMS);
  list.set(0, 'new');
  t.is(reader.get(0), 'new');
});

const item = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc
    .string({ unit: 'grapheme', maxLength: 200 })
    .filter((text) => text.isWellFormed() && !text.endsWith('\0')),
  fc.uint8Array({ maxLength: 200 }).filter((bytes) => bytes.at(-1) !== 0),
);

/** What a list gives back for a value: integers as numbers where that is exact. */
function asRead(value: ListItem): ListItem {
  return typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

test('any items come back as they were, and set one by one over others as well', (t) => {
  fc.assert(
    fc.property(fc.array(item, { maxLength: 20 }), (items) => {
      using list = ShareableList.create(items);
      list.unlink();
      t.deepEqual(list.toArray(), items.map(asRead));
      using attached = ShareableList.create(items.map(() => 'x'.repeat(1000)));
      attached.unlink();
      for (const [index, value] of items.entries()) attached.set(index, value);
      t.deepEqual(attached.toArray(), items.map(asRead));
    }),
    { numRuns: 200 },
  );
});
