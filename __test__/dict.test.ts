import { Buffer } from 'node:buffer';
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { Worker } from 'node:worker_threads';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import {
  attach,
  collectGarbage,
  ShareableList,
  SharedDict,
  SharedEvent,
  SharedMemory,
  SharedMutex,
} from 'shmkit';
import type { DictOptions } from 'shmkit';

import { Program } from './helpers/program.js';
import { exists, freshName, segmentPath } from './helpers/segments.js';
import { ownDevShm } from './lifetime/namespace.js';
import { run } from './lifetime/run.js';
import { Random } from './torture/random.js';

/** Whatever the test at hand has stored. */
type Any = any; // oxlint-disable-line no-explicit-any
type AnyTxn = Parameters<Parameters<SharedDict<Any>['txnSync']>[0]>[0];

function dictOf<V = unknown>(t: ExecutionContext, options: DictOptions = {}): SharedDict<V> {
  const dict = SharedDict.create<V>({ name: freshName(t), ...options });
  t.teardown(() => {
    dict.close();
    rmSync(segmentPath(`${dict.name}.lk`), { force: true });
  });
  return dict;
}

function attached<V>(t: ExecutionContext, dict: SharedDict<V>, readOnly = false): SharedDict<V> {
  const other = SharedDict.attach<V>(dict.name, { readOnly });
  t.teardown(() => other.close());
  return other;
}

/** A process that has the dict as `dict`. */
function user(t: ExecutionContext, dict: SharedDict<Any>, code: string): Program {
  return Program.node(t, `const dict = shmkit.SharedDict.attach('${dict.name}');\n${code}`);
}

/** One that is in a txn when this resolves, and ends it when told to. */
async function insider(t: ExecutionContext, dict: SharedDict<Any>, body = ''): Promise<Program> {
  const program = user(
    t,
    dict,
    `const { readSync } = await import('node:fs');
    dict.txnSync((txn) => { ${body}; say('inside'); readSync(0, Buffer.alloc(1)); });
    say('out'); setInterval(() => {}, 1000);`,
  );
  t.is(await program.says(), 'inside');
  return program;
}

// ---- as a Map

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
  for (const byteLength of [0, -1, 1.5, NaN, Infinity]) {
    t.throws(() => SharedDict.create({ byteLength }), { code: 'ERR_OUT_OF_RANGE' });
    t.throws(() => SharedDict.create({ maxByteLength: byteLength }), { code: 'ERR_OUT_OF_RANGE' });
  }
  t.throws(() => SharedDict.create({ byteLength: 1 << 20, maxByteLength: 1 << 16 }), {
    code: 'ERR_OUT_OF_RANGE',
  });
  t.throws(() => SharedDict.create({ lockTimeout: -1 }), { code: 'ERR_OUT_OF_RANGE' });
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

// ---- txns

test('a txn sees what it has done, and others see it at its end', async (t) => {
  const dict = dictOf<Any>(t);
  const other = attached(t, dict);
  dict.assign({ a: 1, b: 2, c: { d: 1 } });
  const body = (txn: AnyTxn): string => {
    t.is(txn.size, 3);
    t.is(txn.get('a'), 1);
    txn.set('a', 10);
    txn.set('e', [1]);
    t.true(txn.delete('b'));
    t.false(txn.delete('b'));
    t.deepEqual(
      [txn.size, txn.get('a'), txn.has('a'), txn.get('b'), txn.has('b')],
      [3, 10, true, undefined, false],
    );
    t.deepEqual([...txn.keys()].sort(), ['a', 'c', 'e']);
    t.deepEqual(Object.fromEntries(txn.entries()), { a: 10, c: { d: 1 }, e: [1] });
    t.is([...txn.values()].length, 3);
    txn.set('fresh', 1);
    t.true(txn.delete('fresh'));
    t.false(txn.has('fresh'));
    txn.set('b', 3);
    t.is(
      txn.update('b', (old) => old + 1),
      4,
    );
    t.is(txn.increment('b'), 5);
    t.is(txn.increment('n', 2), 2);
    t.throws(() => txn.increment('c'), { code: 'ERR_SHM_VALUE' });
    t.throws(() => txn.set('a', undefined), { code: 'ERR_SHM_VALUE' });
    t.throws(() => txn.set('a', () => 1), { code: 'ERR_SHM_VALUE' });
    t.throws(() =>
      txn.update('b', () => {
        throw new Error('no');
      }),
    );
    t.is(txn.get('b'), 5);
    t.deepEqual([other.size, other.get('a'), other.get('b'), other.has('e')], [3, 1, 2, false]);
    t.deepEqual(dict.toObject(), { a: 1, b: 2, c: { d: 1 } });
    return 'result';
  };
  t.is(dict.txnSync(body), 'result');
  t.deepEqual(other.toObject(), { a: 10, b: 5, c: { d: 1 }, e: [1], n: 2 });
  dict.clear();
  dict.assign({ a: 1, b: 2, c: { d: 1 } });
  t.is(await dict.txn(body), 'result');
  t.deepEqual(other.toObject(), { a: 10, b: 5, c: { d: 1 }, e: [1], n: 2 });
});

test('clear in a txn, and what is set after it', (t) => {
  const dict = dictOf<Any>(t);
  const other = attached(t, dict);
  dict.assign({ a: 1, b: 2 });
  dict.txnSync((txn) => {
    txn.set('c', 3);
    txn.clear();
    t.deepEqual([txn.size, [...txn.keys()], txn.has('a'), txn.get('c')], [0, [], false, undefined]);
    txn.set('b', 20);
    txn.set('d', 4);
    txn.clear();
    txn.set('b', 21);
    t.deepEqual([txn.size, [...txn.entries()]], [1, [['b', 21]]]);
    t.deepEqual(other.toObject(), { a: 1, b: 2 });
  });
  t.deepEqual([other.size, other.toObject()], [1, { b: 21 }]);
  dict.txnSync((txn) => txn.clear());
  t.deepEqual([other.size, other.toObject()], [0, {}]);
  dict.txnSync((txn) => {
    txn.clear();
    txn.delete('x');
  });
  t.is(dict.size, 0);
});

