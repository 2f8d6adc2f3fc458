/** What a dict takes of the memory, and what it does when there is none. */
import { Buffer } from 'node:buffer';
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import test from 'ava';
import { SharedDict } from 'shmkit';

import { attached, dictOf, insider } from '../../fixtures/dicts.js';
import type { Any } from '../../fixtures/dicts.js';
import { segmentPath } from '../../fixtures/segments.js';
import { ownDevShm } from '../../fixtures/own-dev-shm.js';
import { run } from '../../fixtures/run.js';
import { Random } from '../../fixtures/random.js';

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
  const script = fileURLToPath(new URL('full.js', import.meta.url));
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

test('a million keys', (t) => {
  const dict = dictOf<number>(t, { maxByteLength: 1 << 30 });
  const reader = attached(t, dict, true);
  const count = 1_000_000;
  for (let i = 0; i < count; i++) dict.set(`key ${i}`, i);
  t.is(reader.size, count);
  for (let i = 0; i < count; i += 3) if (reader.get(`key ${i}`) !== i) t.fail(`key ${i}`);
  t.is(new Set(reader.keys()).size, count);
  t.is(reader.get(`key ${count}`), undefined);
  dict.clear();
  t.is(reader.size, 0);
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
