/** SharedDict as a Map, and against one. */
import { Buffer } from 'node:buffer';
import { inspect, isDeepStrictEqual } from 'node:util';

import test from 'ava';
import { SharedDict } from 'shmkit';

import { attached, dictOf } from '../../fixtures/dicts.js';
import type { Any } from '../../fixtures/dicts.js';
import { deepEqual } from '../../fixtures/equal.js';
import { Program } from '../../fixtures/program.js';
import { Random } from '../../fixtures/random.js';

/** Of a stack that has overflowed, the frames from its end in which there may still be too little room. */
const NEAR_THE_END = 1000;

test('it is much as a Map is', (t) => {
  const dict = dictOf<number | string>(t);
  t.deepEqual([dict.size, dict.get('a'), dict.has('a'), dict.delete('a')], [0, undefined, false, false]);
  t.is(dict.set('a', 1), dict);
  t.is(dict.set('b', 'two').set('a', 3), dict);
  t.deepEqual([dict.size, dict.get('a'), dict.get('b'), dict.has('a')], [2, 3, 'two', true]);
  const visited: unknown[] = [];
  dict.forEach((value, key) => visited.push([key, value]));
  const entries = [...dict].sort() as [string, unknown][];
  t.deepEqual(entries, [
    ['a', 3],
    ['b', 'two'],
  ]);
  t.deepEqual(visited.sort(), entries);
  t.deepEqual([...dict.entries()].sort(), entries as never);
  t.deepEqual([...dict.keys()].sort(), ['a', 'b']);
  t.deepEqual([...dict.values()].map(String).sort(), ['3', 'two']);
  t.deepEqual(dict.toObject(), { a: 3, b: 'two' });
  t.is(new Map(dict).get('a'), 3);
  t.true(dict.delete('a'));
  t.false(dict.delete('a'));
  t.deepEqual([dict.size, dict.get('a'), dict.has('a')], [1, undefined, false]);
  t.is(dict.clear(), undefined);
  t.deepEqual([dict.size, [...dict], dict.toObject()], [0, [], {}]);
  dict.clear();
  dict.set('a', 1);
  t.deepEqual(dict.toObject(), { a: 1 });
});

test('entries that go or come while others are visited do no harm', (t) => {
  const dict = dictOf<number>(t);
  for (let i = 0; i < 100; i++) dict.set(`key ${i}`, i);
  const seen = new Set<string>();
  for (const [key, value] of dict) {
    t.is(key, `key ${value}`);
    seen.add(key);
    dict.delete(`key ${(value + 1) % 100}`);
    dict.set(`new ${value}`, value);
    if (seen.size === 20) break;
  }
  t.is(seen.size, 20);
  for (const key of dict.keys()) dict.delete(key);
  t.is(dict.size, 0);
});

test('keys: every text that is one', (t) => {
  const dict = dictOf<number>(t);
  const keys = [
    'a',
    ' ',
    '\0',
    'a\0',
    'a\0b',
    '__proto__',
    'constructor',
    'ü',
    '日本',
    '👩‍🚀',
    '\ufffd',
    'x\ufffdy',
  ];
  keys.push('é', 'e\u0301', '0', '00', 'x'.repeat(65_536), 'ü'.repeat(32_768), '👍'.repeat(16_384));
  keys.forEach((key, index) => dict.set(key, index));
  t.is(dict.size, keys.length);
  t.deepEqual([...dict.keys()].sort(), [...keys].sort());
  keys.forEach((key, index) => t.true(dict.get(key) === index && dict.has(key), key.slice(0, 20)));
  const object = dict.toObject();
  t.is(Object.getPrototypeOf(object), Object.prototype);
  t.deepEqual(Object.keys(object).sort(), [...keys].sort());
  dict.txnSync((txn) => t.deepEqual([...txn.keys()].sort(), [...keys].sort()));
  keys.forEach((key) => t.true(dict.delete(key)));
  t.is(dict.size, 0);
});