test('what throws in a txn changes nothing', async (t) => {
  const dict = dictOf<Any>(t);
  dict.assign({ a: 1, b: 2 });
  const error = new Error('no');
  const body = (txn: AnyTxn): never => {
    txn.set('a', 5);
    txn.delete('b');
    txn.clear();
    txn.set('c', 5);
    throw error;
  };
  t.is(
    t.throws(() => dict.txnSync(body)),
    error,
  );
  t.is(await t.throwsAsync(dict.txn(body)), error);
  t.throws(() => dict.txnSync((txn) => (txn.set('a', 5), txn.set('', 5))), { code: 'ERR_SHM_KEY' });
  t.deepEqual([dict.size, dict.toObject()], [2, { a: 1, b: 2 }]);
});

test('a thenable result is refused, and nothing has changed', async (t) => {
  const dict = dictOf<Any>(t);
  const expected = { code: 'ERR_INVALID_RETURN_VALUE', instanceOf: TypeError };
  const thenable = Object.defineProperty({}, `${'th'}en`, { value: () => {} });
  for (const make of [() => Promise.resolve(1), () => thenable]) {
    const body = (txn: AnyTxn): never => {
      txn.set('a', 1);
      return make() as never;
    };
    t.throws(() => dict.txnSync(body), expected);
    await t.throwsAsync(dict.txn(body), expected);
    t.throws(() => dict.txnSync(() => make() as never, { readOnly: true }), expected);
  }
  t.is(dict.size, 0);
});

test('a txn that has ended refuses everything', (t) => {
  const dict = dictOf<Any>(t);
  dict.set('a', 1);
  for (const readOnly of [false, true]) {
    let kept!: AnyTxn;
    dict.txnSync(
      (txn) => {
        kept = txn;
      },
      { readOnly },
    );
    const acts: (() => unknown)[] = [
      () => kept.get('a'),
      () => kept.has('a'),
      () => kept.size,
      () => kept.set('a', 2),
      () => kept.delete('a'),
      () => kept.clear(),
      () => kept.update('a', () => 1),
      () => kept.increment('a'),
      () => [...kept.keys()],
      () => [...kept.values()],
      () => [...kept.entries()],
    ];
    for (const act of acts) t.throws(act, { code: 'ERR_SHM_TXN_ENDED' });
  }
  t.is(dict.get('a'), 1);
});

test('a read-only txn refuses to write', async (t) => {
  const dict = dictOf<Any>(t);
  dict.set('a', 1);
  const acts: ((txn: AnyTxn) => void)[] = [
    (txn) => txn.set('a', 2),
    (txn) => txn.delete('a'),
    (txn) => txn.clear(),
    (txn) => txn.update('a', () => 1),
    (txn) => txn.increment('a'),
  ];
  for (const act of acts) {
    t.throws(() => dict.txnSync(act, { readOnly: true }), { code: 'ERR_SHM_READ_ONLY' });
    await t.throwsAsync(dict.txn(act, { readOnly: true }), { code: 'ERR_SHM_READ_ONLY' });
  }
  t.deepEqual(dict.toObject(), { a: 1 });
});

test('writing inside of a txn other than by the txn is a deadlock that is told of', async (t) => {
  const dict = dictOf<Any>(t);
  const other = attached(t, dict);
  const acts: ((it: SharedDict<Any>) => unknown)[] = [
    (it) => it.set('a', 1),
    (it) => it.set('a', {}),
    (it) => it.delete('a'),
    (it) => it.clear(),
    (it) => it.update('a', () => 1),
    (it) => it.increment('a'),
    (it) => it.getOrInsert('a', 1),
    (it) => it.compareAndSet('a', undefined, 1),
    (it) => it.assign({ a: 1 }),
    (it) => it.txnSync(() => 1),
  ];
  dict.txnSync((txn) => {
    txn.set('kept', 1);
    for (const act of acts)
      for (const it of [dict, other]) t.throws(() => act(it), { code: 'ERR_SHM_DEADLOCK' });
  });
  t.deepEqual(dict.toObject(), { kept: 1 });
  t.throws(() => dict.txnSync(() => dict.txnSync(() => 1)), { code: 'ERR_SHM_DEADLOCK' });
  let later: Promise<unknown> | undefined;
  dict.txnSync((txn) => {
    txn.set('b', 1);
    later = dict.txn((it) => it.increment('b'));
  });
  t.is(await later, 2, 'one that can wait has its turn afterwards');
  const elsewhere = dictOf<Any>(t);
  dict.txnSync((txn) => {
    txn.set('c', 1);
    elsewhere.txnSync((it) => it.set('c', 2));
    elsewhere.set('d', 3);
  });
  t.deepEqual(elsewhere.toObject(), { c: 2, d: 3 });
});

test('what writes right after txn() was called is no deadlock', async (t) => {
  const dict = dictOf<Any>(t);
  const txn = dict.txn((it) => it.set('a', 1));
  dict.set('b', 2);
  await txn;
  t.deepEqual(dict.toObject(), { a: 1, b: 2 });
});

test('many txns of one thread, all at once', async (t) => {
  const dict = dictOf<Any>(t);
  const order: number[] = [];
  await Promise.all(
    Array.from({ length: 100 }, (_, index) =>
      dict.txn((txn) => {
        order.push(index);
        return txn.increment('n');
      }),
    ),
  );
  t.is(dict.get('n'), 100);
  t.deepEqual(
    order,
    Array.from({ length: 100 }, (_, index) => index),
  );
});

