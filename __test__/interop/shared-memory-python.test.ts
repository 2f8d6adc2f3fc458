/** Every type, both ways, with every CPython on this machine; and numpy over the same bytes. */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { float, ShareableList, SharedMemory } from 'shmkit';
import type { Float, ListItem } from 'shmkit';

import { withEveryPeer, withEveryPython } from '../fixtures/peers/peers.js';
import { Remote } from '../fixtures/peers/peer.js';
import type { RemoteMemory } from '../fixtures/peers/peer.js';
import { PythonPeer, venvPython } from '../fixtures/python.js';
import { freshName } from '../fixtures/segments.js';

/** What is stored, what a list of ours reads then, and its struct format. */
type Case = readonly [stored: ListItem | Float, read: ListItem, format: string];

const plain = (format: string, ...values: ListItem[]): Case[] =>
  values.map((value) => [value, value, format]);

const INTS: Case[] = [
  ...plain(
    'q',
    0,
    1,
    -1,
    255,
    2 ** 31,
    -(2 ** 31) - 1,
    2 ** 32,
    Number.MAX_SAFE_INTEGER,
    Number.MIN_SAFE_INTEGER,
  ),
  ...plain('q', 2n ** 53n, -(2n ** 53n), 2n ** 53n + 1n, -(2n ** 53n) - 1n, 2n ** 62n),
  ...plain('q', 2n ** 63n - 1n, -(2n ** 63n), 2n ** 63n - 2n, -(2n ** 63n) + 1n),
  [7n, 7, 'q'],
];

const FLOATS: Case[] = [
  ...plain('d', 0.1, -273.154, -0, Number.NaN, Infinity, -Infinity, 5e-324, -5e-324, 2.2250738585072014e-308),
  ...plain('d', Number.MAX_VALUE, Number.EPSILON, 2 ** 53, 2 ** 63, 2 ** 64, -(2 ** 63), 1e300),
  [float(2), 2, 'd'],
  [float(0), 0, 'd'],
  [float(-0), -0, 'd'],
];

/** Their text is short enough for the slot that CPython makes of its code points. */
const TEXTS: Case[] = [
  ...plain(
    '8s',
    '',
    'a',
    'howdy',
    '1234567',
    'é',
    'héé',
    '€',
    '名前',
    '😀',
    'a\0b',
    '\0a',
    ' ',
    '\x7f',
    '\ufeffa',
  ),
  ...plain('16s', '12345678', '123456789012345', 'ünïcödé_'),
  ...plain('72s', 'x'.repeat(64)),
];

const BYTES: Case[] = [
  ...plain(
    '8s',
    new Uint8Array(0),
    new Uint8Array([1]),
    new Uint8Array([0, 1, 0, 2]),
    new Uint8Array([0xff, 0xfe]),
  ),
  ...plain('16s', new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]), new Uint8Array(15).fill(0x80)),
  ...plain(
    '256s',
    Uint8Array.from({ length: 255 }, (_, i) => i + 1),
  ),
];

const CASES: Record<string, Case[]> = {
  ints: INTS,
  floats: FLOATS,
  'booleans and None': [...plain('xxxxxxx?', true, false), ...plain('xxxxxx?x', null)],
  texts: TEXTS,
  bytes: BYTES,
};

const stored = (cases: Case[]) => cases.map(([value]) => value);
const read = (cases: Case[]) => cases.map(([, value]) => value);
const format = (cases: Case[]) => cases.map(([, , one]) => one).join('');

/** Items that the cases can be set over: each slot has the room, and none has the type. */
const fillers = (cases: Case[]) => cases.map(([value]) => (value === null ? 7 : `${'#'.repeat(255)}`));