test('keys: what is none', (t) => {
  const dict = dictOf(t);
  dict.set('a', 1);
  for (const key of ['', 'x'.repeat(65_537), 'ü'.repeat(32_769), '日'.repeat(21_846)]) {
    const code = 'ERR_SHM_KEY';
    t.throws(() => dict.set(key, 1), { code, instanceOf: RangeError });
    t.throws(() => dict.set(key, {}), { code });
    t.throws(() => dict.update(key, () => 1), { code });
    t.throws(() => dict.increment(key), { code });
    t.throws(() => dict.getOrInsert(key, 1), { code });
    t.throws(() => dict.compareAndSet(key, undefined, 1), { code });
    t.throws(() => dict.assign({ a: 2, [key]: 1 }), { code });
    t.throws(() => dict.txnSync((txn) => (txn.set('a', 3), txn.set(key, 1))), { code });
    t.deepEqual([dict.get(key), dict.has(key), dict.delete(key)], [undefined, false, false]);
  }
  for (const key of ['\ud800', 'a\udc00', '\udc00\ud800', `${'x'.repeat(300)}\ud800`, '\ufffd\ud800']) {
    const code = 'ERR_SHM_KEY';
    t.throws(() => dict.set(key, 1), { code });
    t.throws(() => dict.get(key), { code });
    t.throws(() => dict.has(key), { code });
    t.throws(() => dict.delete(key), { code });
    t.throws(() => dict.update(key, () => 1), { code });
    t.throws(() => dict.assign([['a', 2] as const, [key, 1] as const] as [string, unknown][]), { code });
    for (const act of ['get', 'has', 'delete'] as const) {
      t.throws(() => dict.txnSync((txn) => void txn[act](key)), { code });
    }
    t.throws(() => dict.txnSync((txn) => txn.set(key, 1)), { code });
  }
  for (const key of [
    undefined,
    null,
    5,
    5n,
    true,
    {},
    [],
    Symbol('s'),
    new String('a'),
    () => 1,
  ] as never[]) {
    const expected = { code: 'ERR_INVALID_ARG_TYPE', instanceOf: TypeError };
    t.throws(() => dict.set(key, 1), expected);
    t.throws(() => dict.set(key, {}), expected);
    t.throws(() => dict.get(key), expected);
    t.throws(() => dict.has(key), expected);
    t.throws(() => dict.delete(key), expected);
    t.throws(() => dict.update(key, () => 1), expected);
    t.throws(() => dict.increment(key), expected);
    t.throws(() => dict.getOrInsert(key, 1), expected);
    t.throws(() => dict.compareAndSet(key, undefined, 1), expected);
    t.throws(() => dict.assign([[key, 1]]), expected);
    for (const act of ['get', 'has', 'delete'] as const) {
      t.throws(() => dict.txnSync((txn) => void txn[act](key)), expected);
    }
    t.throws(() => dict.txnSync((txn) => txn.set(key, 1)), expected);
  }
  t.deepEqual(dict.toObject(), { a: 1 });
});

