/** What CPython's own tests ask of ShareableList, asked of ours: alone, with Node and with every CPython. */
import { inspect } from 'node:util';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import { attach, float, ShareableList } from 'shmkit';
import type { Descriptor, ListItem } from 'shmkit';

import { withEveryPeer } from '../../fixtures/peers/peers.js';
import { exists, freshName, leavesNothing } from '../../fixtures/segments.js';

const bytes = (text: string) => new TextEncoder().encode(text);
const ITEMS: readonly ListItem[] = ['howdy', bytes('HoWdY'), -273.154, 100, null, true, 42];
const FORMAT = '8s8sdqxxxxxx?xxxxxxxx?q';

const OUT_OF_RANGE = { code: 'ERR_OUT_OF_RANGE', instanceOf: RangeError };
const DOES_NOT_FIT = { code: 'ERR_SHM_VALUE', instanceOf: RangeError };
const MISSING = { code: 'ENOENT' };

function listOf(t: ExecutionContext, items: Iterable<ListItem>): ShareableList {
  return ShareableList.create(items, { name: freshName(t) });
}

function throughJson(value: unknown): Descriptor {
  return JSON.parse(JSON.stringify(value)) as Descriptor;
}

test('a list has its items, its length and its format', (t) => {
  using list = listOf(t, ITEMS);
  t.is(list.length, 7);
  t.is(list.format, FORMAT);
  t.is(list.get(0), 'howdy');
  t.is(list.get(-2), true);
  t.deepEqual([...list], ITEMS);
  t.deepEqual(list.toArray(), ITEMS);
  t.is(list.shm.name, list.name);
});

test('a list shows its name and its items', (t) => {
  using list = listOf(t, ITEMS);
  t.is(inspect(list), `ShareableList(${inspect(ITEMS)}, name='${list.name}')`);
});

test('an index outside is refused, to read and to write', (t) => {
  using list = listOf(t, ITEMS);
  for (const index of [7, -8, 2 ** 32, -(2 ** 32), Infinity]) {
    t.throws(() => list.get(index), OUT_OF_RANGE, `get(${index})`);
    t.throws(() => list.set(index, 2), OUT_OF_RANGE, `set(${index})`);
  }
  t.deepEqual(list.toArray(), ITEMS);
});

test('a value of the same type keeps the format', (t) => {
  using list = listOf(t, ITEMS);
  for (const [index, item] of ITEMS.entries()) list.set(index, item);
  t.is(list.format, FORMAT);
  t.deepEqual(list.toArray(), ITEMS);
});

test('an item can change its type, and its format says so', (t) => {
  using list = listOf(t, ITEMS);
  list.set(3, 42);
  t.is(list.get(3), 42);
  list.set(4, 'some');
  t.is(list.get(4), 'some');
  t.is(list.format, '8s8sdq8sxxxxxxx?q');
});

test('every type can follow every other type in a slot', (t) => {
  const values: ListItem[] = ['text', bytes('bytes'), 2.5, 7, 2n ** 62n, null, true, false, ''];
  for (const before of values) {
    using list = listOf(
      t,
      values.map(() => before),
    );
    for (const [index, value] of values.entries()) list.set(index, value);
    t.deepEqual(list.toArray(), values, `after ${inspect(before)}`);
  }
});

test('text and bytes that do not fit are refused, and the item stays', (t) => {
  using list = listOf(t, ITEMS);
  list.set(4, 'some');
  t.throws(() => list.set(4, 'far too many'), { ...DOES_NOT_FIT, message: /12 bytes do not fit/ });
  t.is(list.get(4), 'some');
  list.set(0, 'encodés'); // 8 bytes of UTF-8
  t.is(list.get(0), 'encodés');
  t.deepEqual(list.get(1), bytes('HoWdY'), 'the neighbour is untouched');
  t.throws(() => list.set(0, 'encodées'), DOES_NOT_FIT); // 9 bytes
  t.is(list.get(0), 'encodés');
  t.throws(() => list.set(1, bytes('123456789')), DOES_NOT_FIT);
  t.deepEqual(list.get(1), bytes('HoWdY'));
  list.set(1, bytes('12345678'));
  t.deepEqual(list.get(1), bytes('12345678'));
});