test('timeouts and signals, while another process is in a txn', async (t) => {
  const dict = dictOf<Any>(t, { lockTimeout: 20 });
  dict.assign({ a: 1, gone: 1 });
  const inside = await insider(t, dict, `txn.set('a', 2); txn.delete('gone')`);
  const code = 'ERR_SHM_TIMEOUT';
  t.throws(() => dict.txnSync(() => 1, { timeout: 5 }), { code });
  t.throws(() => dict.txnSync(() => 1, { timeout: 0 }), { code });
  await t.throwsAsync(
    dict.txn(() => 1, { timeout: 5 }),
    { code },
  );
  await t.throwsAsync(
    dict.txn(() => 1, { timeout: 0 }),
    { code },
  );
  const reason = new Error('enough');
  const controller = new AbortController();
  const waiting = dict.txn(() => 1, { signal: controller.signal });
  setTimeout(() => controller.abort(reason), 5);
  t.is(await t.throwsAsync(waiting), reason);
  t.is(await t.throwsAsync(dict.txn(() => 1, { signal: AbortSignal.abort(reason) })), reason);
  const before = performance.now();
  t.throws(() => dict.set('a', 3), { code });
  t.throws(() => dict.set('a', {}), { code });
  t.throws(() => dict.delete('a'), { code });
  t.throws(() => dict.clear(), { code });
  t.throws(() => dict.increment('a'), { code });
  t.true(performance.now() - before > 5 * 19);
  // Who reads waits for nobody.
  t.deepEqual([dict.get('a'), dict.has('gone'), dict.size], [1, true, 2]);
  t.deepEqual(dict.toObject(), { a: 1, gone: 1 });
  t.is(
    dict.txnSync((txn) => txn.get('a'), { readOnly: true, timeout: 0 }),
    1,
  );
  const queued = dict.txn((txn) => txn.increment('a'));
  inside.tell('go on');
  t.is(await inside.says(), 'out');
  t.is(await queued, 3);
  t.deepEqual(dict.toObject(), { a: 3 });
});

test('an aborted signal rejects a read-only txn too', async (t) => {
  const dict = dictOf<Any>(t);
  const reason = new Error('enough');
  const signal = AbortSignal.abort(reason);
  t.is(await t.throwsAsync(dict.txn(() => 1, { readOnly: true, signal })), reason);
});

test('who is killed in a txn has changed nothing, and keeps nobody out', async (t) => {
  const dict = dictOf<Any>(t);
  dict.assign({ a: 1, gone: 1 });
  for (const go of [
    () => dict.txn((txn) => txn.increment('a')),
    () => dict.txnSync((txn) => txn.increment('a')),
    () => dict.increment('a'),
    () => dict.set('a', dict.get('a') + 1),
  ]) {
    const before = dict.get('a') as number;
    const inside = await insider(t, dict, `txn.set('a', 'lost'); txn.clear()`);
    await inside.kill();
    await go();
    t.deepEqual(dict.toObject(), { a: before + 1, gone: 1 });
  }
});

test('a read-only txn is run again when another process writes in between', async (t) => {
  const dict = dictOf<Any>(t);
  dict.assign({ a: 0, b: 0 });
  const signals = [freshName(t), freshName(t)].map((name) => SharedEvent.createOrAttach(name)) as [
    SharedEvent,
    SharedEvent,
  ];
  const [go, done] = signals;
  const writer = user(
    t,
    dict,
    `const [go, done] = ['${go.name}', '${done.name}'].map((name) => SharedEvent.attach(name));
    say('ready');
    for (;;) {
      await go.wait();
      go.clear();
      dict.txnSync((txn) => { txn.increment('a'); txn.increment('b'); });
      done.set();
    }`,
  );
  t.is(await writer.says(), 'ready');
  for (const way of ['sync', 'async']) {
    const before = dict.get('a') as number;
    let runs = 0;
    const body = (txn: AnyTxn): number[] => {
      const a = txn.get('a');
      if (++runs === 1) {
        go.set();
        done.waitSync({ timeout: 20_000 });
        done.clear();
      }
      const b = txn.get('b');
      if (runs === 1) throw new Error(`of what was never so: ${a} ${b}`); // does not count
      return [a, b];
    };
    const seen =
      way === 'sync' ? dict.txnSync(body, { readOnly: true }) : await dict.txn(body, { readOnly: true });
    t.deepEqual([runs, seen], [2, [before + 1, before + 1]]);
  }
  // One who writes each time is kept out in the end.
  let runs = 0;
  const seen = dict.txnSync(
    (txn) => {
      txn.get('a');
      runs++;
      go.set();
      done.waitSync({ timeout: 300 });
    },
    { readOnly: true, timeout: 5000 },
  ) as unknown;
  t.is(seen, undefined);
  t.true(runs <= 5, `${runs}`);
  signals.forEach((it) => it.close());
});

// ---- handles

test('a read-only handle reads, and writes nothing', async (t) => {
  const dict = dictOf<Any>(t);
  const reader = attached(t, dict, true);
  dict.assign({ a: 1, b: { c: 2 } });
  t.deepEqual([reader.get('a'), reader.get('b'), reader.has('x'), reader.size], [1, { c: 2 }, false, 2]);
  t.deepEqual(reader.toObject(), { a: 1, b: { c: 2 } });
  t.deepEqual([...reader.keys()].sort(), ['a', 'b']);
  t.is(await reader.txn((txn) => txn.get('a'), { readOnly: true }), 1);
  const acts: (() => unknown)[] = [
    () => reader.set('a', 2),
    () => reader.set('a', {}),
    () => reader.delete('a'),
    () => reader.clear(),
    () => reader.update('a', () => 1),
    () => reader.increment('a'),
    () => reader.getOrInsert('a', 1),
    () => reader.compareAndSet('a', 1, 2),
    () => reader.assign({ a: 2 }),
    () => reader.txnSync(() => 1),
  ];
  for (const act of acts) t.throws(act, { code: 'ERR_SHM_READ_ONLY', message: /read-only/ });
  await t.throwsAsync(
    reader.txn(() => 1),
    { code: 'ERR_SHM_READ_ONLY' },
  );
  dict.set('a', 5);
  t.is(reader.get('a'), 5);
  t.true(reader.toJSON()['readOnly']);
  using again = attach(reader.toJSON()) as SharedDict<Any>;
  t.throws(() => again.set('a', 1), { code: 'ERR_SHM_READ_ONLY' });
});

