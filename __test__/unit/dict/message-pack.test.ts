/** The MessagePack of dicts: beside a library's, and against bytes that are none. */
import { Buffer } from 'node:buffer';
import { execFileSync } from 'node:child_process';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import * as fc from 'fast-check';
import { Packr } from 'msgpackr';
import { SharedDict } from 'shmkit';

import * as binding from '#binding';
import { calls } from '../../../src/dict/call-buffer.js';
import { MESSAGE_PACK } from '../../../src/dict/kinds.js';
import { pack } from '../../../src/dict/pack.js';
import { unpack } from '../../../src/dict/unpack.js';
import { deepEqual } from '../../fixtures/equal.js';
import { Random } from '../../fixtures/random.js';

/** A module that is loaded again and again. */
const UNPACK = new URL('../../../src/dict/unpack.ts', import.meta.url).href;
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
      deepEqual(t, read(bytes), object);
      deepEqual(t, library.unpack(bytes), object);
      deepEqual(t, read(library.pack(object)), object);
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
    deepEqual(t, read(pack(object)!), object);
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
  deepEqual(t, dict.get('good'), { é: 1, key: 'value' });
  dict.unlink();
});

test('a getter that stores something itself', (t) => {
  using dict = SharedDict.create<unknown>();
  const inner = { object: { q: [1, 2, 3] }, text: 'é'.repeat(1000), wide: '日'.repeat(1000), number: 5 };
  const batch = { bytes: Buffer.alloc(4000, 0xff), array: new Float64Array(9).fill(-1), packed: { r: 's' } };
  const object = {
    before: 1,
    get here() {
      for (const [key, it] of Object.entries(inner)) dict.set(key, it);
      dict.assign(Object.entries(batch));
      return { deep: 'x'.repeat(100) };
    },
    after: 2,
  };
  for (let round = 0; round < 20; round++) {
    dict.set('outer', object);
    deepEqual(t, dict.get('outer'), { before: 1, here: { deep: 'x'.repeat(100) }, after: 2 });
    for (const [key, it] of Object.entries({ ...inner, ...batch })) deepEqual(t, dict.get(key), it);
  }
  dict.unlink();
});

test('a getter that takes keys away and adds some', (t) => {
  const object: Record<string, unknown> = {
    get first() {
      delete this['second'];
      this['late'] = 1;
      return 'first';
    },
    second: 2,
    third: 3,
  };
  const got = read(pack(object)!) as object;
  deepEqual(t, Object.keys(got).slice(0, 2), ['first', 'third']);
  t.false('second' in got);
});

test('keys that are numbers, and objects that are arguments of a function', (t) => {
  isSame(t, { 7: 'seven', 10: 'ten', a: 1 });
  isSame(t, { '': 1, '007': 2 });
  for (const values of [[], [1, 2]]) {
    const given = function () {
      return arguments as object; // oxlint-disable-line prefer-rest-params
    }.apply(undefined, values as never);
    t.is(pack(given), undefined);
    t.is(pack({ given }), undefined);
  }
});

test('what all objects have inherited is not stored with each', (t) => {
  // In a process of its own, as it concerns every object there is.
  const code = `
    import { SharedDict } from 'shmkit';
    const dict = SharedDict.create();
    dict.set('before', { own: 1 });
    Object.prototype.inherited = 'everywhere';
    dict.set('a', { own: 1, nested: [{}] });
    dict.assign({ b: { own: 2 } });
    delete Object.prototype.inherited;
    const give = () => (Object.prototype.inherited = 'amid a call');
    dict.set('c', { get own() { return give().length; }, nested: {} });
    delete Object.prototype.inherited;
    console.log(JSON.stringify(dict.toObject()));
    dict.unlink();`;
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
  const [nested, all] = [[{}], { before: { own: 1 }, b: { own: 2 } }];
  deepEqual(t, JSON.parse(said), { ...all, a: { own: 1, nested }, c: { own: 11, nested: {} } });
});

/** What is written and read, with its keys in their order. */
function isSame(t: ExecutionContext, object: object): void {
  const bytes = pack(object)!;
  const got = read(bytes);
  deepEqual(t, got, object);
  t.is(JSON.stringify(got), JSON.stringify(object));
  deepEqual(t, library.unpack(bytes), object);
}