test('arguments of other types are refused', async (t) => {
  const dict = dictOf<Any>(t);
  const expected = { code: 'ERR_INVALID_ARG_TYPE', instanceOf: TypeError };
  dict.set('a', 1);
  for (const by of ['1', 1n, null, {}] as never[]) t.throws(() => dict.increment('a', by), expected);
  for (const options of [{ readonly: true }, { readOnly: 1 }, { timeout: 'x' }, 5, null] as never[]) {
    t.throws(() => dict.txnSync(() => 1, options), expected);
    await t.throwsAsync(
      dict.txn(() => 1, options),
      expected,
    );
  }
  t.throws(() => dict.txnSync(() => 1, { signal: AbortSignal.timeout(1) } as never), expected);
  await t.throwsAsync(
    dict.txn(() => 1, { spin: 1 } as never),
    expected,
  );
  t.throws(() => dict.txnSync(() => 1, { timeout: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => SharedDict.create({ size: 5 } as never), expected);
  t.throws(() => SharedDict.create({ name: 5 } as never), expected);
  t.throws(() => SharedDict.create({ maxByteLength: 'x' } as never), expected);
  t.throws(() => SharedDict.create({ lockTimeout: '1' } as never), expected);
  t.throws(() => SharedDict.create({ cacheSize: '1' } as never), expected);
  for (const byteLength of [0, -1, 1.5, NaN, Infinity]) {
    t.throws(() => SharedDict.create({ byteLength }), { code: 'ERR_OUT_OF_RANGE' });
    t.throws(() => SharedDict.create({ maxByteLength: byteLength }), { code: 'ERR_OUT_OF_RANGE' });
  }
  t.throws(() => SharedDict.create({ byteLength: 1 << 20, maxByteLength: 1 << 16 }), {
    code: 'ERR_OUT_OF_RANGE',
  });
  t.throws(() => SharedDict.create({ lockTimeout: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  for (const cacheSize of [-1, 1.5, NaN, 2 ** 20 + 1]) {
    t.throws(() => SharedDict.create({ cacheSize }), { code: 'ERR_OUT_OF_RANGE' });
  }
  t.throws(() => SharedDict.create({ name: 'a/b' }), { code: 'ERR_SHM_NAME' });
  t.throws(() => SharedDict.createOrAttach(undefined as never), expected);
  t.throws(() => SharedDict.attach(undefined as never), expected);
  t.throws(() => SharedDict.attach(dict.name, { readonly: true } as never), expected);
  t.throws(() => new (SharedDict as Any)());
});

test('bodies and entries that are none are refused before anything else', async (t) => {
  const dict = dictOf<Any>(t);
  const expected = { code: 'ERR_INVALID_ARG_TYPE', instanceOf: TypeError };
  for (const it of [undefined, null, 5, 'ab', true] as never[]) t.throws(() => dict.assign(it), expected);
  for (const entry of [5, 'ab', null, undefined] as never[])
    t.throws(() => dict.assign([entry]), { instanceOf: TypeError });
  for (const it of [undefined, null, 5, {}] as never[]) {
    t.throws(() => dict.update('a', it), expected);
    t.throws(() => dict.txnSync(it), expected);
    await t.throwsAsync(dict.txn(it), expected);
    t.throws(() => dict.forEach(it), expected);
  }
});

test('getOrInsertComputed computes what is not there, once', async (t) => {
  const dict = dictOf<Any>(t);
  const keys: string[] = [];
  const compute = (key: string): Any => (keys.push(key), { of: key });
  t.deepEqual(dict.getOrInsertComputed('a', compute), { of: 'a' });
  t.deepEqual(dict.getOrInsertComputed('a', compute), { of: 'a' });
  dict.set('null', null);
  t.is(dict.getOrInsertComputed('null', compute), null);
  t.deepEqual(keys, ['a']);
  const error = new Error('no');
  t.is(
    t.throws(() =>
      dict.getOrInsertComputed('b', () => {
        throw error;
      }),
    ),
    error,
  );
  t.throws(() => dict.getOrInsertComputed('b', () => Promise.resolve(1)), { code: 'ERR_SHM_VALUE' });
  t.throws(() => dict.getOrInsertComputed('b', () => dict.set('b', 1)), { code: 'ERR_SHM_DEADLOCK' });
  t.throws(() => dict.getOrInsertComputed('b', 1 as never), { code: 'ERR_INVALID_ARG_TYPE' });
  t.false(dict.has('b'));
  using reader = SharedDict.attach<Any>(dict.name, { readOnly: true });
  t.deepEqual(reader.getOrInsertComputed('a', compute), { of: 'a' });
  t.throws(() => reader.getOrInsertComputed('b', compute), { code: 'ERR_SHM_READ_ONLY' });
  // Who asks at the same time waits for what the other one computes.
  const others = [1, 2].map(() =>
    Program.node(
      t,
      `const dict = shmkit.SharedDict.attach('${dict.name}');
      say('ready');
      await told();
      let computed = 0;
      for (let i = 0; i < 5000; i++) dict.getOrInsertComputed('key ' + i, (key) => (computed++, key));
      say(String(computed));`,
    ),
  );
  for (const other of others) t.is(await other.says(), 'ready');
  for (const other of others) other.tell('go');
  const counts = await Promise.all(others.map((other) => other.says()));
  t.is(Number(counts[0]) + Number(counts[1]), 5000, counts.join());
  t.is(dict.size, 5002);
});

test('a dict that was unlinked before anything was written is written to by whoever unlinked it', (t) => {
  const dict = SharedDict.create<number>();
  dict.unlink();
  dict.set('a', 1);
  t.is(dict.increment('a'), 2);
  dict.close();
  t.throws(() => dict.unlink(), { code: 'ENOENT' });
});

test('getOrInsert, update, increment, compareAndSet', (t) => {
  const dict = dictOf<Any>(t);
  t.is(dict.getOrInsert('a', 5), 5);
  t.is(dict.getOrInsert('a', 6), 5);
  t.is(dict.getOrInsert('null', null), null);
  t.is(dict.getOrInsert('null', 1), null, 'null is a value');
  t.deepEqual(dict.getOrInsert('o', { a: [1] }), { a: [1] });
  t.deepEqual(dict.getOrInsert('o', {}), { a: [1] });

  t.is(
    dict.update('u', (old) => `${old}`),
    'undefined',
  );
  t.is(
    dict.update('u', (old) => `${old}!`),
    'undefined!',
  );
  dict.update('o', (old) => ({ a: [...old.a, 2] }));
  t.deepEqual(dict.get('o'), { a: [1, 2] });
  const error = new Error('no');
  t.is(
    t.throws(() =>
      dict.update('o', (old) => {
        old.a.push(3);
        throw error;
      }),
    ),
    error,
  );
  t.deepEqual(dict.get('o'), { a: [1, 2] });
  t.throws(() => dict.update('fresh', () => undefined), { code: 'ERR_SHM_VALUE' });
  t.false(dict.has('fresh'));
  for (const act of [
    () => dict.set('b', 1),
    () => dict.delete('a'),
    () => dict.clear(),
    () => dict.update('b', () => 1),
    () => dict.txnSync((txn) => txn.set('b', 1)),
  ]) {
    t.throws(() => dict.update('a', () => act()), { code: 'ERR_SHM_DEADLOCK' });
  }
  t.is(
    dict.update('a', (old) => old + dict.get('a') + dict.toObject()['a']),
    15,
    'one may read in it',
  );

  t.is(dict.increment('n'), 1);
  t.is(dict.increment('n', 4), 5);
  t.is(dict.increment('n', -5.5), -0.5);
  t.is(dict.increment('n', NaN), NaN);
  for (const value of ['1', null, 1n, true, {}, Buffer.of(1)]) {
    dict.set('wrong', value);
    t.throws(() => dict.increment('wrong'), { code: 'ERR_SHM_VALUE' });
    t.deepEqual(dict.get('wrong'), value);
  }

  const values = [
    1,
    -0,
    NaN,
    null,
    true,
    'x',
    '\ud800',
    5n,
    -(2n ** 70n),
    Buffer.of(1),
    new Int16Array([1]),
    { a: [1] },
  ];
  for (const value of values) {
    dict.delete('c');
    t.false(dict.compareAndSet('c', value, 'b'));
    t.true(dict.compareAndSet('c', undefined, value));
    t.false(dict.compareAndSet('c', undefined, 'b'));
    t.false(dict.compareAndSet('c', 'another', 'b'));
    t.deepEqual(dict.get('c'), value);
    t.true(dict.compareAndSet('c', value, 'b'));
    t.is(dict.get('c'), 'b');
  }
  dict.set('c', 0);
  t.false(dict.compareAndSet('c', '0', 1));
  t.false(dict.compareAndSet('c', false, 1));
  dict.set('c', Buffer.of(1, 0));
  t.false(dict.compareAndSet('c', new Int16Array([1]), 1));
  t.true(dict.compareAndSet('c', new Uint8Array([1, 0]), 1));
});

test('assign sets all or nothing', (t) => {
  const dict = dictOf<Any>(t);
  t.is(dict.assign({ a: 1, b: { c: 2 } }), dict);
  dict.assign(new Map([['d', 3]]));
  dict.assign([
    ['e', 4],
    ['e', 5],
  ]);
  dict.assign(
    (function* () {
      yield ['f', 6] as [string, unknown];
    })(),
  );
  dict.assign({});
  dict.assign(JSON.parse('{"__proto__":7}'));
  const all = { a: 1, b: { c: 2 }, d: 3, e: 5, f: 6, ['__proto__']: 7 };
  t.deepEqual(dict.toObject(), all);
  t.throws(() => dict.assign({ a: 2, g: 3, bad: () => 1 }), { code: 'ERR_SHM_VALUE' });
  t.throws(() => dict.assign({ a: 2, g: 3, '': 1 }), { code: 'ERR_SHM_KEY' });
  t.throws(
    () =>
      dict.assign(
        (function* () {
          yield ['a', 2] as [string, unknown];
          throw new Error('midway');
        })(),
      ),
    { message: 'midway' },
  );
  t.deepEqual(dict.toObject(), all);
  const other = attached(t, dict);
  dict.assign(other);
  t.deepEqual(dict.toObject(), all);
});

for (const seed of [1, 2, 3]) {
  test(`a hundred thousand operations are those of a Map, over two handles (seed ${seed})`, (t) => {
    const random = new Random(seed);
    const first = dictOf<Any>(t);
    const handles = [first, attached(t, first)];
    const map = new Map<string, Any>();
    const keyOf = (): string => {
      const number = random.below(random.below(2) === 0 ? 10 : 400);
      return number % 7 === 0 ? `${'ü'.repeat(number)}日${number}` : `key ${number}`;
    };
    const values: (() => unknown)[] = [
      () => random.below(1000),
      () => 'x'.repeat(random.below(300)),
      () => (random.below(200) === 0 ? 'ü日'.repeat(random.below(5000)) : 'ü'),
      () => null,
      () => random.below(2) === 0,
      () => BigInt(random.below(2 ** 31)) ** 3n * -1n,
      () => ({ a: random.below(5), b: ['x'.repeat(random.below(50))] }),
      () => Buffer.alloc(random.below(100), 1),
      () => new Float32Array(random.below(5)),
      () => new Map([['a', random.below(5)]]),
    ];
    const valueOf = (): unknown => random.pick(values)();
    const same = (got: unknown, wanted: unknown, what: string): void => {
      if (!isDeepStrictEqual(got, wanted)) t.fail(`${what}: ${inspect(got)}, and not ${inspect(wanted)}`);
    };
    const isSame = (dict: SharedDict<Any>): void => {
      t.is(dict.size, map.size);
      deepEqual(t, dict.toObject(), Object.fromEntries(map));
    };
    const ways: ((dict: SharedDict<Any>, i: number) => void)[] = [
      (dict) => {
        const [key, value] = [keyOf(), valueOf()];
        dict.set(key, value);
        map.set(key, value);
      },
      (dict) => {
        const key = keyOf();
        same(dict.delete(key), map.delete(key), `delete ${key}`);
      },
      (dict) => {
        const key = keyOf();
        same(dict.get(key), map.get(key), `get ${key}`);
        same(dict.has(key), map.has(key), `has ${key}`);
      },
      (dict) => same(dict.size, map.size, 'size'),
      (dict) => {
        const [key, value] = [keyOf(), valueOf()];
        const known = map.get(key);
        same(dict.getOrInsert(key, value), known === undefined ? value : known, `getOrInsert ${key}`);
        if (known === undefined) map.set(key, value);
      },
      (dict) => {
        const [key, expected, value] = [keyOf(), random.pick([undefined, null, 5, true, 'x']), valueOf()];
        const equal = Object.is(map.get(key), expected);
        same(dict.compareAndSet(key, expected, value), equal, `compareAndSet ${key}`);
        if (equal) map.set(key, value);
      },
      (dict) => {
        const key = keyOf();
        const known = map.get(key);
        if (known !== undefined && typeof known !== 'number') {
          t.throws(() => dict.increment(key, 3), { code: 'ERR_SHM_VALUE' });
        } else {
          same(dict.increment(key, 3), (known ?? 0) + 3, `increment ${key}`);
          map.set(key, (known ?? 0) + 3);
        }
      },
      (dict) => {
        const entries = new Map(Array.from({ length: random.below(8) }, () => [keyOf(), valueOf()] as const));
        dict.assign(entries);
        for (const [key, value] of entries) map.set(key, value);
      },
      (dict) => {
        const kept = new Map(map);
        const fails = random.below(4) === 0;
        const readsOnly = random.below(4) === 0;
        const stop = new Error('stop');
        try {
          dict.txnSync(
            (txn) => {
              for (let i = random.below(12); i > 0; i--) {
                const [key, value, act] = [keyOf(), valueOf(), random.below(readsOnly ? 2 : 100)];
                if (act < 2) {
                  same(txn.get(key), map.get(key), `txn.get ${key}`);
                  same(txn.size, map.size, 'txn.size');
                } else if (act === 2) {
                  txn.clear();
                  map.clear();
                } else if (act < 30) same(txn.delete(key), map.delete(key), `txn.delete ${key}`);
                else if (act < 40) same(txn.has(key), map.has(key), `txn.has ${key}`);
                else if (act === 40) {
                  deepEqual(t, Object.fromEntries(txn.entries()), Object.fromEntries(map));
                  t.deepEqual([...txn.keys()].sort(), [...map.keys()].sort());
                } else {
                  txn.set(key, value);
                  map.set(key, value);
                }
              }
              if (fails) throw stop;
            },
            { readOnly: readsOnly },
          );
        } catch (error) {
          if (error !== stop) throw error;
          map.clear();
          for (const [key, value] of kept) map.set(key, value);
        }
      },
      (dict, i) => {
        if (i % 97 === 0) {
          dict.clear();
          map.clear();
        } else if (i % 31 === 0) isSame(dict);
      },
    ];
    for (let i = 0; i < 34_000; i++) random.pick(ways)(random.pick(handles), i);
    handles.forEach(isSame);
  });
}

test('inspect shows what is in it', (t) => {
  const dict = dictOf<Any>(t);
  t.is(inspect(dict), `SharedDict('${dict.name}', 0) {}`);
  dict.assign({ a: 1, b: { c: ['x'] } });
  t.is(inspect(dict, { sorted: true }), `SharedDict('${dict.name}', 2) { a: 1, b: { c: [ 'x' ] } }`);
  t.is(
    inspect({ x: { y: dict } }, { depth: 1 }),
    `{\n  x: { y: SharedDict('${dict.name}', 2) }\n}`.replaceAll('\n ', '').replace('\n', ' '),
  );
  t.true(inspect(dict, { colors: true }).includes(`\u001b[32m'${dict.name}'\u001b[39m`));
  t.is(`${JSON.stringify(dict)}`, JSON.stringify(dict.toJSON()));
});

test('a stack that ends while a thread has the lock leaves the dict to whoever comes next', (t) => {
  using dict = SharedDict.create<unknown>();
  using other = SharedDict.attach<unknown>(dict.name);
  let turn = 0;
  const acts: Record<string, () => unknown> = {
    number: () => dict.set('number', turn++),
    object: () => dict.set('object', { turn: turn++ }),
    update: () => dict.update('update', () => turn++),
    delete: () => dict.delete('object'),
    txnSync: () => dict.txnSync((txn) => txn.set('txn', turn++)),
  };
  for (const [name, act] of Object.entries(acts)) {
    // On the way back there is a little more room for each.
    let back = 0;
    const down = (): void => {
      try {
        down();
      } catch (error) {
        try {
          if (back++ < NEAR_THE_END) act();
        } catch {
          // There was no room for it.
        }
        throw error;
      }
    };
    for (let i = 0; i < 3; i++) {
      back = 0;
      t.throws(down, { instanceOf: RangeError, message: /call stack/ });
    }
    t.notThrows(act, name);
    t.notThrows(() => other.set('after', name), name);
    t.is(dict.get('after'), name);
  }
  dict.unlink();
});

test("an error of the engine's at the end of the stack is an exception", (t) => {
  using dict = SharedDict.create<unknown>();
  const long = 'x'.repeat(70_000);
  const wrong = (): unknown => dict.set(long, 1);
  let back = 0;
  const down = (depth: number): number => {
    try {
      return down(depth + 1);
    } catch (error) {
      try {
        if (back++ < NEAR_THE_END) wrong();
      } catch {
        // That, or an overflow of its own.
      }
      throw error;
    }
  };
  for (let i = 0; i < 30; i++) {
    back = 0;
    t.throws(() => down(i), { instanceOf: RangeError, message: /call stack/ });
  }
  t.throws(wrong, { code: 'ERR_SHM_KEY' });
  dict.unlink();
});
