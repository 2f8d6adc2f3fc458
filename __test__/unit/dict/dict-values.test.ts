/** Which values a dict keeps, and which it refuses: never one that comes back as something else. */
import { Buffer } from 'node:buffer';
import { runInNewContext } from 'node:vm';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import { SharedDict } from 'shmkit';

import { encode } from '../../../src/dict/values.js';
import { freshName } from '../../fixtures/segments.js';

function dictOf(t: ExecutionContext): SharedDict {
  const dict = SharedDict.create({ name: freshName(t) });
  t.teardown(() => {
    dict.close();
    dict.unlink();
  });
  return dict;
}

/** Sets it, and gets it: through the dict, in a txn before it is committed, and through another handle. */
function thereAndBack(t: ExecutionContext, dict: SharedDict, value: unknown): unknown[] {
  using other = SharedDict.attach(dict.name);
  dict.set('key', value);
  const got = [dict.get('key'), dict.get('key'), other.get('key')];
  dict.delete('key');
  t.false(other.has('key'));
  got.push(
    dict.txnSync((txn) => {
      txn.set('key', value);
      return txn.get('key') as never;
    }),
  );
  got.push(other.get('key'));
  return got;
}

const ARRAYS = [
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  BigInt64Array,
  BigUint64Array,
  Float32Array,
  Float64Array,
] as const;

const { MAX_SAFE_INTEGER, MAX_VALUE, MIN_VALUE } = Number;
const PRIMITIVES: Record<string, readonly unknown[]> = {
  'null and booleans': [null, true, false],
  numbers: [0, -0, 1, -1, 1.5, NaN, Infinity, -Infinity, 2 ** 31, -(2 ** 31) - 1, 2 ** 32, 2 ** 53, 0.1],
  'numbers at the ends': [MAX_SAFE_INTEGER, -MAX_SAFE_INTEGER, MAX_VALUE, MIN_VALUE, 1e-320],
  bigints: [0n, 1n, -1n, 2n ** 63n, -(2n ** 63n), 2n ** 64n - 1n, 2n ** 64n, -(2n ** 64n), 10n ** 40n],
  'large bigints': [2n ** 4000n, -(3n ** 5000n)],
  'short texts': [
    '',
    'a',
    '\0',
    'a\0b',
    'grün',
    '\u0080\u00ff',
    'Ā',
    '日本語',
    '👩‍🚀',
    '\u{10ffff}',
    '\ufffd',
    '\ufeffa',
  ],
  'lone surrogates': [
    '\ud800',
    '\udc00',
    'a\udfffb',
    '\udc00\ud800',
    '👩\ud83d',
    `${'x'.repeat(1000)}\ud800`,
  ],
  'texts of 1 MB': ['x'.repeat(1 << 20), 'ü'.repeat(1 << 20), '日'.repeat(1 << 19), '👍'.repeat(1 << 18)],
};
for (const [what, values] of Object.entries(PRIMITIVES)) {
  test(`there and back: ${what}`, (t) => {
    const dict = dictOf(t);
    for (const value of values) {
      for (const got of thereAndBack(t, dict, value)) {
        t.true(Object.is(got, value), `${String(value).slice(0, 40)} is ${String(got).slice(0, 40)}`);
      }
    }
  });
}

test('there and back: texts around every length at which a buffer may end', (t) => {
  const dict = dictOf(t);
  for (let length = 230; length < 530; length++) {
    for (const character of ['x', 'ü', '日', '👍']) {
      const text = 'a'.repeat(length % 3) + character.repeat(length / character.length);
      dict.set('text', text);
      dict.set(text, length);
      t.true(dict.get('text') === text && dict.get(text) === length, `${length} of ${character}`);
    }
  }
  t.deepEqual(new Set([...dict.keys()].map((key) => dict.has(key))), new Set([true]));
});

test('there and back: bytes, which come as a Buffer', (t) => {
  const dict = dictOf(t);
  const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const shared = new Uint8Array(new SharedArrayBuffer(8), 3, 5);
  for (const bytes of [
    Buffer.alloc(0),
    all,
    all.subarray(3, 8),
    new Uint8Array([1, 2]),
    shared,
    Buffer.alloc(1 << 20, 7),
  ]) {
    for (const got of thereAndBack(t, dict, bytes)) {
      t.true(Buffer.isBuffer(got) && got.equals(bytes));
    }
  }
});

test('bytes that another thread may make more of are as many as they were', (t) => {
  const dict = dictOf(t);
  const memory = new SharedArrayBuffer(200, { maxByteLength: 400 });
  const bytes = new Uint8Array(memory).fill(7);
  // Looks like one that stays as it is.
  const liar = Object.defineProperty(new Uint8Array(memory), 'buffer', { value: new ArrayBuffer(200) });
  const encoded = [bytes, liar].map((it) => encode(it, 'staged').value as Uint8Array);
  dict.set('key', bytes);
  memory.grow(400);
  t.deepEqual([bytes.length, liar.length], [400, 400]);
  for (const { length } of encoded) t.is(length, 200);
  t.deepEqual(dict.get('key'), Buffer.alloc(200, 7));
});