test('texts of every length, with one character that is not ASCII or none', (t) => {
  for (let length = 0; length <= 70; length++) {
    const plain = String.fromCharCode(...Array.from({ length }, (_, i) => 0x30 + i));
    const texts = [
      plain,
      ...Array.from({ length }, (_, at) => `${plain.slice(0, at)}é${plain.slice(at + 1)}`),
    ];
    // Some of them are the last thing that there is.
    for (const it of texts) for (const object of [[it], { it }, [it, it.slice(1), 1]]) isSame(t, object);
  }
});

test('keys that differ in one byte only, where the other one is expected', (t) => {
  for (let length = 1; length <= 33; length++) {
    const key = 'k'.repeat(length);
    for (let at = 0; at < length; at++) {
      for (const other of ['l', 'ü', '\0']) {
        const near = key.slice(0, at) + other + key.slice(at + 1);
        for (const name of [key, key, near, near, key]) {
          const bytes = library.pack({ [name]: { [name]: 1, last: 2 }, last: 3 });
          deepEqual(t, read(bytes), { [name]: { [name]: 1, last: 2 }, last: 3 });
          t.true(pack({ [name]: { [name]: 1, last: 2 }, last: 3 })!.equals(bytes));
        }
      }
    }
  }
});

test('objects that are nearly alike, one after the other', (t) => {
  const some = [
    'a',
    'b',
    'id',
    'ab',
    'ba',
    'name',
    'mane',
    '',
    'é',
    '1',
    '0',
    'a longer one',
    'x'.repeat(40),
  ];
  const one = fc.letrec<{ object: Record<string, unknown>; part: unknown }>((tie) => ({
    object: fc
      .subarray(some, { maxLength: 7 })
      .chain((those) => fc.tuple(...those.map((name) => fc.tuple(fc.constant(name), tie('part')))))
      .map((entries) => Object.fromEntries(entries)),
    part: fc.oneof({ maxDepth: 2 }, fc.integer(), fc.string(), tie('object'), fc.array(tie('object'))),
  })).object;
  fc.assert(
    fc.property(fc.array(fc.tuple(one, fc.integer({ min: 1, max: 12 })), { maxLength: 6 }), (given) => {
      for (const [object, times] of given) for (let i = 0; i < times; i++) isSame(t, object);
    }),
    { numRuns: 300 },
  );
});

test('fields that are there at times, and come in another order', (t) => {
  for (let i = 0; i < 2000; i++) {
    const tags = Array.from({ length: i % 6 }, (_, n) => ({ n, ...(n % 2 === 0 && { even: true }) }));
    const first = i % 37 === 0 ? { name: `name ${i}`, id: i } : { id: i, name: `name ${i}` };
    isSame(t, { ...first, ...(i % 20 === 0 && { maybe: null }), tags, score: i / 2 });
    isSame(t, { ...(i % 50 === 0 && { 5: 'five' }), x: { y: { z: i, ...(i % 11 === 0 && { w: {} }) } } });
  }
});

test('keys that read as something else in code', (t) => {
  const odd = [
    '"',
    "'",
    '`',
    '\\',
    '\n',
    '\u2028',
    '${x}',
    '"]: 1, ["',
    'constructor',
    'toString',
    'a-b',
    '*/',
  ];
  for (let i = 0; i < 20; i++) {
    for (const name of odd) isSame(t, { [name]: { [name]: i, and: name }, and: i });
    isSame(t, Object.fromEntries(odd.map((name) => [name, i])));
  }
  for (let i = 0; i < 20; i++) {
    deepEqual(t, read(Buffer.from('83a16101a16102a16203', 'hex')), { a: 2, b: 3 }, 'a key twice');
    t.throws(() => read(Buffer.from('82a16101a95f5f70726f746f5f5f80', 'hex')));
    deepEqual(
      t,
      read(Buffer.from('83a1620103c0a16102', 'hex')),
      { b: 1, 3: null, a: 2 },
      'a number as a key',
    );
  }
});

test('thousands of shapes', (t) => {
  const shapes = Array.from({ length: 3000 }, (_, i) => ({
    [`key${i}`]: i,
    [`other${i % 7}`]: { [`deep${i}`]: 1 },
  }));
  for (let round = 0; round < 2; round++) {
    for (const object of shapes) for (let i = 0; i < 10; i++) deepEqual(t, read(pack(object)!), object);
  }
});