test('a read-only handle reads beside one who writes all the time', async (t) => {
  const dict = dictOf<Any>(t);
  const reader = attached(t, dict, true);
  const large = 'x'.repeat(4 << 20);
  dict.set('large', large);
  const writer = user(
    t,
    dict,
    `say('writes');
    for (let i = 0; ; i++) { dict.set('k' + i, i); if (i > 20) dict.delete('k' + (i - 20)); }`,
  );
  t.is(await writer.says(), 'writes');
  for (let i = 0; i < 200; i++) {
    if (reader.get('large') !== large) t.fail();
    if (!reader.has('large')) t.fail();
    if (i % 10 === 0) {
      // Of one moment, or not at all: this handle cannot keep the writer out.
      try {
        const body = (txn: { size: number }): boolean => txn.size <= 50;
        t.true(reader.txnSync(body, { readOnly: true, timeout: 50 }));
      } catch (error) {
        t.is((error as { code: string }).code, 'ERR_SHM_BUSY');
      }
    }
  }
  await writer.kill();
});

test('handles of one thread see each other at once', (t) => {
  const dict = dictOf<Any>(t);
  const other = attached(t, dict);
  for (let i = 0; i < 3000; i++) {
    const [writes, reads] = i % 2 === 0 ? [dict, other] : [other, dict];
    const value = i % 3 === 0 ? { i } : i % 3 === 1 ? i : `${i}`;
    writes.set('key', value);
    t.deepEqual(reads.get('key'), value);
  }
  dict.close();
  other.set('key', 1);
  t.is(other.get('key'), 1);
});

test('attach by name, by descriptor and by attach()', (t) => {
  const dict = dictOf<Any>(t);
  dict.set('a', { b: 1 });
  const descriptor = dict.toJSON();
  t.deepEqual(JSON.parse(JSON.stringify(descriptor)), structuredClone(descriptor));
  t.is(descriptor.kind, 'dict');
  for (const open of [
    () => SharedDict.attach<Any>(dict.name),
    () => SharedDict.attach<Any>(descriptor),
    () => SharedDict.attach<Any>(JSON.parse(JSON.stringify(dict))),
    () => attach(descriptor) as SharedDict<Any>,
    () => SharedDict.createOrAttach<Any>(dict.name),
  ]) {
    using other = open();
    t.true(other instanceof SharedDict);
    t.is(other.name, dict.name);
    t.deepEqual(other.get('a'), { b: 1 });
  }
  t.throws(() => SharedDict.create({ name: dict.name }), { code: 'EEXIST' });
  const name = freshName(t);
  t.throws(() => SharedDict.attach(name), { code: 'ENOENT' });
  t.throws(() => SharedDict.attach({ ...descriptor, id: '1:2' }), { code: 'ERR_SHM_UNLINKED' });
  t.throws(() => SharedDict.attach({ ...descriptor, kind: 'list' }), { code: 'ERR_SHM_KIND' });
  using made = SharedDict.createOrAttach<number>(name, { byteLength: 1 << 20 });
  made.set('a', 1);
  using second = SharedDict.createOrAttach<number>(name);
  t.is(second.get('a'), 1);
  t.true(made.byteLength >= 1 << 20);
  made.unlink();
  using unnamed = SharedDict.create();
  unnamed.set('a', 1);
  using sameUnnamed = SharedDict.attach<Any>(unnamed.name);
  t.is(sameUnnamed.get('a'), 1);
  unnamed.unlink();
});

test('createOrAttach() opens one that is smaller or larger than it would make it', (t) => {
  const dict = dictOf<Any>(t, { byteLength: 8192, maxByteLength: 1 << 20 });
  dict.set('a', 1);
  for (const byteLength of [8192, 1 << 16, 1 << 20, 1 << 24]) {
    using other = SharedDict.createOrAttach<Any>(dict.name, { byteLength, maxByteLength: 1 << 30 });
    t.is(other.get('a'), 1);
  }
  using plain = SharedDict.createOrAttach<Any>(dict.name);
  t.is(plain.get('a'), 1);
});

test('what is no dict is refused, and a dict is refused as anything else', (t) => {
  const dict = dictOf(t);
  const shm = SharedMemory.create(100_000, { name: freshName(t) });
  const small = SharedMemory.create(10, { name: freshName(t) });
  const list = ShareableList.create([1, 'two'], { name: freshName(t) });
  const mutex = SharedMutex.createOrAttach(freshName(t));
  const event = SharedEvent.createOrAttach(freshName(t));
  for (const { name } of [shm, small, list, mutex, event]) {
    t.throws(() => SharedDict.attach(name), { code: 'ERR_SHM_NOT_A_DICT' }, name);
    t.throws(() => SharedDict.attach(name, { readOnly: true }), { code: 'ERR_SHM_NOT_A_DICT' });
    t.throws(() => SharedDict.createOrAttach(name), { code: 'ERR_SHM_NOT_A_DICT' });
  }
  t.throws(() => ShareableList.attach(dict.name));
  t.throws(() => SharedMutex.attach(dict.name), { code: 'ERR_SHM_NOT_A_LOCK' });
  t.throws(() => SharedMutex.createOrAttach(dict.name), { code: 'ERR_SHM_NOT_A_LOCK' });
  t.throws(() => SharedEvent.attach(dict.name));
  t.throws(() => SharedMemory.attach(dict.toJSON()), { code: 'ERR_SHM_KIND' });
  using raw = SharedMemory.attach(dict.name);
  t.is(raw.buf.toString('latin1', 0, 7), 'SHMDICT');
  for (const it of [shm, small, list, mutex, event]) {
    it.close();
    it.unlink();
  }
});