for (const [what, cases] of Object.entries(CASES)) {
  withEveryPeer(`${what} that we store in a new list, a peer reads`, async (t, other) => {
    using list = ShareableList.create(stored(cases), { name: freshName(t) });
    await using theirs = await other.attachList(list.name);
    t.deepEqual(await theirs.toArray(), read(cases));
    t.is(await theirs.format(), format(cases));
    t.is(list.format, format(cases));
  });

  withEveryPeer(`${what} that a peer stores in a new list, we read`, async (t, other) => {
    await using theirs = await other.createList(stored(cases), freshName(t));
    using list = ShareableList.attach(theirs.name);
    t.deepEqual(list.toArray(), read(cases));
    t.is(list.format, format(cases));
    t.is(await theirs.format(), format(cases));
  });

  withEveryPeer(
    `${what} that we set in a list of a peer, it reads, and those it sets in ours, we do`,
    async (t, other) => {
      await using theirs = await other.createList(fillers(cases), freshName(t));
      using attached = ShareableList.attach(theirs.name);
      using list = ShareableList.create(fillers(cases), { name: freshName(t) });
      await using tethered = await other.attachList(list.name);
      for (const [index, value] of stored(cases).entries()) {
        attached.set(index, value);
        // eslint-disable-next-line no-await-in-loop -- one after the other
        await tethered.set(index, value);
      }
      t.deepEqual(await theirs.toArray(), read(cases));
      t.deepEqual(list.toArray(), read(cases));
      t.is(await theirs.format(), attached.format);
      t.is(await tethered.format(), list.format);
      t.is(list.format, attached.format);
      t.deepEqual(list.shm.read(), attached.shm.read(), 'both wrote the same bytes');
    },
  );
}

withEveryPeer('text that fills its slot to the last byte goes both ways', async (t, other) => {
  for (const text of ['12345678', 'éééé', '😀😀', '€€ab']) {
    using list = ShareableList.create(['', ''], { name: freshName(t) });
    await using theirs = await other.attachList(list.name);
    list.set(0, text);
    await theirs.set(1, text);
    t.deepEqual(list.toArray(), [text, text]);
    t.deepEqual(await theirs.toArray(), [text, text]);
    await t.throwsAsync(theirs.set(1, `${text}!`));
    t.throws(() => list.set(0, `${text}!`), { code: 'ERR_SHM_VALUE' });
    t.deepEqual(list.toArray(), [text, text]);
  }
});

withEveryPython('text that CPython would cut, it reads whole from a list of ours', async (t, python) => {
  const texts = ['ééééééé', '😀😀😀', 'Boom 💥 💥 💥', '👩‍👩‍👧‍👦'];
  using list = ShareableList.create(texts, { name: freshName(t) });
  await using theirs = await python.attachList(list.name);
  t.deepEqual(await theirs.toArray(), texts);
  await theirs.set(2, 'Bumm 💥 💥 💥');
  t.is(list.get(2), 'Bumm 💥 💥 💥');
  await using cut = await python.createList(texts, freshName(t));
  using attached = ShareableList.attach(cut.name);
  t.is(attached.get(0), 'éééé', 'a cut between two characters shows in nothing but the text');
  t.throws(() => attached.get(1 + 1), { code: 'ERR_SHM_ENCODING', message: /gh-88336/ });
});

withEveryPython('NULs that CPython drops, we refuse', async (t, python) => {
  await using theirs = await python.createList(['a\0', new Uint8Array([1, 0])], freshName(t));
  t.deepEqual(await theirs.toArray(), ['a', new Uint8Array([1])]);
  using list = ShareableList.attach(theirs.name);
  t.deepEqual(list.toArray(), ['a', new Uint8Array([1])]);
  t.throws(() => list.set(0, 'a\0'), { code: 'ERR_SHM_VALUE' });
});

withEveryPython('an integer beyond 64 bits is refused by both; ours leaves the item', async (t, python) => {
  using list = ShareableList.create([1.5, 'abc'], { name: freshName(t) });
  t.throws(() => list.set(0, 2n ** 63n), { code: 'ERR_SHM_VALUE' });
  t.deepEqual(list.toArray(), [1.5, 'abc']);
  await using theirs = await python.attachList(list.name);
  await t.throwsAsync(theirs.set(0, 2n ** 63n), { message: /^error: / });
  t.deepEqual(list.toArray(), [0, 'abc'], 'CPython leaves an int of 0 behind');
});

