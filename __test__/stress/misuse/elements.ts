/** Misuses of lists and arrays. */
import assert from 'node:assert/strict';
import fs from 'node:fs';

import { attach, float, ShareableList, SharedArray } from 'shmkit';

import { random, wrong, refused, either, array, ITEMS, list, file } from './tools.js';
import type { Misuses } from './tools.js';

export const elements: Misuses = {
  'random bytes as a list': () =>
    file(
      (path) =>
        fs.writeFileSync(
          path,
          Buffer.from(Array.from({ length: random.below(400) + 1 }, () => random.below(256))),
        ),
      (name) => either(() => ShareableList.attach(name).close()),
    ),
  'a list shorter than its header says': () =>
    file(
      (path) =>
        fs.writeFileSync(path, Buffer.concat([Buffer.from([9, 0, 0, 0, 0, 0, 0, 0]), Buffer.alloc(90)])),
      (name) => either(() => ShareableList.attach(name).close()),
    ),
  'indexes at both ends and beyond': () =>
    list((items) => {
      for (const index of [items.length, -items.length - 1, NaN, 0.5, Infinity, 2 ** 40]) {
        refused(() => items.get(index), 'ERR_OUT_OF_RANGE');
        refused(() => items.set(index, 1), 'ERR_OUT_OF_RANGE');
      }
      for (const index of ['0', null, undefined, {}, 1n]) {
        refused(() => items.get(wrong(index)), 'ERR_INVALID_ARG_TYPE', 'ERR_OUT_OF_RANGE');
      }
      either(() => items.get(-1));
    }),
  'values that a list does not take': () =>
    list((items) => {
      for (const value of [
        2n ** 63n,
        -(2n ** 63n) - 1n,
        'x'.repeat(1000),
        '\ud800',
        'nul\0',
        new Uint8Array(500),
      ]) {
        refused(() => items.set(0, value), 'ERR_SHM_VALUE');
      }
      for (const value of [undefined, {}, [], Symbol('x'), () => 1, new Float32Array(1), { value: 1 }]) {
        refused(() => items.set(0, wrong(value)), 'ERR_INVALID_ARG_TYPE');
        refused(() => ShareableList.create([wrong(value)]), 'ERR_INVALID_ARG_TYPE');
        refused(() => items.indexOf(wrong(value)), 'ERR_INVALID_ARG_TYPE');
      }
      refused(() => ShareableList.create([1, '\ud800']), 'ERR_SHM_VALUE');
      refused(() => ShareableList.create(wrong(5)), 'ERR_INVALID_ARG_TYPE');
      refused(() => float(wrong('5')), 'ERR_INVALID_ARG_TYPE');
    }),
  'a list that another process changes': () =>
    list((items) => {
      for (let i = 0; i < 30; i++) {
        const at = random.below(items.length);
        either(() => items.set(at, random.pick(ITEMS)));
        either(() => items.get(at));
      }
      either(() => items.toArray());
      either(() => items.format);
      either(() => items.indexOf(random.pick(ITEMS)));
      either(() => items.count('abc'));
      either(() => ShareableList.attach(items.name).close());
    }),
  'an array that another process changes, and parts of it': () =>
    array((a) => {
      const any = () =>
        random.pick<number | null | (number | null)[]>([null, 0, -1, 3, [1], [null, null, -1], [-2, 9, 2]]);
      let view = a;
      for (let i = 0; i < 30; i++) {
        const value = random.pick<number | bigint>([0, 1, -1.5, NaN, 300, 2n ** 63n, 7n]);
        const index = Array.from({ length: random.below(5) }, () => random.below(8) - 4);
        either(() => view.set(value, ...index));
        either(() => view.get(...index));
        either(
          () =>
            (view = random
              .pick([a, view])
              .slice(...Array.from({ length: random.below(4) }, () => wrong<null>(any())))),
        );
        either(() => (view = random.pick([view, view.T, view.reshape([-1])])));
        either(() => random.pick([() => view.fill(value), () => view.scale(value), () => view.add(value)])());
        either(() => view.copyFrom(random.pick([a, view, a.T])));
        either(() => view.add(random.pick([a, view, a.T])));
        for (const kernel of ['sum', 'mean', 'min', 'max', 'argmin', 'argmax', 'toArray'] as const)
          either(() => view[kernel]());
        either(() => view.dot(view));
        either(() => attach(view.toJSON()).close());
      }
      either(() => SharedArray.attach(a.name).close());
      either(() => SharedArray.attach(a.name, { dtype: a.dtype, shape: a.shape, header: 'none' }).close());
      either(() => a.toString() + JSON.stringify(a));
    }),
  'descriptors of arrays with one thing wrong': () =>
    array((a) => {
      const odd = random.pick<unknown>([
        -1,
        0,
        1,
        2 ** 31,
        2 ** 53,
        NaN,
        1.5,
        '1',
        null,
        [],
        [1e15],
        [-1, 1, 2],
        undefined,
      ]);
      const key = random.pick(['shape', 'strides', 'offset', 'byteOffset', 'dtype', 'name', 'id', 'kind']);
      either(() => {
        using b = attach({ ...a.toJSON(), [key]: odd });
        assert(b instanceof SharedArray);
        b.sum();
        b.toTypedArray();
      });
    }),
  'arrays and views after close': () =>
    array((a) => {
      const view = a.T;
      const { data } = a;
      random.pick([a, a.shm]).close();
      view.close();
      assert.equal(data.length, 0);
      for (const one of [a, view]) {
        for (const use of [
          () => one.data,
          () => one.sum(),
          () => one.fill(1),
          () => one.T,
          () => one.slice(),
          () => one.toArray(),
          () => one.copyFrom(a),
        ]) {
          refused(use, 'ERR_SHM_CLOSED', 'ERR_INVALID_ARG_TYPE');
        }
        refused(() => one.get(...one.shape.map(() => 0)));
      }
    }),
};
