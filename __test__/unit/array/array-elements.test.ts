/** Elements of arrays, and of parts of them. */
import { inspect } from 'node:util';

import test from 'ava';
import {
  array as lists,
  assert,
  constant,
  integer,
  oneof,
  option,
  property,
  record,
  tuple,
} from 'fast-check';
import { attach, SharedArray } from 'shmkit';
import type { SliceRange } from 'shmkit';

import { DTYPES, SAMPLES } from '../../fixtures/arrays.js';
import { exists, freshName } from '../../fixtures/segments.js';
import { counting } from './common.js';

// Parts, against lists of lists.

interface Model {
  readonly shape: number[];
  at(index: readonly number[]): number;
}

/** A range as Python's slice has it, told by trying every index. */
function picked(range: SliceRange | undefined, length: number): number[] {
  const [start, end, step] = Array.isArray(range) ? (range as (number | null | undefined)[]) : [];
  const by = step ?? 1;
  const place = (index: number | null | undefined, fallback: number) => {
    if (index === null || index === undefined) return fallback;
    return index < 0 ? index + length : index;
  };
  const from = place(start, by > 0 ? 0 : length - 1);
  const to = place(end, by > 0 ? length : -1);
  const indexes: number[] = [];
  if (by > 0) {
    for (let i = Math.max(from, 0); i < Math.min(to, length); i += by) indexes.push(i);
  } else {
    for (let i = Math.min(from, length - 1); i > Math.max(to, -1); i += by) indexes.push(i);
  }
  return indexes;
}

function sliceModel(model: Model, ranges: readonly SliceRange[]): Model {
  const picks = model.shape.map((length, axis) => {
    const range = ranges[axis];
    return typeof range === 'number' ? (range < 0 ? range + length : range) : picked(range, length);
  });
  const shape = picks.flatMap((pick) => (Array.isArray(pick) ? [pick.length] : []));
  return {
    shape,
    at(index) {
      let next = 0;
      return model.at(picks.map((pick) => (Array.isArray(pick) ? pick[index[next++]!]! : pick)));
    },
  };
}

function everyIndex(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>(
    (all, length) => all.flatMap((index) => Array.from({ length }, (_, i) => [...index, i])),
    [[]],
  );
}

const bound = option(integer({ min: -9, max: 9 }), { nil: undefined });

const step = option(
  integer({ min: -4, max: 4 }).filter((n) => n !== 0),
  { nil: undefined },
);

const range = oneof(constant(null), integer({ min: -9, max: 9 }), tuple(bound, bound, step), tuple(bound));

type Step = { readonly ranges: SliceRange[] } | 'T' | 'flat';

const steps = lists(
  oneof(
    record({ ranges: lists(range, { maxLength: 3 }) }),
    constant('T' as const),
    constant('flat' as const),
  ),
  { maxLength: 4 },
);

test('get and set in any number of dimensions, from both ends', (t) => {
  for (const shape of [[24], [4, 6], [2, 3, 4], [2, 3, 2, 2], [2, 3, 1, 2, 2]]) {
    const a = counting(t, ...shape);
    for (let i = 0; i < 24; i++) {
      let rest = i;
      const index = shape.toReversed().map((length) => {
        const at = rest % length;
        rest = (rest - at) / length;
        return at;
      });
      index.reverse();
      const fromEnd = index.map((at, axis) => at - shape[axis]!);
      t.is(a.get(...index), i);
      t.is(a.get(...fromEnd), i);
      a.set(i + 0.5, ...fromEnd);
      t.is(a.get(...index), i + 0.5);
    }
    const first = shape.map(() => 0);
    for (const [axis, length] of shape.entries()) {
      for (const bad of [length, -length - 1, 0.5, NaN, Infinity, 2 ** 32, -(2 ** 32)]) {
        const message = new RegExp(`index ${axis} .*from -${length} to ${length - 1}, and is ${bad}`);
        t.throws(() => a.get(...first.with(axis, bad)), { instanceOf: RangeError, message }, `${bad}`);
        t.throws(() => a.set(1, ...first.with(axis, bad)), { code: 'ERR_OUT_OF_RANGE', message });
      }
      for (const bad of ['0', null, true, 0n])
        t.throws(() => a.get(...first.with(axis, bad as unknown as number)), {
          code: 'ERR_INVALID_ARG_TYPE',
        });
    }
    const count = (n: number) =>
      new RegExp(`${n} index(es)? do(es)? not lead to an element of shape \\[${shape.join(', ')}\\]`);
    t.throws(() => a.get(...first, 0), { code: 'ERR_OUT_OF_RANGE', message: count(shape.length + 1) });
    t.throws(() => a.get(...first.slice(1)), { code: 'ERR_OUT_OF_RANGE', message: count(shape.length - 1) });
    t.throws(() => a.set(1, ...first, 0), { code: 'ERR_OUT_OF_RANGE', message: count(shape.length + 1) });
    t.throws(() => a.set(1, ...first.slice(1)), {
      code: 'ERR_OUT_OF_RANGE',
      message: count(shape.length - 1),
    });
  }
});