test('a dict of a newer version, and one that is damaged', (t) => {
  const dict = dictOf<Any>(t);
  dict.assign({ a: 1, b: 'two' });
  using raw = SharedMemory.attach(dict.name);
  const words = new DataView(raw.buffer);
  const oldest = words.getUint32(12, true);
  words.setUint32(8, 1000, true);
  SharedDict.attach(dict.name).close();
  words.setUint32(12, oldest + 1, true);
  t.throws(() => SharedDict.attach(dict.name), { code: 'ERR_SHM_VERSION' });
  t.throws(() => SharedDict.createOrAttach(dict.name), { code: 'ERR_SHM_VERSION' });
  words.setUint32(12, oldest, true);
  const max = words.getBigUint64(16, true);
  words.setBigUint64(16, 5n, true);
  t.throws(() => SharedDict.attach(dict.name), { code: 'ERR_SHM_CORRUPT' });
  words.setBigUint64(16, max, true);
  const root = words.getBigUint64(128, true);
  for (const bad of [0n, ~0n & 0xffff_ffff_ffff_ffffn, root + (1n << 36n), (root & ~0xffn) | 36n]) {
    words.setBigUint64(128, bad, true);
    for (const act of [
      () => dict.get('b'),
      () => dict.has('a'),
      () => [...dict.keys()],
      () => dict.set('a', 2),
    ]) {
      t.throws(act, { code: 'ERR_SHM_CORRUPT' });
    }
  }
  words.setBigUint64(128, root, true);
  t.deepEqual(dict.toObject(), { a: 1, b: 'two' });
  writeFileSync(segmentPath(dict.name), Buffer.from('SHMDI'));
  t.throws(() => SharedDict.attach(dict.name), { code: 'ERR_SHM_NOT_A_DICT' });
});

test('an instance cannot be cloned, and the error says what to send instead', (t) => {
  const dict = dictOf(t);
  const expected = {
    any: true as const,
    name: 'DataCloneError',
    message: /send its toJSON\(\) and attach\(\)/,
  };
  t.throws(() => structuredClone(dict), expected);
  t.throws(() => structuredClone({ nested: [dict] }), expected);
});

test('close() ends a handle, and only that', async (t) => {
  const dict = dictOf<Any>(t);
  const other = SharedDict.attach<Any>(dict.name);
  other.assign({ a: 1, b: 'x' });
  t.is(other.get('a'), 1);
  t.false(other.closed);
  const keys = other.keys();
  const entries = other.entries();
  keys.next();
  entries.next();
  const holder = await insider(t, dict);
  const waiting = other.txn(() => 1);
  other.close();
  await t.throwsAsync(waiting, { code: 'ERR_SHM_CLOSED' });
  holder.tell('go on');
  other.close();
  other[Symbol.dispose]();
  t.true(other.closed);
  const acts: (() => unknown)[] = [
    () => other.get('a'),
    () => other.get('none'),
    () => other.has('a'),
    () => other.size,
    () => other.byteLength,
    () => [...other.keys()],
    () => [...other.values()],
    () => [...other.entries()],
    () => [...other],
    () => [...entries],
    () => other.forEach(() => {}),
    () => other.toObject(),
    () => other.set('a', 1),
    () => other.set('a', {}),
    () => other.delete('a'),
    () => other.clear(),
    () => other.getOrInsert('a', 1),
    () => other.update('a', () => 1),
    () => other.increment('a'),
    () => other.compareAndSet('a', 1, 1),
    () => other.assign({ a: 1 }),
    () => other.assign({}),
    () => other.txnSync(() => 1),
    () => other.txnSync(() => 1, { readOnly: true }),
    () => other.adopt(),
  ];
  acts.forEach((act, index) => t.throws(act, { code: 'ERR_SHM_CLOSED' }, `${index}`));
  await t.throwsAsync(
    other.txn(() => 1),
    { code: 'ERR_SHM_CLOSED' },
  );
  await t.throwsAsync(
    other.txn(() => 1, { readOnly: true }),
    { code: 'ERR_SHM_CLOSED' },
  );
  t.is(other.name, dict.name);
  t.is(other.toJSON().name, dict.name);
  t.is(inspect(other), `SharedDict('${dict.name}', closed)`);
  t.is(await holder.says(), 'out');
  t.deepEqual(dict.toObject(), { a: 1, b: 'x' });
});

test('close() in the body of a txn changes nothing and keeps nobody out', async (t) => {
  const dict = dictOf<Any>(t);
  dict.set('a', 1);
  for (const readOnly of [false, true]) {
    for (const way of ['sync', 'async']) {
      const other = SharedDict.attach<Any>(dict.name);
      const body = (txn: AnyTxn): void => {
        if (!readOnly) txn.set('a', 2);
        other.close();
        t.throws(() => txn.get('b'), { code: 'ERR_SHM_CLOSED' });
      };
      const code = 'ERR_SHM_CLOSED';
      if (way === 'sync') t.throws(() => other.txnSync(body, { readOnly }), { code });
      else await t.throwsAsync(other.txn(body, { readOnly }), { code });
      dict.txnSync((txn) => txn.set('b', 1), { timeout: 5000 });
      t.deepEqual(dict.toObject(), { a: 1, b: 1 });
    }
  }
});

test('close() in update() reaches no dict that is opened meanwhile', (t) => {
  const dict = dictOf<Any>(t);
  dict.set('a', 1);
  const handle = SharedDict.attach<Any>(dict.name);
  let fresh!: SharedDict<Any>;
  t.throws(
    () =>
      handle.update('a', () => {
        handle.close();
        fresh = dictOf<Any>(t);
        return 5;
      }),
    { code: 'ERR_SHM_CLOSED' },
  );
  t.deepEqual([fresh.toObject(), dict.toObject()], [{}, { a: 1 }]);
});