test('bytes that are damaged where they were whole before', async (t) => {
  const random = new Random(5);
  const good = (i: number): object => ({
    id: i,
    name: `name-${i}`,
    at: { x: i, y: 'é', list: [{ a: i }, { a: 1 }] },
  });
  const attempt = (look: () => unknown): unknown => {
    try {
      return look();
    } catch (error) {
      return (error as Error).message;
    }
  };
  let refused = 0;
  for (let round = 0; round < 150; round++) {
    for (let i = 0; i < 12; i++) deepEqual(t, read(pack(good(i))!), good(i));
    const bytes = pack(good(round))!;
    for (let n = random.below(2) + 1; n > 0; n--) bytes[random.below(bytes.length)] = random.below(256);
    const end = random.below(5) === 0 ? random.below(bytes.length) : bytes.length;
    // One that has met nothing.
    const fresh = (await import(`${UNPACK}?round=${round}`)) as { unpack: typeof unpack };
    const expected = attempt(() => fresh.unpack(bytes, 0, end));
    if (typeof expected === 'string') refused++;
    for (let i = 0; i < 10; i++)
      deepEqual(
        t,
        attempt(() => unpack(bytes, 0, end)),
        expected,
      );
    const got = read(pack(good(round))!);
    deepEqual(t, got, good(round));
    t.is(JSON.stringify(got), JSON.stringify(good(round)));
  }
  t.true(refused > 50, `${refused}`);
});

test('a key whose bytes are no text is not written as they are', (t) => {
  const damaged = Buffer.from('82a16101a1ff02', 'hex');
  for (let i = 0; i < 20; i++) deepEqual(t, read(damaged), { a: 1, '\ufffd': 2 });
  t.is(pack({ a: 1, '\ufffd': 2 })!.toString('hex'), '82a16101a3efbfbd02');
});

test('a Buffer that says something else of itself', (t) => {
  pack({ text: 'what was packed before, and is nobody else’s'.repeat(4) });
  const bytes = Object.defineProperties(Buffer.from('abc'), {
    length: { value: 100 },
    byteLength: { value: 100 },
    copy: { value: () => t.fail('it is not asked') },
  });
  const packed = pack({ bytes })!;
  deepEqual(t, unpack(packed, 0, packed.length), { bytes: Buffer.from('abc') });
});

test('where no code may be made of text', (t) => {
  const script = `
    import { SharedDict } from 'shmkit';
    const dict = SharedDict.create();
    let sum = 0;
    for (let i = 0; i < 100; i++) {
      dict.set('key', { id: i, more: { of: [{ it: i }] } });
      sum += dict.get('key').more.of[0].it;
    }
    dict.unlink();
    console.log(sum);`;
  const options = ['--disallow-code-generation-from-strings', '--input-type=module', '-e', script];
  t.is(execFileSync(process.execPath, options, { encoding: 'utf8' }), '4950\n');
});

test('a stack that has no room left leaves the dict and its values as they are', (t) => {
  using dict = SharedDict.create<unknown>();
  const keys = Array.from({ length: 50 }, (_, i) => `key number ${i}`);
  for (const key of keys) dict.set(key, { [`${key} é`]: [1, { a: 'b' }] });
  const same = (i: number): object => ({ id: i, name: `name ${i}`, at: { x: i, list: [{ a: i }] } });
  for (let i = 0; i < 3; i++) dict.set(`same ${i}`, same(i));
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
        for (let i = 0; i < 3; i++) dict.get(`same ${i}`);
        dict.set(`same ${at % 3}`, same(at % 3));
        dict.txnSync((txn) => txn.set('n', at));
        dict.increment('m');
      }, down);
    t.throws(down, { instanceOf: RangeError, message: /call stack/ });
    overflows++;
    dict.set('after', size);
    t.is(dict.get('after'), size);
    for (const key of keys) deepEqual(t, dict.get(key), { [`${key} é`]: [1, { a: 'b' }] });
    for (let i = 0; i < 30; i++) deepEqual(t, dict.get(`same ${i % 3}`), same(i % 3));
    for (let i = 0; i < 3; i++) dict.set(`same ${i}`, same(i));
    for (let i = 0; i < 30; i++) deepEqual(t, dict.get(`same ${i % 3}`), same(i % 3));
  }
  t.is(overflows, 60);
  dict.unlink();
});