test('there and back: every typed array, empty ones and those on odd offsets of memory', (t) => {
  const dict = dictOf(t);
  const bytes = Uint8Array.from({ length: 200 }, (_, index) => index * 37);
  for (const ArrayOf of ARRAYS) {
    const size = ArrayOf.BYTES_PER_ELEMENT;
    const buffer = bytes.slice().buffer;
    for (const array of [new ArrayOf(0), new ArrayOf(buffer, size, 7), new ArrayOf(buffer, size * 3, 0)]) {
      // After keys of all lengths, so that it lies wherever it may.
      for (let length = 1; length <= 9; length++) {
        const key = 'k'.repeat(length);
        dict.set(key, array);
        const got = dict.get(key);
        t.is((got as typeof array).constructor, ArrayOf);
        t.deepEqual(got, array);
      }
      for (const got of thereAndBack(t, dict, array)) t.deepEqual(got, array);
    }
  }
});

const date = new Date(1_700_000_000_123);
const OBJECTS: Record<string, readonly unknown[]> = {
  'objects and arrays': [
    {},
    [],
    { a: 1, b: [1, 'two', { c: null }], d: { e: { f: true } } },
    { '': 1, 5: 2, '05': 3, ü: 4, 日: 5, constructor: 6, hasOwnProperty: 7, toString: 8, toJSON: 9 },
    { undef: undefined, list: [undefined] },
    Array.from({ length: 1000 }, (_, index) => ({ index, ['key' + index]: index })),
    ['abc'.match(/b(c)/), Object.assign([1], { named: 2 }), Object.assign([], { 5: 1 })],
    { text: 'é'.repeat(70_000), emoji: '👩‍🚀' },
  ],
  'numbers inside': [
    {
      a: NaN,
      b: Infinity,
      c: -Infinity,
      d: 0.1,
      e: 1e-320,
      f: 2 ** 31,
      g: -(2 ** 31) - 1,
      h: 2 ** 53,
      i: -129,
    },
    [255, 256, 65535, 65536, -32, -33, -128, -129, -32768, -32769, 2 ** 32 - 1, 2 ** 32, -(2 ** 53)],
  ],
  'bigints inside': [[0n, -1n, 2n ** 62n, 2n ** 63n, -(2n ** 63n), 2n ** 64n, -(2n ** 200n)]],
  'Map and Set': [
    new Map(),
    new Set(),
    new Map<unknown, unknown>([
      [1, { a: 2 }],
      ['x', new Map([['y', [1]]])],
      [null, new Set([1])],
    ]),
    { map: new Map([['a', [{ x: 1 }, { x: 2 }]]]), set: new Set([{ map: new Map([[1, 2]]) }]) },
    new Map(Array.from({ length: 200 }, (_, index) => [index, { ['k' + index]: index }])),
  ],
  'Date, at the ends too': [date, new Date(-5), new Date(0), new Date(8.64e15), new Date(-8.64e15), { date }],
  'bytes and typed arrays inside': [
    { a: Buffer.from('abc') },
    {
      a: new Float64Array([1, 2]),
      b: new BigInt64Array([5n]),
      c: new Int8Array(0),
      d: new Uint8ClampedArray([3]),
    },
    [new Uint32Array(new Uint32Array([9, 8, 7, 6]).buffer, 4, 2)],
    { a: new Uint8Array([1, 2]), b: [new Uint8Array(0)] },
  ],
};
for (const [what, values] of Object.entries(OBJECTS)) {
  test(`there and back: ${what}`, (t) => {
    const dict = dictOf(t);
    for (const value of values) {
      for (const got of thereAndBack(t, dict, value)) t.deepEqual(got, value);
    }
  });
}

test('there and back: -0 inside of an object', (t) => {
  const dict = dictOf(t);
  for (const got of thereAndBack(t, dict, { a: -0, b: [-0] })) {
    const { a, b } = got as { a: number; b: number[] };
    t.true(Object.is(a, -0) && Object.is(b[0], -0));
  }
});

test('there and back: lone surrogates inside of an object', (t) => {
  const dict = dictOf(t);
  const value = {
    text: 'a\ud800',
    list: ['\udc00'],
    long: `${'x'.repeat(100)}\ud800`,
    map: new Map([['\ud800', 1]]),
  };
  for (const got of thereAndBack(t, dict, value)) t.deepEqual(got, value);
});