test('every type gives back its elements, and refuses what it does not have', (t) => {
  for (const dtype of DTYPES) {
    using a = SharedArray.create(1, { dtype, name: freshName(t) }) as SharedArray;
    for (const value of SAMPLES[dtype]) {
      a.set(value, 0);
      t.is(a.get(0), value, dtype);
      if (!Number.isNaN(value)) {
        a.fill(typeof value === 'bigint' ? 0n : 0).fill(value);
        t.is(a.get(0), value, dtype);
      }
    }
    const before = a.get(0);
    const wrong = typeof before === 'bigint' ? [1, '1', null] : [1n, '1', null, undefined, true];
    for (const value of wrong) {
      for (const act of [
        () => a.set(value as number, 0),
        () => a.fill(value as number),
        () => a.add(value as number),
        () => a.scale(value as number),
      ])
        t.throws(act, { code: 'ERR_INVALID_ARG_TYPE' }, `${dtype} ${value}`);
    }
    if (!dtype.startsWith('float') && dtype !== 'bool') {
      const [most] = SAMPLES[dtype].toSorted((x, y) => (x < y ? 1 : -1));
      const above = typeof most === 'bigint' ? most + 1n : most! + 1;
      for (const act of [() => a.set(above, 0), () => a.fill(above), () => a.add(above)])
        t.throws(act, { code: 'ERR_OUT_OF_RANGE', message: new RegExp(`${above}`) }, dtype);
      if (typeof before === 'number') {
        t.throws(() => a.set(1.5, 0), { code: 'ERR_SHM_VALUE', message: /1\.5.*no integer/ });
        t.throws(() => a.fill(1.5), { code: 'ERR_SHM_VALUE', message: /1\.5.*no integer/ });
      }
    }
    t.is(a.get(0), before);
  }
});

test('a float16 is the nearest one, as numpy rounds', (t) => {
  using a = SharedArray.create(1, { dtype: 'float16', name: freshName(t) });
  for (const [value, nearest] of [
    [65519.99, 65504],
    [65520, Infinity],
    [-1e10, -Infinity],
    [2049, 2048],
    [2051, 2052],
    [1 + 2 ** -11, 1],
    [1 + 2 ** -11 + 2 ** -40, 1 + 2 ** -10],
    [2 ** -25, 0],
    [2 ** -25 * 1.0000001, 2 ** -24],
    [2 ** -14 - 2 ** -26, 2 ** -14],
    [0.1, 0.0999755859375],
    [1e-320, 0],
    [-1e-320, -0],
  ] as const) {
    a.set(value, 0);
    t.is(a.get(0), nearest, `set ${value}`);
    a.fill(1).fill(value);
    t.is(a.get(0), nearest, `fill ${value}`);
  }
});