test('a closed handle that is collected takes no other dict with it', async (t) => {
  const name = freshName(t);
  (() => {
    for (let i = 0; i < 30; i++) SharedDict.createOrAttach(name).close();
  })();
  const dict = dictOf<Any>(t);
  dict.set('a', { b: 1 });
  for (let i = 0; i < 5; i++) {
    collectGarbage();
    (globalThis as { gc?: () => void }).gc?.();
    await sleep(5);
  }
  t.deepEqual(dict.get('a'), { b: 1 });
});

test('unlink() removes the name and the lock, and who is attached stays so', (t) => {
  const dict = dictOf<Any>(t);
  const other = attached(t, dict);
  dict.set('a', 1);
  other.set('a', 1); // it has the lock open, too
  t.true(exists(`${dict.name}.lk`));
  dict.unlink();
  t.false(exists(dict.name) || exists(`${dict.name}.lk`));
  t.throws(() => SharedDict.attach(dict.name), { code: 'ENOENT' });
  dict.set('a', { b: 2 });
  t.deepEqual(other.get('a'), { b: 2 });

  const fresh = dictOf<Any>(t, { name: dict.name });
  t.deepEqual([fresh.size, dict.size], [0, 1]);
  fresh.set('x', 1);
  dict.set('y', 2);
  other.delete('a');
  t.deepEqual([fresh.toObject(), dict.toObject()], [{ x: 1 }, { y: 2 }]);
  dict.txnSync((txn) => {
    txn.set('z', 1);
    fresh.set('in between', 1); // another lock
  });
  t.throws(() => SharedDict.attach(dict.toJSON()), { code: 'ERR_SHM_UNLINKED' });
  t.throws(() => dict.unlink());
  t.true(exists(fresh.name));
  fresh.close();
  fresh.unlink();
  t.false(exists(fresh.name) || exists(`${fresh.name}.lk`));
});

test('a handle that writes for the first time after the name was given to another', (t) => {
  const dict = dictOf<Any>(t);
  const late = attached(t, dict);
  dict.set('a', 1);
  dict.unlink();
  const fresh = dictOf<Any>(t, { name: dict.name });
  fresh.set('x', 1);
  t.throws(() => late.set('b', 2), { code: 'ERR_SHM_UNLINKED' });
  t.deepEqual([fresh.toObject(), dict.toObject(), late.toObject()], [{ x: 1 }, { a: 1 }, { a: 1 }]);
  fresh.unlink();
});

test('it goes with its last owner, and so does its lock', async (t) => {
  const name = freshName(t);
  const code = `const dict = shmkit.SharedDict.createOrAttach('${name}'); dict.increment('n'); say('made'); await told();`;
  const owner = Program.node(t, code);
  t.is(await owner.says(), 'made');
  const second = Program.node(t, code);
  t.is(await second.says(), 'made');
  using mine = SharedDict.attach<number>(name);
  await owner.kill();
  collectGarbage();
  t.true(exists(name) && exists(`${name}.lk`));
  t.is(mine.increment('n'), 3);
  await second.kill();
  while (exists(name) || exists(`${name}.lk`)) await sleep(1);
  t.is(mine.get('n'), 3);
  t.is(mine.increment('n'), 4);

  const third = Program.node(t, code);
  t.is(await third.says(), 'made');
  using adopted = SharedDict.attach<number>(name);
  adopted.adopt();
  await third.kill();
  collectGarbage();
  await sleep(50);
  t.true(exists(name));
  t.is(adopted.increment('n'), 2);
  adopted.unlink();
  t.false(exists(name) || exists(`${name}.lk`));
});

test('permissions, of the lock as well', (t) => {
  const dict = dictOf(t, { mode: 0o640 });
  dict.set('a', 1);
  t.is(statSync(segmentPath(dict.name)).mode & 0o777, 0o640);
  t.is(statSync(segmentPath(`${dict.name}.lk`)).mode & 0o777, 0o640);
});

// ---- room

test('maxByteLength reached: ERR_SHM_FULL, with everything as before', (t) => {
  const dict = dictOf<Any>(t, { maxByteLength: 1 << 20 });
  const other = attached(t, dict);
  const code = 'ERR_SHM_FULL';
  t.throws(() => dict.set('large', Buffer.alloc(2 << 20)), { code });
  t.throws(() => dict.assign({ a: 1, large: Buffer.alloc(2 << 20) }), { code });
  t.is(dict.size, 0);
  let count = 0;
  t.throws(
    () => {
      for (; ; count++) dict.set(`key ${count}`, Buffer.alloc(10_000, count));
    },
    { code, message: /maxByteLength/ },
  );
  t.true(count > 80, `${count}`);
  const isAsBefore = (): void => {
    t.is(dict.size, count);
    t.is([...other.keys()].length, count);
    for (let i = 0; i < count; i++) {
      if (!(other.get(`key ${i}`) as Buffer).equals(Buffer.alloc(10_000, i))) t.fail(`key ${i}`);
    }
  };
  isAsBefore();
  for (let i = 0; i < 50; i++) {
    t.throws(() => dict.set('more', Buffer.alloc(20_000)), { code });
    t.throws(() => dict.set('key 0', Buffer.alloc(20_000)), { code });
    t.throws(() => dict.update('key 0', () => Buffer.alloc(20_000)), { code });
    t.throws(() => dict.assign({ a: 1, b: 2, more: Buffer.alloc(20_000) }), { code });
    t.throws(() => dict.txnSync((txn) => (txn.delete('key 1'), txn.set('more', Buffer.alloc(20_000)))), {
      code,
    });
  }
  isAsBefore();
  t.true(dict.byteLength <= 1 << 20);
  t.is(statSync(segmentPath(dict.name)).size, dict.byteLength);
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < count; i++) {
      t.true(dict.delete(`key ${i}`));
      dict.set(`key ${i}`, Buffer.alloc(10_000, i));
    }
  }
  isAsBefore();
});