test("there and back: '__proto__' as a key inside of an object", (t) => {
  const dict = dictOf(t);
  const text = '{"__proto__":{"x":1},"a":[{"__proto__":5}]}';
  for (const got of thereAndBack(t, dict, JSON.parse(text))) {
    t.is(JSON.stringify(got), text);
    t.is((got as { x?: number }).x, undefined);
  }
  for (const got of thereAndBack(t, dict, new Map([['m', JSON.parse(text)]]))) {
    t.is(JSON.stringify((got as Map<string, unknown>).get('m')), text);
  }
});

test('there and back: an invalid Date', (t) => {
  const dict = dictOf(t);
  for (const got of thereAndBack(t, dict, { date: new Date(NaN) })) {
    t.true(Number.isNaN((got as { date: Date }).date.getTime()));
  }
});

test('there and back: Error', (t) => {
  const dict = dictOf(t);
  const error = new RangeError('no', { cause: 'why' });
  for (const got of [
    ...thereAndBack(t, dict, error),
    ...thereAndBack(t, dict, [error]).map((it) => (it as Error[])[0]),
  ]) {
    t.true(got instanceof RangeError);
    const { name, message, cause } = got as Error;
    t.deepEqual({ name, message, cause }, { name: 'RangeError', message: 'no', cause: 'why' });
  }
});

test("an Error keeps its stack, as structuredClone's does", (t) => {
  const dict = dictOf(t);
  const error = new TypeError('here');
  dict.set('error', error);
  t.is((dict.get('error') as Error).stack, error.stack);
});

test('there and back: cycles, and what is there twice', (t) => {
  const dict = dictOf(t);
  interface Node {
    name: string;
    me?: Node;
    list?: unknown[];
  }
  const node: Node = { name: 'n' };
  node.me = node;
  for (const got of thereAndBack(t, dict, node)) {
    t.is((got as Node).name, 'n');
    t.is((got as Node).me, got as Node);
  }
  const list: unknown[] = [1];
  list.push(list);
  for (const got of thereAndBack(t, dict, list)) t.is((got as unknown[])[1], got);
  const map = new Map<string, unknown>();
  map.set('me', map);
  for (const got of thereAndBack(t, dict, map)) t.is((got as typeof map).get('me'), got);
  const one = { x: 1 };
  for (const got of thereAndBack(t, dict, { a: one, b: one })) {
    t.is((got as { a: unknown }).a, (got as { b: unknown }).b);
  }
  const inMap: Node = { name: 'm', list: [new Map()] };
  inMap.me = inMap;
  for (const got of thereAndBack(t, dict, inMap)) t.is((got as Node).me?.me, got as Node);
});

test('a get is a fresh copy', (t) => {
  const dict = dictOf(t);
  const value = { list: [1], bytes: Buffer.of(1) };
  for (const it of [
    value,
    new Map([['list', [1]]]),
    [1],
    new Float64Array([1]),
    Buffer.of(1),
    date,
    new Set([1]),
  ]) {
    dict.set('key', it);
    t.not(dict.get('key'), it);
    t.not(dict.get('key'), dict.get('key'));
  }
  dict.set('key', value);
  value.list.push(2);
  value.bytes[0] = 9;
  const first = dict.get('key') as typeof value;
  t.deepEqual(first, { list: [1], bytes: Buffer.of(1) });
  first.list.push(3);
  first.bytes[0] = 8;
  t.deepEqual(dict.get('key'), { list: [1], bytes: Buffer.of(1) });
  dict.txnSync((txn) => {
    const mine = { list: [1] };
    txn.set('key', mine);
    mine.list.push(2);
    (txn.get('key') as typeof mine).list.push(3);
    t.deepEqual(txn.get('key'), { list: [1] });
  });
  t.deepEqual(dict.get('key'), { list: [1] });
  const bytes = Buffer.of(1, 2, 3);
  dict.txnSync((txn) => {
    txn.set('key', bytes);
    bytes.fill(9);
    (txn.get('key') as Buffer).fill(8);
    for (const [, it] of txn.entries()) (it as Buffer).fill(7);
  });
  t.deepEqual(dict.get('key'), Buffer.of(1, 2, 3));
});

class Point {
  x = 1;
}
const REFUSED: Record<string, unknown> = {
  undefined: undefined,
  'a function': () => 1,
  'a symbol': Symbol('s'),
  'a function inside': { a: [{ f: () => 1 }] },
  'a symbol inside': [Symbol('s')],
  'a function in a Map': new Map([['a', () => 1]]),
  'a function as a key of a Map': new Map([[() => 1, 'a']]),
  'a symbol in a Set': new Set([Symbol('s')]),
  'a class': Point,
  'bytes that were sent away': sentAway(new Uint8Array(9)),
  'an array that was sent away': sentAway(new Float64Array(9)),
};