test('parts of parts have the elements that lists of lists have', (t) => {
  const a = counting(t, 3, 5, 4);
  const whole: Model = { shape: [3, 5, 4], at: ([i, j, k]) => i! * 20 + j! * 4 + k! };
  const apply = (view: SharedArray<'float64'>, model: Model, one: Step): [typeof view, Model] => {
    if (one === 'T')
      return [view.T, { shape: model.shape.toReversed(), at: (index) => model.at(index.toReversed()) }];
    if (one === 'flat') {
      if (view.order !== 'C') {
        t.throws(() => view.reshape([-1]), { code: 'ERR_OUT_OF_RANGE' });
        return [view, model];
      }
      const all = everyIndex(model.shape);
      if (all.length === 0) return [view, model];
      return [view.reshape([-1]), { shape: [all.length], at: ([i]) => model.at(all[i!]!) }];
    }
    const ranges = one.ranges.slice(0, view.ndim);
    const outside = ranges.some(
      (r, axis) => typeof r === 'number' && !(r >= -view.shape[axis]! && r < view.shape[axis]!),
    );
    if (outside) {
      t.throws(() => view.slice(...ranges), { code: 'ERR_OUT_OF_RANGE' });
      return [view, model];
    }
    return [view.slice(...ranges), sliceModel(model, ranges)];
  };
  assert(
    property(steps, (all) => {
      let [view, model]: [SharedArray<'float64'>, Model] = [a, whole];
      for (const one of all) [view, model] = apply(view, model, one as Step);
      const values = everyIndex(model.shape).map((index) => model.at(index));
      t.deepEqual(view.shape, model.shape);
      t.deepEqual(
        everyIndex(view.shape).map((index) => view.get(...index)),
        values,
      );
      t.deepEqual([...view.toTypedArray()], values);
      t.is(
        view.sum(),
        values.reduce((sum, value) => sum + value, 0),
      );
      using again = attach(structuredClone(view.toJSON())) as SharedArray;
      t.deepEqual([...again.toTypedArray()], values);
      if (values.length > 0) {
        t.is(values[view.argmax()], view.max());
        t.is(view.min(), Math.min(...values));
      }
    }),
    { numRuns: 500 },
  );
});

test('elements are those of a part alone, in place', (t) => {
  const a = counting(t, 3, 5, 4);
  for (const part of [
    a,
    a.T,
    a.slice([1]),
    a.slice(2),
    a.slice(1, [2, 4]),
    a.slice(0, 0, 3),
    a.slice([3, 3]),
  ]) {
    const { elements } = part;
    t.is(part.elements, elements);
    t.deepEqual([...elements], [...(part.order === 'C' ? part : part.T).toTypedArray()]);
    elements.fill(-1);
    t.is(part.size === 0 || part.max(), part.size === 0 || -1);
    for (let i = 0; i < 60; i++) a.data[i] = i;
  }
  for (const part of [a.slice([undefined, undefined, 2]), a.slice(null, [1, 3]), a.slice([2, 0, -1])]) {
    t.throws(() => part.elements, { code: 'ERR_OUT_OF_RANGE', message: /one after the other.*toTypedArray/ });
  }
});

test('ranges and shapes that there are not are refused', (t) => {
  const a = counting(t, 2, 3);
  const refused = (run: () => unknown, code: string, message: RegExp) => t.throws(run, { code, message });
  refused(() => a.slice(2), 'ERR_OUT_OF_RANGE', /index 0 .*-2 to 1, and is 2/);
  refused(() => a.slice(null, -4), 'ERR_OUT_OF_RANGE', /index 1 .*-3 to 2, and is -4/);
  refused(() => a.slice(null, null, null), 'ERR_OUT_OF_RANGE', /3 ranges .*\[2, 3\]/);
  refused(() => a.slice([0, 1, 0]), 'ERR_OUT_OF_RANGE', /step of range 0 .* 0/);
  refused(() => a.slice([0.5]), 'ERR_OUT_OF_RANGE', /start of range 0 .*0\.5/);
  refused(() => a.slice(['0' as unknown as number]), 'ERR_INVALID_ARG_TYPE', /start of range 0/);
  refused(() => a.slice(':' as unknown as number), 'ERR_INVALID_ARG_TYPE', /range 0 .*":"/);
  refused(() => a.slice([0, 1, 1, 1] as unknown as number), 'ERR_OUT_OF_RANGE', /range 0 .*4 values/);
  refused(() => a.reshape([4]), 'ERR_OUT_OF_RANGE', /6 elements of shape \[2, 3\] .*\[4\], which has 4/);
  refused(() => a.reshape([4, -1]), 'ERR_OUT_OF_RANGE', /\[4, -1\], which has a multiple of 4/);
  refused(() => a.reshape([0, -1]), 'ERR_OUT_OF_RANGE', /\[0, -1\]/);
  refused(() => a.reshape([-1, -1]), 'ERR_OUT_OF_RANGE', /shape\[1\] .*-1/);
  refused(() => a.T.reshape([6]), 'ERR_OUT_OF_RANGE', /\[3, 2\] with strides \[1, 3\] .*toTypedArray/);
  t.deepEqual(a.reshape([3, -1]).shape, [3, 2]);
  t.deepEqual(a.reshape(6).shape, [6]);
  t.deepEqual(a.reshape([1, 6, 1]).T.reshape([2, 3]).toArray(), a.toArray());
});

