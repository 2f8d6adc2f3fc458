/** The MessagePack of dicts: beside a library's, and against bytes that are none. */
import { Buffer } from 'node:buffer';

import test from 'ava';
import * as fc from 'fast-check';
import { Packr } from 'msgpackr';
import { SharedDict } from 'shmkit';

import * as binding from '#binding';
import { calls } from '../src/dict/desk.js';
import { MESSAGE_PACK } from '../src/dict/kinds.js';
import { pack, unpack } from '../src/dict/message-pack.js';
import { Random } from './torture/random.js';

const library = new Packr({ useRecords: false, variableMapSize: true, int64AsType: 'bigint' });
const read = (bytes: Buffer): unknown => unpack(bytes, 0, bytes.length);

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.string({ minLength: 30, maxLength: 300 }),
);
const names = text.filter((it) => it !== '__proto__' && it !== 'toJSON' && !it.startsWith('\ufeff'));
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<unknown>(null, true, false, 0, -1, 127, 128, -32, -33, 255, 256, 65_535, 65_536),
    fc.integer(),
    fc.double().filter((it) => !Object.is(it, -0)),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    text.filter((it) => !it.startsWith('\ufeff')),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array({ maxLength: 300 }).map((it) => Buffer.from(it)),
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(names, tie('value'), { maxKeys: 20, noNullPrototype: true }),
  ),
}));
const objects = value.filter((it): it is object => typeof it === 'object' && it !== null);

test('what is written is read as it was, here and by a library', (t) => {
  fc.assert(
    fc.property(objects, (object) => {
      const bytes = pack(object);
      if (bytes === undefined) return (t.fail('it was left to V8'), false);
      t.deepEqual(read(bytes), object);
      t.deepEqual(library.unpack(bytes), object);
      t.deepEqual(read(library.pack(object)), object);
      return true;
    }),
    { numRuns: 500 },
  );
});

test('lengths around every form', (t) => {
  for (const length of [0, 1, 8, 9, 15, 16, 31, 32, 40, 41, 255, 256, 65_535, 65_536, 70_000]) {
    const object = {
      array: Array.from({ length }, (_, i) => i),
      ascii: 'x'.repeat(length),
      wide: 'ü'.repeat(length),
      bom: `\ufeff${'y'.repeat(length)}`,
      bytes: Buffer.alloc(length, 7),
      map: Object.fromEntries(Array.from({ length: Math.min(length, 70_000) }, (_, i) => [`k${i}`, i])),
    };
    t.deepEqual(read(pack(object)!), object);
  }
});

test('bytes that are no value are refused, at once and by a code', (t) => {
  const native = binding.createDict(65_536, 1 << 26, undefined, 0o600, true, false);
  const { number, name } = binding.dictFacts(native);
  using dict = SharedDict.attach<unknown>(name);
  const random = new Random(7);
  const seeds = [
    pack({ a: [1, 'two', { c: null }], date: new Date(5), b: Buffer.from('xyz'), n: 2n ** 60n, ü: 'ü' })!,
    library.pack([new Map([[1, 2]]), new Set([1]), /x/, new Error('x'), undefined, { é: 1 }]),
  ];
  const damaged = [
    Buffer.alloc(0),
    Buffer.from('dd01ffffff'.repeat(12), 'hex'),
    Buffer.from('df7fffffff'.repeat(12), 'hex'),
    Buffer.from('db7fffffff', 'hex'),
    Buffer.from('c67fffffff00', 'hex'),
    Buffer.from('91'.repeat(200) + 'c0', 'hex'),
    Buffer.from('91'.repeat(60_000) + 'c0', 'hex'),
    Buffer.from('c0c0', 'hex'),
    Buffer.from('81a95f5f70726f746f5f5f01', 'hex'),
    Buffer.from('d4690081d4700000', 'hex'),
  ];
  for (let i = 0; i < 20_000; i++) {
    const bytes = Buffer.from(seeds[random.below(seeds.length)]!);
    for (let n = random.below(4) + 1; n > 0; n--) bytes[random.below(bytes.length)] = random.below(256);
    damaged.push(bytes.subarray(0, random.below(10) === 0 ? random.below(bytes.length) : bytes.length));
  }
  dict.set('good', { é: 1, key: 'value' });
  let refused = 0;
  for (const bytes of damaged) {
    calls.set(number, 'bad', bytes, MESSAGE_PACK);
    try {
      dict.get('bad');
    } catch (error) {
      refused++;
      if ((error as { code?: string }).code !== 'ERR_SHM_CORRUPT') throw error;
    }
  }
  t.true(refused > 5000, `${refused}`);
  t.deepEqual(dict.get('good'), { é: 1, key: 'value' });
  dict.unlink();
});

test('a getter that stores something itself', (t) => {
  using dict = SharedDict.create<unknown>();
  const object = {
    before: 1,
    get here() {
      dict.set('inner', { q: [1, 2, 3] });
      return { deep: 'x'.repeat(100) };
    },
    after: 2,
  };
  dict.set('outer', object);
  t.deepEqual(dict.get('outer'), { before: 1, here: { deep: 'x'.repeat(100) }, after: 2 });
  t.deepEqual(dict.get('inner'), { q: [1, 2, 3] });
  dict.unlink();
});

test('a stack that has no room left leaves the dict and its values as they are', (t) => {
  using dict = SharedDict.create<unknown>();
  const keys = Array.from({ length: 50 }, (_, i) => `key number ${i}`);
  for (const key of keys) dict.set(key, { [`${key} é`]: [1, { a: 'b' }] });
  let overflows = 0;
  for (let size = 0; size < 60; size++) {
    let at = 0;
    // Frames of another size each time, so that it is elsewhere that they are too many.
    const dive = new Function(
      'use',
      'again',
      `let ${Array.from({ length: size + 1 }, (_, i) => `v${i} = ${i}`).join()}; use(); again(); return v${size};`,
    ) as (use: () => void, again: () => void) => number;
    const down = (): void =>
      void dive(() => {
        const key = keys[at++ % keys.length]!;
        dict.get(key);
        dict.txnSync((txn) => txn.set('n', at));
        dict.increment('m');
      }, down);
    t.throws(down, { instanceOf: RangeError, message: /call stack/ });
    overflows++;
    dict.set('after', size);
    t.is(dict.get('after'), size);
    for (const key of keys) t.deepEqual(dict.get(key), { [`${key} é`]: [1, { a: 'b' }] });
  }
  t.is(overflows, 60);
  dict.unlink();
});
