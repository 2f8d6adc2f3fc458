/** `txn.view()`: values in place, for as long as the body runs. */
import { Buffer } from 'node:buffer';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import { SharedDict } from 'shmkit';

import { freshName } from '../../fixtures/segments.js';

function setUp(t: ExecutionContext): SharedDict {
  const dict = SharedDict.create({ name: freshName(t) });
  t.teardown(() => {
    dict.close();
    dict.unlink();
  });
  return dict;
}

/** What a body leaves behind, which Plain<T> would not let it return. */
function during<T>(
  dict: SharedDict,
  look: (view: (key: string) => NodeJS.TypedArray | undefined) => T,
  readOnly: boolean,
): T {
  let result!: T;
  dict.txnSync((txn) => void (result = look((key) => txn.view(key))), { readOnly });
  return result;
}

for (const readOnly of [false, true]) {
  const what = readOnly ? 'a txn that reads' : 'a txn';
  test(`${what} sees bytes and arrays of every kind in place`, (t) => {
    const dict = setUp(t);
    const values = [
      Buffer.from('abc'),
      new Int8Array([-1, 2]),
      new BigUint64Array([2n ** 63n]),
      new Float64Array(100_000).map((_, i) => Math.sin(i)),
      new Float32Array([1.5]),
      new Uint8Array(0),
    ];
    values.forEach((value, i) => dict.set('k'.repeat(i + 1), value));
    during(
      dict,
      (view) => {
        values.forEach((value, i) => {
          const seen = view('k'.repeat(i + 1))!;
          t.true(
            Buffer.from(seen.buffer, seen.byteOffset, seen.byteLength).equals(
              Buffer.from(value.buffer, value.byteOffset, value.byteLength),
            ),
          );
          if (value.constructor !== Uint8Array) t.is(seen.constructor, value.constructor);
        });
        t.is(view('none'), undefined);
      },
      readOnly,
    );
  });

  test(`${what}: a view ends with the body, also with one that throws`, (t) => {
    const dict = setUp(t);
    dict.set('key', new Float64Array([1, 2, 3]));
    const view = during(dict, (look) => look('key')!, readOnly);
    t.is(view.length, 0);
    let kept: NodeJS.TypedArray | undefined;
    t.throws(
      () =>
        dict.txnSync(
          (txn) => {
            kept = txn.view('key');
            throw new Error('no');
          },
          { readOnly },
        ),
      { message: 'no' },
    );
    t.is(kept!.length, 0);
    t.is(
      dict.txnSync((txn) => txn.view('key')!.length, { readOnly }),
      3,
    );
  });

  test(`${what}: what is written to a view reaches nobody, not even the next view`, (t) => {
    const dict = setUp(t);
    using other = SharedDict.attach(dict.name);
    dict.set('key', new Int32Array([1, 2, 3]));
    during(
      dict,
      (view) => {
        view('key')![1] = 99;
        t.deepEqual(other.get('key'), new Int32Array([1, 2, 3]));
      },
      readOnly,
    );
    t.deepEqual(dict.get('key'), new Int32Array([1, 2, 3]));
    t.is(
      during(dict, (view) => view('key')![1], readOnly),
      2,
    );
    // In the same page, which would stay as the first one left it.
    dict.set('other', new Int32Array([7]));
    t.is(
      during(dict, (view) => view('other')![0], readOnly),
      7,
    );
    dict.set('key', new Int32Array([4, 5, 6]));
    t.is(
      during(dict, (view) => view('key')![1], readOnly),
      5,
    );
  });

  test(`${what}: values that are no bytes are refused`, (t) => {
    const dict = setUp(t);
    dict.assign({ number: 1, text: 'abc', none: null, object: { a: 1 }, map: new Map() });
    for (const key of ['number', 'text', 'none', 'object', 'map']) {
      t.throws(() => during(dict, (view) => view(key), readOnly), { code: 'ERR_SHM_VALUE' }, key);
    }
  });

  test(`${what}: close() in the body`, (t) => {
    const dict = setUp(t);
    const handle = SharedDict.attach(dict.name);
    dict.set('key', new Float64Array([1, 2, 3]));
    let view: NodeJS.TypedArray | undefined;
    t.throws(
      () =>
        handle.txnSync(
          (txn) => {
            view = txn.view('key');
            handle.close();
            t.is(view!.length === 0 || view![0] === 0 || view![0] === 1, true); // memory still, whatever is in it
          },
          { readOnly },
        ),
      { code: 'ERR_SHM_CLOSED' },
    );
    t.is(view!.length, 0);
    dict.set('key', 1);
  });
}

test('what the txn itself has set is a copy', (t) => {
  const dict = setUp(t);
  dict.set('key', new Int32Array([1]));
  dict.txnSync((txn) => {
    t.is(txn.view('key')![0], 1);
    txn.set('key', new Int32Array([2]));
    t.is(txn.view('key')![0], 2);
    txn.delete('key');
    t.is(txn.view('key'), undefined);
    txn.set('key', 5);
    t.throws(() => txn.view('key'), { code: 'ERR_SHM_VALUE' });
  });
});

test('a read-only handle gets a copy', (t) => {
  const dict = setUp(t);
  using reader = SharedDict.attach(dict.name, { readOnly: true });
  dict.set('key', new Int32Array([1, 2]));
  const view = during(reader, (look) => look('key')!, true);
  t.deepEqual(view, new Int32Array([1, 2]));
});

test('a read-only txn that looks at a value in place keeps writers out meanwhile', async (t) => {
  const dict = setUp(t);
  dict.set('key', new Int32Array([1]));
  let runs = 0;
  dict.txnSync(
    (txn) => {
      runs++;
      txn.view('key');
      t.throws(() => dict.set('key', 1), { code: 'ERR_SHM_DEADLOCK' });
    },
    { readOnly: true },
  );
  t.is(runs, 2); // once beside those who write, which a view ends
  const seen = await dict.txn((txn) => txn.view('key')![0], { readOnly: true });
  t.is(seen, 1);
});

test('a dict that grew since the first view', (t) => {
  const dict = setUp(t);
  dict.set('small', new Uint8Array([1]));
  t.is(
    during(dict, (view) => view('small')![0], false),
    1,
  );
  const large = new Uint8Array(8 << 20).fill(7);
  dict.set('large', large);
  const first = during(dict, (view) => (view('large') as Uint8Array).every((byte) => byte === 7), false);
  t.true(first);
});