test('indexOf, includes and count find what equals, and -1 or 0 what does not', (t) => {
  using list = listOf(t, ITEMS);
  list.set(3, 42);
  t.is(list.indexOf('100'), -1);
  t.is(list.indexOf(42), 3);
  t.is(list.indexOf(42n), 3);
  t.is(list.indexOf(true), 5);
  t.is(list.indexOf(null), 4);
  t.is(list.count(42), 2);
  t.is(list.count(bytes('HoWdY')), 1);
  t.is(list.count(bytes('adios')), 0);
  t.is(list.count('HoWdY'), 0, 'text is no bytes');
  t.is(list.count(1), 0, 'a boolean is no number');
  t.true(list.includes('howdy'));
  t.false(list.includes('howd'));
});

test('NaN is included and counted nowhere else, as in an Array', (t) => {
  using list = listOf(t, [1, Number.NaN, -0]);
  t.true(list.includes(Number.NaN));
  t.is(list.indexOf(Number.NaN), -1);
  t.is(list.indexOf(0), 2);
  t.is(list.indexOf(-0), 2);
});

test('what no list can hold is in no list', (t) => {
  using list = listOf(t, ITEMS);
  t.is(list.indexOf(2n ** 64n), -1);
  t.is(list.count('\ud800'), 0);
  t.false(list.includes('howdy\0'));
});

test('a list made of a list is a copy', (t) => {
  using list = listOf(t, ITEMS);
  using copy = listOf(t, list);
  t.not(copy.name, list.name);
  t.deepEqual(copy.toArray(), list.toArray());
  t.is(copy.format, list.format);
  copy.set(-1, 77);
  t.is(copy.get(-1), 77);
  t.is(list.get(-1), 42);
});

test('a second handle shows the same items', (t) => {
  using list = listOf(t, ITEMS);
  using tethered = ShareableList.attach(list.name);
  t.is(tethered.name, list.name);
  tethered.set(-1, 880);
  t.is(list.get(-1), 880);
});

test('a list may have no items', (t) => {
  using list = listOf(t, []);
  t.is(list.length, 0);
  t.is(list.format, '');
  t.is(list.count('any'), 0);
  t.is(list.indexOf(null), -1);
  t.deepEqual([...list], []);
  t.throws(() => list.get(0), OUT_OF_RANGE);
  t.throws(() => list.get(-1), OUT_OF_RANGE);
  using other = ShareableList.attach(list.name);
  t.is(other.length, 0);
});

test('any iterable makes a list, text by its characters', (t) => {
  using letters = listOf(t, 'hé😀');
  t.deepEqual(letters.toArray(), ['h', 'é', '😀']);
  using generated = listOf(
    t,
    (function* () {
      yield* [1, 'two'];
    })(),
  );
  t.deepEqual(generated.toArray(), [1, 'two']);
});

test('a descriptor leads to the same list, and is as small for a large one', (t) => {
  using list = listOf(t, new Array<number>(10).fill(7));
  using other = ShareableList.attach(throughJson(list));
  t.not(other, list);
  other.set(4, 'changed');
  t.is(list.get(4), 'changed');
  list.set(3, 'newvalue');
  t.is(other.get(3), 'newvalue');
  using larger = listOf(t, new Array<number>(400).fill(7));
  t.true(JSON.stringify(larger).length <= JSON.stringify(list).length + 4);
});

test('attach() makes a list of the descriptor of a list', (t) => {
  using list = listOf(t, ITEMS);
  using other = attach(throughJson(list));
  t.true(other instanceof ShareableList);
  t.throws(() => ShareableList.attach(throughJson(list.shm)), { code: 'ERR_SHM_KIND' });
});

