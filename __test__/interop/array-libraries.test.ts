/** Other libraries on the elements of an array, in place: the recipes of docs/arrays.md. */
import { makeVector } from 'apache-arrow';
import test from 'ava';
import ndarray from 'ndarray';
import { Tensor } from 'onnxruntime-common';
import { SharedArray } from 'shmkit';

import { freshName } from '../fixtures/segments.js';

test("an ndarray of scijs' has the same elements, also of a part", (t) => {
  using a = SharedArray.create([4, 6], { name: freshName(t) });
  const part = a.T.slice([null, null, -2], [1]);
  const view = ndarray(part.data, [...part.shape], [...part.strides], part.offset);
  view.set(2, 1, 7);
  t.is(part.get(2, 1), 7);
  part.set(8, 0, 0);
  t.is(view.get(0, 0), 8);
  t.is(view.data, a.data, 'no copy');
});

test('a vector of apache-arrow has the same elements', (t) => {
  using a = SharedArray.create(5, { name: freshName(t), dtype: 'float32' });
  const vector = makeVector(a.elements);
  a.set(1.5, 4);
  t.is(vector.get(4), 1.5);
  t.is(vector.data[0]!.values.buffer, a.shm.buffer, 'no copy');
});

test('a tensor of onnxruntime has the same elements', (t) => {
  using a = SharedArray.create([2, 3], { name: freshName(t), dtype: 'float32' });
  const tensor = new Tensor('float32', a.elements, a.shape);
  a.set(2.5, 1, 2);
  t.is(tensor.data[5], 2.5);
  t.deepEqual(tensor.dims, [2, 3]);
  (tensor.data as Float32Array)[0] = 4;
  t.is(a.get(0, 0), 4, 'no copy');
});