withEveryPython('a list of the largest slots goes both ways', async (t, python) => {
  const large = 'x'.repeat(9_999_991);
  await using theirs = await python.createList([large], freshName(t));
  using list = ShareableList.attach(theirs.name);
  t.is(list.format, '9999992s');
  t.is(list.get(0), large);
  list.set(0, `${large}y`);
  t.is(await theirs.get(0), `${large}y`);
});

withEveryPeer('random bytes of a segment are the same on both sides', async (t, other) => {
  const bytes = crypto.getRandomValues(new Uint8Array(50_000));
  using shm = SharedMemory.create(bytes.length, { name: freshName(t) });
  shm.buf.set(bytes);
  await using theirs = await other.attach(shm.name);
  t.deepEqual(new Uint8Array(await theirs.read()), bytes);
  bytes.reverse();
  await theirs.write(bytes);
  t.deepEqual(new Uint8Array(shm.read()), bytes);
});

withEveryPython('a Python that ends leaves the segments that it attached to', async (t, python) => {
  using shm = SharedMemory.create(64, { name: freshName(t) });
  await using theirs = await python.attach(shm.name);
  await theirs.write('here');
  await theirs.close();
  using again = SharedMemory.attach(shm.name);
  t.is(again.buf.toString('latin1', 0, 4), 'here');
});

/** Runs a body with a Python that has numpy. */
async function withNumpy(
  t: ExecutionContext,
  body: (
    python: Remote,
    numpy: (on: RemoteMemory, dtype: string, shape: number[], expression: string) => Promise<unknown>,
  ) => Promise<void>,
): Promise<void> {
  const peer = new PythonPeer(venvPython());
  await body(new Remote(peer), ({ handle }, dtype, shape, expression) =>
    peer.call('numpy', { handle, dtype, shape, expression }),
  );
  t.is(await peer.end(), '');
}

test('numpy works on the bytes of a segment of ours, in place', async (t) => {
  await withNumpy(t, async (python, numpy) => {
    using shm = SharedMemory.create(1000 * 8, { name: freshName(t) });
    const array = new Float64Array(shm.buffer).map((_, i) => i);
    new Float64Array(shm.buffer).set(array);
    await using theirs = await python.attach(shm.name);
    t.is(await numpy(theirs, 'float64', [1000], 'a.sum()'), 499_500);
    t.deepEqual(await numpy(theirs, 'float64', [10, 100], 'a[3, :3]'), [300, 301, 302]);
    await numpy(theirs, 'float64', [1000], 'np.multiply(a, 2, out=a)[:1]');
    t.is(new Float64Array(shm.buffer)[999], 1998);
  });
});

const DTYPES = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

test('typed arrays work on what numpy made, for every type of theirs', async (t) => {
  await withNumpy(t, async (python, numpy) => {
    for (const [dtype, TypedArray] of Object.entries(DTYPES)) {
      const count = 100;
      await using theirs = await python.create(count * TypedArray.BYTES_PER_ELEMENT, freshName(t));
      await numpy(theirs, dtype, [count], 'np.copyto(a, np.arange(a.size).astype(a.dtype))');
      using shm = SharedMemory.attach(theirs.name);
      const array = new TypedArray(shm.buffer);
      t.is(array.length, count, dtype);
      t.true(
        array.every((value, i) => value === i),
        dtype,
      );
      array.reverse();
      t.deepEqual(await numpy(theirs, dtype, [count], 'a[:3]'), [99, 98, 97], dtype);
    }
  });
});

test("64-bit integers are numpy's int64 and uint64", async (t) => {
  await withNumpy(t, async (python, numpy) => {
    using shm = SharedMemory.create(16, { name: freshName(t) });
    new BigInt64Array(shm.buffer).set([-(2n ** 63n), -1n]);
    await using theirs = await python.attach(shm.name);
    t.is(await numpy(theirs, 'int64', [2], '" ".join(map(str, a.tolist()))'), '-9223372036854775808 -1');
    t.is(await numpy(theirs, 'uint64', [2], 'str(a[1])'), String(2n ** 64n - 1n));
  });
});