test('a full dict counts on, and a number becomes another one', (t) => {
  const dict = dictOf<Any>(t, { maxByteLength: 1 << 20 });
  dict.assign({ hits: 0, misses: 0, share: 0.5 });
  const code = 'ERR_SHM_FULL';
  for (const length of [10_000, 100, 1]) {
    t.throws(
      () => {
        for (let i = 0; ; i++) dict.set(`${length} ${i}`, 'x'.repeat(length));
      },
      { code },
    );
  }
  for (let i = 1; i <= 1000; i++) {
    t.is(dict.increment('hits'), i);
    dict.set('share', i / 7);
    dict.txnSync((txn) => (txn.increment('misses', 2), txn.set('share', -i)));
    t.true(dict.compareAndSet('share', -i, i));
  }
  t.throws(() => dict.set('hits', 'a text'), { code });
  t.deepEqual([dict.get('hits'), dict.get('misses'), dict.get('share')], [1000, 2000, 1000]);
});

test('a full dict can be cleared, in each way', (t) => {
  for (const length of [1, 100, 10_000]) {
    for (const clear of [
      (dict: SharedDict<Any>) => dict.clear(),
      (dict: SharedDict<Any>) => {
        for (const key of dict.keys()) dict.delete(key);
      },
      (dict: SharedDict<Any>) => dict.txnSync((txn) => txn.clear()),
      (dict: SharedDict<Any>) => dict.txnSync((txn) => void [...txn.keys()].map((key) => txn.delete(key))),
    ]) {
      const dict = dictOf<Any>(t, { maxByteLength: 1 << 20 });
      let count = 0;
      const fill = (by: number): void => {
        try {
          for (; ; count++) dict.set(`key ${count}`, 'x'.repeat(by));
        } catch {
          // full
        }
      };
      for (let by = length; by >= 1; by = by >> 1) fill(by);
      t.is(dict.size, count);
      t.notThrows(() => clear(dict), `${length}: ${clear}`);
      t.is(dict.size, 0);
    }
  }
});

test('what small values had is there for a large one', (t) => {
  for (const clear of [
    (dict: SharedDict<Any>) => dict.clear(),
    (dict: SharedDict<Any>) => {
      for (const key of dict.keys()) dict.delete(key);
    },
  ]) {
    const dict = dictOf<Any>(t, { maxByteLength: 1 << 20 });
    t.throws(
      () => {
        for (let i = 0; ; i++) dict.set(`key ${i}`, 'x'.repeat(300));
      },
      { code: 'ERR_SHM_FULL' },
    );
    clear(dict);
    t.notThrows(() => dict.set('large', 'x'.repeat(500_000)), `${clear}`);
  }
});

test('a full /dev/shm is ENOSPC, loses nothing, and is usable after deletes', async (t) => {
  const script = fileURLToPath(new URL('dicts/full.js', import.meta.url));
  const [command, args] = ownDevShm('8m', [process.execPath, script]);
  const { code, signal, output } = await run(command, args, 60);
  t.deepEqual({ code, signal }, { code: 0, signal: null }, output);
});

test('it grows to 100,000 keys and back', (t) => {
  const dict = dictOf<Any>(t, { byteLength: 8192 });
  const reader = attached(t, dict, true);
  const other = attached(t, dict);
  t.true(dict.byteLength <= 8192);
  const count = 100_000;
  for (let i = 0; i < count; i++) (i % 2 === 0 ? dict : other).set(`key ${i}`, i);
  t.is(reader.size, count);
  const keys = new Set(reader.keys());
  t.is(keys.size, count);
  for (let i = 0; i < count; i++)
    if (reader.get(`key ${i}`) !== i || !keys.has(`key ${i}`)) t.fail(`key ${i}`);
  const most = dict.byteLength;
  for (let i = 0; i < count; i++) if (!dict.delete(`key ${i}`)) t.fail(`key ${i}`);
  t.deepEqual([reader.size, [...reader.keys()]], [0, []]);
  for (let i = 0; i < count; i++) other.set(`again ${i}`, i);
  t.is(dict.size, count);
  t.true(dict.byteLength <= most * 1.1, `${most}, then ${dict.byteLength}`);
  dict.clear();
  t.is(reader.size, 0);
  dict.txnSync((txn) => {
    for (let i = 0; i < count; i++) txn.set(`key ${i}`, i);
  });
  t.is(reader.size, count);
  dict.txnSync((txn) => txn.clear());
  t.is(reader.size, 0);
  t.true(dict.byteLength <= most * 2, `${most}, then ${dict.byteLength}`);
  dict.set('a', 1);
  t.deepEqual(reader.toObject(), { a: 1 });
});

test('it does not grow by being filled and cleared', (t) => {
  for (const clear of [
    (dict: SharedDict<Any>) => dict.clear(),
    (dict: SharedDict<Any>) => dict.txnSync((txn) => txn.clear()),
  ]) {
    const dict = dictOf<Any>(t);
    let first = 0;
    for (let round = 0; round < 30; round++) {
      for (let i = 0; i < 1000; i++) dict.set(`key ${i}`, 'x'.repeat(1000));
      clear(dict);
      if (round === 1) first = dict.byteLength;
    }
    t.true(dict.byteLength <= first * 1.5, `${clear}: ${first}, then ${dict.byteLength}`);
  }
});

test('it does not grow by those who die in a txn', async (t) => {
  const dict = dictOf<Any>(t);
  for (let i = 0; i < 1000; i++) dict.set(`key ${i}`, 'x'.repeat(1000));
  const before = dict.byteLength;
  for (let death = 0; death < 8; death++) {
    const inside = await insider(t, dict);
    await inside.kill();
    for (let i = 0; i < 1000; i++) dict.set(`key ${i}`, 'y'.repeat(1000));
    for (let i = 0; i < 1000; i++) if (i % 3 === death % 3) dict.delete(`key ${i}`);
  }
  t.true(dict.byteLength <= before * 2, `${before}, then ${dict.byteLength}`);
});

