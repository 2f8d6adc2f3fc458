/** Handles of a dict: attaching, closing, owning, other processes and threads. */
import { Buffer } from 'node:buffer';
import { statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect, isDeepStrictEqual } from 'node:util';
import { Worker } from 'node:worker_threads';

import test from 'ava';
import {
  attach,
  collectGarbage,
  ShareableList,
  SharedDict,
  SharedEvent,
  SharedMemory,
  SharedMutex,
} from 'shmkit';

import { attached, dictOf, insider, user } from '../../fixtures/dicts.js';
import type { Any, AnyTxn } from '../../fixtures/dicts.js';
import { deepEqual } from '../../fixtures/equal.js';
import { Program } from '../../fixtures/program.js';
import { exists, freshName, segmentPath } from '../../fixtures/segments.js';
import { Random } from '../../fixtures/random.js';
import { until } from '../../fixtures/wait.js';

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
  const large = 'x'.repeat(1 << 20);
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
    deepEqual(t, reads.get('key'), value);
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
  t.throws(() => SharedDict.createOrAttach(dict.name, { name: 'other' } as never), {
    code: 'ERR_INVALID_ARG_TYPE',
    message: /name/,
  });
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
  let collected = 0;
  const registry = new FinalizationRegistry(() => collected++);
  (() => {
    for (let i = 0; i < 30; i++) {
      const closed = SharedDict.createOrAttach(name);
      registry.register(closed, i);
      closed.close();
    }
  })();
  const dict = dictOf<Any>(t);
  dict.set('a', { b: 1 });
  await until('the handles are collected', () => {
    collectGarbage();
    (globalThis as { gc?: () => void }).gc?.();
    return collected >= 29; // the last one may still be on the stack
  });
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
  await until('the tracker unlinks both', () => !exists(name) && !exists(`${name}.lk`));
  t.is(mine.get('n'), 3);
  t.is(mine.increment('n'), 4);

  const other = freshName(t);
  const third = Program.node(t, `shmkit.SharedMemory.create(8, { name: '${other}' }); ${code}`);
  t.is(await third.says(), 'made');
  using adopted = SharedDict.attach<number>(name);
  adopted.adopt();
  await third.kill();
  await until('the tracker unlinks what the third owned alone', () => !exists(other));
  collectGarbage();
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

test('what a handle remembers is what there is, whoever writes', (t) => {
  using dict = SharedDict.create<unknown>({ name: freshName(t) });
  using other = SharedDict.attach<unknown>(dict.name);
  using few = SharedDict.attach<unknown>(dict.name, { cacheSize: 3 });
  using none = SharedDict.attach<unknown>(dict.name, { cacheSize: 0 });
  t.teardown(() => dict.unlink());
  const random = new Random(7);
  const keys = Array.from({ length: 60 }, (_, i) => `${['key', 'schlüssel', 'k'.repeat(70)][i % 3]} ${i}`);
  const values = (n: number): unknown[] => [
    n,
    `text ${n}`,
    n / 3,
    BigInt(n),
    true,
    null,
    '日本',
    { n },
    { list: [n, { deep: [n] }], n, [`own ${n}`]: { n, deep: {} } },
    { part: { n, more: [n] }, [`own ${n}`]: n },
    { n, when: new Date(n), bytes: Buffer.from([n & 255]) },
    [n, [{ n }, { n: -n }]],
    Array.from({ length: 40 }, () => ({ n })),
    new Map([[n, { n }]]),
    { n, text: '\ud800' },
    'x'.repeat(5000 + n),
    `t${n}`,
  ];
  // Whoever gets an object may do with it what he likes.
  const spoil = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return;
    for (const part of Object.values(value)) spoil(part);
    Object.assign(value, { n: 'spoilt', list: undefined });
  };
  const expected = new Map<string, unknown>();
  for (let step = 0; step < 60_000; step++) {
    const key = random.pick(keys);
    const writer = random.below(2) === 0 ? dict : other;
    const deed = random.below(1000);
    if (deed < 60) {
      const value = random.pick(values(step));
      writer.set(key, value);
      expected.set(key, value);
    } else if (deed < 65) {
      writer.delete(key);
      expected.delete(key);
    } else if (deed === 65) {
      writer.clear();
      expected.clear();
    } else if (deed === 66) {
      // The table is another one after that.
      const many = Array.from({ length: 200 }, (_, i) => [`${step} ${i}`, i] as [string, number]);
      writer.assign(many);
      writer.txnSync((txn) => many.forEach(([name]) => txn.delete(name)));
    } else {
      for (const handle of [dict, other, few, none]) {
        const value = handle.get(key);
        const wanted = expected.get(key);
        if (value !== wanted && !isDeepStrictEqual(value, wanted)) {
          t.fail(`${key} is ${inspect(value)} at ${step}`);
        }
        spoil(value);
        if (handle.has(key) !== expected.has(key)) t.fail(`has ${key} at ${step}`);
      }
    }
  }
  t.pass();
});

test('a handle that has met too many keys goes on with others', (t) => {
  using dict = SharedDict.create<number | string>({ name: freshName(t) });
  t.teardown(() => dict.unlink());
  const count = 25_000;
  dict.assign(Array.from({ length: count }, (_, i) => [`key ${i}`, i] as [string, number]));
  for (let round = 0; round < 6; round++) {
    const first = (round * 5000) % count;
    for (let i = first; i < first + count; i++) {
      const at = i % count;
      if (dict.get(`key ${at}`) !== at + (at % 3 === 0 ? round : 0)) t.fail(`key ${at}`);
    }
    for (let i = 0; i < count; i += 3) dict.set(`key ${i}`, i + round + 1);
  }
  t.pass();
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
        { eval: true, execArgv: [], workerData: dict.toJSON() },
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
      { eval: true, execArgv: [], workerData: dict.toJSON() },
    );
    await new Promise((resolve) => worker.once('message', resolve));
    const anyMoment = 10;
    await sleep(anyMoment);
    await worker.terminate();
    const x = dict.txnSync((txn) => txn.get('x') as number);
    for (let key = 0; key < 50; key++)
      if (dict.get(`x${key}`) !== x) t.fail(`${key}: ${dict.get(`x${key}`)}, and not ${x}`);
  }
});
