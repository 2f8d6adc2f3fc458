/** Txns of a dict: all or nothing, also if a process is killed in one. */
import test from 'ava';
import { lockState, SharedDict, SharedEvent } from 'shmkit';

import { attached, dictOf, insider, user } from '../../fixtures/dicts.js';
import type { Any, AnyTxn } from '../../fixtures/dicts.js';
import { freshName } from '../../fixtures/segments.js';
import { until } from '../../fixtures/wait.js';

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
  await until('the wait has begun', () => lockState(`${dict.name}.lk`).awaited);
  controller.abort(reason);
  t.is(await t.throwsAsync(waiting), reason);
  t.is(await t.throwsAsync(dict.txn(() => 1, { signal: AbortSignal.abort(reason) })), reason);
  const before = performance.now();
  t.throws(() => dict.set('a', 3), { code });
  t.throws(() => dict.set('a', {}), { code });
  t.throws(() => dict.delete('a'), { code });
  t.throws(() => dict.clear(), { code });
  t.throws(() => dict.increment('a'), { code });
  t.true(performance.now() - before > 5 * 19);
  // Readers do not wait.
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

test('a process that is killed in a txn has changed nothing, and blocks no other process', async (t) => {
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
  // A writer that writes every time is kept out at last.
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