test('copyFrom takes the same type and as many elements, also from itself', (t) => {
  const a = counting(t, 2, 3);
  a.slice(0).copyFrom(a.slice(1));
  t.deepEqual(a.toArray(), [
    [3, 4, 5],
    [3, 4, 5],
  ]);
  const line = counting(t, 6);
  line.slice([1]).copyFrom(line.slice([0, -1]));
  t.deepEqual(line.toArray(), [0, 0, 1, 2, 3, 4]);
  line.copyFrom(line.slice([null, null, -1]));
  t.deepEqual(line.toArray(), [4, 3, 2, 1, 0, 0]);
  using twice = SharedArray.attach(line.name);
  line.slice([0, 5]).copyFrom(twice.slice([1]) as SharedArray<'float64'>);
  t.deepEqual(line.toArray(), [3, 2, 1, 0, 0, 0], 'one segment by two handles overlaps, too');
  a.copyFrom(new Float64Array(new Float64Array(8).fill(7).buffer, 16));
  t.is(a.sum(), 42);
  const refused = (source: unknown, code: string, message: RegExp) =>
    t.throws(() => a.copyFrom(source as Float64Array), { code, message });
  refused(new Float64Array(5), 'ERR_OUT_OF_RANGE', /5 elements .*\[2, 3\], of 6/);
  refused(a.T, 'ERR_OUT_OF_RANGE', /\[2, 3\], and the other array's \[3, 2\]/);
  refused(new Float32Array(6), 'ERR_INVALID_ARG_TYPE', /Float64Array \(float64\).*Float32Array/);
  refused([1, 2, 3, 4, 5, 6], 'ERR_INVALID_ARG_TYPE', /Float64Array/);
  using other = SharedArray.create([2, 3], { dtype: 'int8', name: freshName(t) });
  refused(other, 'ERR_INVALID_ARG_VALUE', /float64.*int8/);
  t.throws(() => a.add(other as never), { code: 'ERR_INVALID_ARG_VALUE' });
  t.throws(() => a.dot(a), { code: 'ERR_OUT_OF_RANGE', message: /\[2, 3\]/ });
  t.throws(() => a.dot([1] as never), { code: 'ERR_INVALID_ARG_TYPE' });
  t.is(a.sum(), 42);
});

test('sums of 64-bit integers are exact, beyond 64 bits too', (t) => {
  using most = SharedArray.create(1000, { dtype: 'uint64', name: freshName(t) });
  most.fill(2n ** 64n - 1n);
  t.is(most.sum(), 1000n * (2n ** 64n - 1n));
  using least = SharedArray.from([-(2n ** 63n), -(2n ** 63n), -1n], { dtype: 'int64', name: freshName(t) });
  t.is(least.sum(), -(2n ** 64n) - 1n);
  t.throws(() => least.dot(least), { code: 'ERR_OUT_OF_RANGE', message: /128 bits/ });
  const halves = least.slice([1]);
  t.is(halves.dot(halves), 2n ** 126n + 1n);
});

test('closing a view leaves the array, and closing the array detaches its views', (t) => {
  const a = counting(t, 4, 3);
  const part = a.slice([1]);
  const deeper = part.T;
  const { data } = part;
  part.close();
  part.close();
  t.true(part.closed);
  const closed = { code: 'ERR_SHM_CLOSED', message: new RegExp(a.name) };
  for (const act of [
    () => part.get(0, 0),
    () => part.set(1, 0, 0),
    () => part.sum(),
    () => part.fill(0),
    () => part.slice(),
    () => part.T,
    () => part.reshape([-1]),
    () => part.data,
    () => part.elements,
    () => part.toArray(),
    () => a.copyFrom(part),
    () => a.add(part),
  ]) {
    t.throws(act, closed);
  }
  t.false(a.closed || deeper.closed);
  t.is(deeper.get(0, 0), 3);
  t.is(data[3], 3);
  a.close();
  t.true(deeper.closed && a.shm.closed);
  t.is(data.length, 0);
  for (const array of [a, deeper]) {
    for (const act of [
      () => array.get(0, 0),
      () => array.set(1, 0, 0),
      () => array.max(),
      () => array.scale(2),
      () => array.data,
      () => array.elements,
      () => array.T,
      () => array.toTypedArray(),
    ]) {
      t.throws(act, closed);
    }
  }
  t.regex(inspect(a), /^SharedArray\('.*', shape \[4, 3\], float64, closed\)$/);
  a.unlink();
  t.false(exists(a.name));
});