function sentAway(array: Uint8Array | Float64Array): unknown {
  structuredClone(array, { transfer: [array.buffer as ArrayBuffer] });
  return array;
}
for (const [what, value] of Object.entries(REFUSED)) {
  test(`refused: ${what}`, (t) => {
    const dict = dictOf(t);
    dict.set('key', 1);
    const code = 'ERR_SHM_VALUE';
    for (const act of [
      () => dict.set('key', value),
      () => dict.update('key', () => value),
      () => dict.getOrInsert('other', value),
      () => dict.compareAndSet('key', 1, value),
      () => dict.assign({ fine: 1, key: value }),
      () => dict.assign([['fine', 1] as const, ['key', value] as const] as [string, unknown][]),
      () => dict.txnSync((txn) => txn.set('key', value)),
    ]) {
      t.throws(act, { code });
    }
    t.deepEqual(dict.toObject(), { key: 1 });
  });
}

/** What structuredClone refuses too, or what would come back as something else, without a word. */
const LOST: Record<string, unknown> = {
  'a promise': Promise.resolve(1),
  'a WeakMap': new WeakMap(),
  'a WeakRef inside': { a: new WeakRef({}) },
  'a SharedArrayBuffer': new SharedArrayBuffer(3),
  'a URL': new URL('http://a/b'),
  arguments: function () {
    return arguments; // oxlint-disable-line prefer-rest-params
  }.apply(undefined, [1, 2] as never),
  'a Blob': new Blob(['x']),
};
for (const [what, value] of Object.entries(LOST)) {
  test(`refused, and not made into something else: ${what}`, (t) => {
    t.throws(() => dictOf(t).set('key', value), { code: 'ERR_SHM_VALUE' });
  });
}

test('arrays are stored as they are when they are set, and not when they are committed', (t) => {
  const dict = dictOf(t);
  for (const array of [new Float64Array(1), new Uint8Array(1), new BigInt64Array(1)]) {
    const fill = (n: number): void =>
      void (array[0] = (typeof array[0] === 'bigint' ? BigInt(n) : n) as never);
    dict.assign(
      (function* () {
        for (let i = 0; i < 3; i++) {
          fill(i);
          yield [`key ${i}`, array] as [string, unknown];
        }
      })(),
    );
    t.deepEqual(
      [0, 1, 2].map((i) => Number((dict.get(`key ${i}`) as typeof array)[0])),
      [0, 1, 2],
    );
    dict.txnSync((txn) => {
      txn.set('a', array);
      fill(9);
      t.is(Number((txn.get('a') as typeof array)[0]), 2);
    });
    t.is(Number((dict.get('a') as typeof array)[0]), 2);
  }
  dict.set('large', new Float64Array([1, 2, 3]));
  dict.txnSync((txn) => txn.set('copy', txn.view('large')));
  t.deepEqual(dict.get('copy'), new Float64Array([1, 2, 3]));
});

test('what is nested too deeply is refused', (t) => {
  const dict = dictOf(t);
  const deep: { a?: object } = {};
  for (let i = 0, inner = deep; i < 100_000; i++) inner = inner.a = {};
  t.throws(() => dict.set('key', deep), { code: 'ERR_SHM_VALUE' });
  t.false(dict.has('key'));
  for (const levels of [99, 100, 101, 499]) {
    const nested: unknown = JSON.parse('['.repeat(levels) + ']'.repeat(levels));
    dict.set('key', nested);
    t.deepEqual(dict.get('key'), nested);
  }
  const before = dict.get('key');
  t.throws(() => dict.set('key', JSON.parse('['.repeat(2500) + ']'.repeat(2500))), { code: 'ERR_SHM_VALUE' });
  t.deepEqual(dict.get('key'), before);
});

test('Map and typed arrays of another context are what they are', (t) => {
  const dict = dictOf(t);
  dict.set('map', runInNewContext('new Map([[1, 2]])'));
  dict.set('array', runInNewContext('new Float64Array([1, 2])'));
  t.deepEqual(dict.get('map'), new Map([[1, 2]]));
  t.deepEqual(dict.get('array'), new Float64Array([1, 2]));
});

test('a dict in a dict is refused', (t) => {
  const dict = dictOf(t);
  t.throws(() => dict.set('self', dict), { code: 'ERR_SHM_VALUE' });
  t.throws(() => dict.set('self', [dict]), { code: 'ERR_SHM_VALUE' });
  dict.set('self', dict.toJSON());
  t.is((dict.get('self') as { kind: string }).kind, 'dict');
});

test('numbers that change never come from a cache of before', (t) => {
  const dict = dictOf(t);
  using other = SharedDict.attach(dict.name);
  for (let i = 0; i < 2000; i++) {
    if (i % 2 === 0) dict.set('n', i);
    else other.set('n', i);
    t.true(dict.get('n') === i && dict.get('n') === i && other.get('n') === i);
  }
});