test('a descriptor of a list that is gone leads nowhere', (t) => {
  const list = listOf(t, ITEMS);
  const descriptor = throughJson(list);
  list.close();
  list.unlink();
  leavesNothing(t, () => t.throws(() => ShareableList.attach(descriptor), MISSING));
  t.false(exists(list.name));
});

test('a slot that is a float stays one when a whole number is set', (t) => {
  using list = listOf(t, [0.5, 1, 2]);
  list.set(0, 3);
  list.set(1, 1.5);
  list.set(2, float(2));
  t.is(list.format, 'ddd');
  t.deepEqual(list.toArray(), [3, 1.5, 2]);
  list.set(0, 3n);
  t.is(list.format, 'qdd', 'a bigint is an int everywhere');
});

test('text and bytes that end in NUL are refused, or stripped on request', (t) => {
  const enders: ListItem[] = ['a\0', '\0', bytes('a\0'), new Uint8Array(8)];
  using list = listOf(t, ['text', bytes('bytes')]);
  using stripping = ShareableList.attach(list.name, { trailingNul: 'strip' });
  for (const ender of enders) {
    t.throws(() => listOf(t, [1, ender]), DOES_NOT_FIT);
    t.throws(() => list.set(0, ender), DOES_NOT_FIT);
  }
  t.deepEqual(list.toArray(), ['text', bytes('bytes')]);
  stripping.set(0, 'a\0b\0');
  stripping.set(1, new Uint8Array(100));
  t.deepEqual(list.toArray(), ['a\0b', new Uint8Array(0)]);
  const options = { name: freshName(t), trailingNul: 'strip' } as const;
  using stripped = ShareableList.create(enders, options);
  t.deepEqual(stripped.toArray(), ['a', '', bytes('a'), new Uint8Array(0)]);
});

withEveryPeer('a peer has our list, and its changes are ours', async (t, other) => {
  using list = listOf(t, ITEMS);
  await using theirs = await other.attachList(list);
  t.is(theirs.size, 7);
  t.is(await theirs.format(), FORMAT);
  t.deepEqual(await theirs.toArray(), [...ITEMS]);
  await theirs.set(3, 42);
  await theirs.set(4, 'some');
  t.is(list.format, '8s8sdq8sxxxxxxx?q');
  t.is(list.get(4), 'some');
  t.is(list.get(3), 42);
  t.is(await theirs.count(42), 2);
  await t.throwsAsync(theirs.set(4, 'far too many'));
  t.is(list.get(4), 'some');
  await t.throwsAsync(theirs.get(7));
});

withEveryPeer('we have the list of a peer, and our changes are theirs', async (t, other) => {
  await using theirs = await other.createList(ITEMS, freshName(t));
  using list = ShareableList.attach(theirs.name);
  t.is(list.length, 7);
  t.is(list.format, FORMAT);
  t.deepEqual(list.toArray(), [...ITEMS]);
  list.set(0, 'encodés');
  list.set(1, null);
  list.set(4, 'some');
  list.set(-1, 880);
  const after = ['encodés', null, -273.154, 100, 'some', true, 880];
  t.deepEqual(await theirs.toArray(), after);
  t.is(await theirs.format(), list.format);
});

withEveryPeer('an empty list is one for a peer too', async (t, other) => {
  using list = listOf(t, []);
  await using ours = await other.attachList(list);
  t.is(ours.size, 0);
  await using theirs = await other.createList([], freshName(t));
  using attached = ShareableList.attach(theirs.name);
  t.is(attached.length, 0);
  t.is(attached.format, await theirs.format());
});

withEveryPeer('a list that is unlinked is gone for a peer', async (t, other) => {
  using list = listOf(t, ITEMS);
  const descriptor = throughJson(list);
  list.unlink();
  await t.throwsAsync(other.attachList(descriptor), MISSING);
});