test('it does not grow by what is overwritten, deleted, rolled back or cleared', (t) => {
  const dict = dictOf<Any>(t);
  const random = new Random(5);
  const round = (): void => {
    for (let i = 0; i < 2000; i++) {
      const key = `key ${random.below(50)}`;
      const value = 'x'.repeat(random.below(4000));
      switch (random.below(6)) {
        case 0:
          dict.delete(key);
          break;
        case 1:
          t.throws(() => dict.txnSync((txn) => (txn.set(key, value), txn.set('', 1))), {
            code: 'ERR_SHM_KEY',
          });
          break;
        case 2:
          dict.txnSync((txn) => (txn.set(key, value), txn.delete(`key ${random.below(50)}`)));
          break;
        case 3:
          if (random.below(20) === 0) dict.clear();
          break;
        default:
          dict.set(key, value);
      }
    }
  };
  for (let i = 0; i < 5; i++) round();
  const before = dict.byteLength;
  for (let i = 0; i < 20; i++) round();
  t.true(dict.byteLength <= before * 1.5, `${before}, then ${dict.byteLength}`);
});

// ---- as it is shown

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

// ---- others

test('what another process has set is there at once', async (t) => {
  const dict = dictOf<Any>(t);
  const signals = [freshName(t), freshName(t)].map((name) => SharedEvent.createOrAttach(name)) as [
    SharedEvent,
    SharedEvent,
  ];
  const [ping, pong] = signals;
  const rounds = 2000;
  const peer = user(
    t,
    dict,
    `const [ping, pong] = ['${ping.name}', '${pong.name}'].map((name) => SharedEvent.attach(name));
    for (let i = 0; i < ${rounds}; i++) {
      ping.waitSync({ timeout: 20_000 });
      ping.clear();
      if (dict.get('mine') !== i || dict.get('text') !== 'text ' + i || dict.has('odd') !== (i % 2 === 1)) {
        say('stale: ' + [i, dict.get('mine'), dict.get('text'), dict.has('odd')]);
        break;
      }
      if (i % 3 === 0) dict.set('theirs', i);
      else if (i % 3 === 1) dict.txnSync((txn) => txn.set('theirs', i));
      else dict.assign({ theirs: i });
      pong.set();
    }
    say('done');`,
  );
  for (let i = 0; i < rounds; i++) {
    dict.set('mine', i);
    dict.txnSync((txn) => {
      txn.set('text', `text ${i}`);
      if (i % 2 === 1) txn.set('odd', true);
      else txn.delete('odd');
    });
    t.true(dict.get('mine') === i && dict.get('theirs') === (i === 0 ? undefined : i - 1)); // and so remembered
    ping.set();
    pong.waitSync({ timeout: 20_000 });
    pong.clear();
    t.is(dict.get('theirs'), i);
    t.is(dict.get('mine'), i);
  }
  t.is(await peer.says(), 'done');
  signals.forEach((it) => it.close());
});

test('worker threads', async (t) => {
  const dict = dictOf<Any>(t);
  dict.set('object', { a: [1] });
  const workers = Array.from(
    { length: 3 },
    (_, index) =>
      new Worker(
        `import('shmkit').then(async ({ attach }) => {
          const { workerData, parentPort } = await import('node:worker_threads');
          const dict = attach(workerData);
          for (let i = 0; i < 500; i++) {
            dict.increment('n');
            await dict.txn((txn) => { txn.increment('m'); txn.set('last', ${index}); });
            dict.set('of ${index}', { i });
          }
          parentPort.postMessage(dict.get('object'));
        });`,
        { eval: true, workerData: dict.toJSON() },
      ),
  );
  const results = workers.map(
    (worker) =>
      new Promise((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
        worker.once('exit', () => reject(new Error('it ended')));
      }),
  );
  for (let i = 0; i < 500; i++) {
    dict.increment('n');
    const [n, m] = dict.txnSync<[number, number]>((txn) => [txn.get('n'), txn.get('m') ?? 0], {
      readOnly: true,
    });
    if (n < i || m < 0) t.fail();
    await sleep(0);
  }
  t.deepEqual(await Promise.all(results), [{ a: [1] }, { a: [1] }, { a: [1] }]);
  t.is(dict.get('n'), 2000);
  t.is(dict.get('m'), 1500);
  // One that is terminated wherever it is.
  for (let i = 0; i < 5; i++) {
    const worker = new Worker(
      `import('shmkit').then(async ({ attach }) => {
        const { workerData, parentPort } = await import('node:worker_threads');
        const dict = attach(workerData);
        parentPort.postMessage('writes');
        for (;;) dict.txnSync((txn) => { const x = txn.increment('x'); for (let i = 0; i < 50; i++) txn.set('x' + i, x); });
      });`,
      { eval: true, workerData: dict.toJSON() },
    );
    await new Promise((resolve) => worker.once('message', resolve));
    await sleep(10);
    await worker.terminate();
    const x = dict.txnSync((txn) => txn.get('x') as number);
    for (let key = 0; key < 50; key++)
      if (dict.get(`x${key}`) !== x) t.fail(`${key}: ${dict.get(`x${key}`)}, and not ${x}`);
  }
});

// ---- against a Map

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
      if (typeof wanted !== 'object' || wanted === null) {
        if (!Object.is(got, wanted)) t.fail(`${what}: ${String(got)}, and not ${String(wanted)}`);
      } else if (inspect(got) !== inspect(wanted))
        t.fail(`${what}: ${inspect(got)}, and not ${inspect(wanted)}`);
    };
    const isSame = (dict: SharedDict<Any>): void => {
      t.is(dict.size, map.size);
      t.deepEqual(dict.toObject(), Object.fromEntries(map));
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
                  t.deepEqual(Object.fromEntries(txn.entries()), Object.fromEntries(map));
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
