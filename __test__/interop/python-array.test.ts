/** One array between Node and Python's `SharedArray`, in place: each type, both orders, made by either, parts of it. */
import test from 'ava';
import { attach, SharedArray } from 'shmkit';

import { bits, DTYPES, SAMPLES } from '../fixtures/arrays.js';
import { Numpy } from '../fixtures/numpy.js';
import { freshName } from '../fixtures/segments.js';

/** In front of what Python runs. */
const OPEN = 'import shmkit\nsame = shmkit.SharedArray.attach(target)\na = np.asarray(same)\n';

/** Parts of an array of shape [2, 3], in both languages. */
const PARTS: readonly (readonly [python: string, part: (array: SharedArray) => SharedArray])[] = [
  ['a', (a) => a.slice()],
  ['a.T', (a) => a.T],
  ['a[1]', (a) => a.slice(1)],
  ['a[:, 2]', (a) => a.slice(null, 2)],
  ['a[::-1, ::2]', (a) => a.slice([null, null, -1], [undefined, undefined, 2])],
  ['a.T[1:, ::-1]', (a) => a.T.slice([1], [null, null, -1])],
  ['a[1:1]', (a) => a.slice([1, 1])],
  ['a[-1, -1, ...]', (a) => a.slice(-1, -1)],
];

for (const order of ['C', 'F'] as const) {
  test(`Python has what Node makes in ${order} order, and each part of it by its descriptor`, async (t) => {
    const numpy = new Numpy(t);
    for (const dtype of DTYPES) {
      for (const header of ['npy', 'none'] as const) {
        using a = SharedArray.create([2, 3], { name: freshName(t), dtype, order, header }) as SharedArray;
        for (const [i, value] of SAMPLES[dtype].entries()) a.set(value, Math.floor(i / 3), i % 3);
        for (const [python, part] of PARTS) {
          using ours = part(a);
          const about = `${dtype} ${order} ${header} ${python}`;
          const code = `${OPEN}
b = a
a = np.asarray(shmkit.SharedArray.attach(whole))
expected = ${python}
answer = [same.dtype, list(same.shape), list(same.strides), bits(b), bits(same[...]), b.shape == expected.shape]`;
          const names = { target: ours.toJSON(), whole: a.toJSON() };
          const [type, shape, strides, bytes, indexed, alike] = await numpy.run<
            [string, number[], number[], string, string, boolean]
          >(code, names);
          t.deepEqual(
            [type, shape, bytes, indexed, alike],
            [dtype, [...ours.shape], bits(ours), bits(ours), true],
            about,
          );
          const size = a.data.BYTES_PER_ELEMENT;
          t.deepEqual(
            strides,
            ours.strides.map((stride) => stride * size),
            about,
          );
          // In place: what one writes the other reads.
          if (ours.size === 0) continue;
          await numpy.run(`${OPEN}a[...] = np.roll(a.ravel(), 1).reshape(a.shape)`, names);
          t.is(await numpy.run(`${OPEN}answer = bits(a)`, names), bits(ours), about);
          const first = ours.shape.map(() => 0);
          ours.set(SAMPLES[dtype][1]!, ...first);
          t.is(await numpy.run(`${OPEN}answer = bits(a)`, names), bits(ours), about);
        }
        const byName = header === 'npy' ? 'target' : 'target, shape=(2, 3), dtype=dtype, order=order';
        const names = { target: a.name, dtype, order };
        t.is(
          await numpy.run(`import shmkit\nanswer = bits(shmkit.SharedArray.attach(${byName})[...])`, names),
          bits(a),
        );
      }
    }
  });

  test(`Node and numpy.load have what Python makes in ${order} order`, async (t) => {
    const numpy = new Numpy(t);
    for (const dtype of DTYPES) {
      for (const header of ['npy', 'none'] as const) {
        const name = freshName(t);
        const names = { name, dtype, order, header };
        const make = `import shmkit
same = shmkit.SharedArray.create((2, 3), dtype, order, header, name=name)
same[...] = np.arange(6).reshape(2, 3)
answer = [same.to_json(), bits(same[...]), open('/dev/shm/' + name, 'rb').read().hex()]`;
        const [descriptor, bytes, all] = await numpy.run<[{ kind: string; name: string }, string, string]>(
          make,
          names,
        );
        using a = attach(descriptor) as SharedArray;
        t.deepEqual([a.dtype, a.order, [...a.shape], bits(a)], [dtype, order, [2, 3], bytes]);
        a.set(SAMPLES[dtype][2]!, 1, 0);
        t.is(await numpy.run(`${OPEN}answer = bits(a)`, { target: descriptor }), bits(a));
        if (header === 'none') continue;
        using byName = SharedArray.attach(name);
        t.deepEqual(byName.toJSON(), { ...descriptor });
        t.is(await numpy.run('answer = bits(npy(name))', names), bits(a));
        const saved = `import io; out = io.BytesIO(); np.save(out, np.arange(6).reshape(2, 3).astype(dtype, order=order)); answer = out.getvalue().hex()`;
        t.is(all, await numpy.run<string>(saved, names), 'byte for byte what np.save writes');
      }
    }
  });
}

test('Python attaches to the .npy that numpy writes, of each version', async (t) => {
  const numpy = new Numpy(t);
  for (const version of ['(1, 0)', '(2, 0)', '(3, 0)']) {
    const name = freshName(t);
    const code = `import shmkit
np.lib.format.write_array(open('/dev/shm/' + name, 'wb'), np.arange(6.).reshape(2, 3).T, version=${version})
a = shmkit.SharedArray.attach(name)
a[2, 1] += 0.5
answer = [a.shape, a.dtype, a.strides, npy(name)[2, 1]]`;
    t.deepEqual(await numpy.run(code, { name }), [[3, 2], 'float64', [8, 24], 5.5]);
    using a = SharedArray.attach(name);
    t.is(a.get(2, 1), 5.5);
  }
});

test('a read-only descriptor of Node’s is read-only in Python', async (t) => {
  const numpy = new Numpy(t);
  using a = SharedArray.from(Float32Array.of(1, 2), { name: freshName(t) });
  using reader = SharedArray.attach(a.name, { readOnly: true });
  const code = `${OPEN}answer = [same.read_only, a.flags.writeable, same[1]]\ntry:\n  same[1] = 5\nexcept ValueError as e:\n  answer.append(str(e))`;
  const expected = [true, false, 2, 'assignment destination is read-only'];
  t.deepEqual(await numpy.run(code, { target: reader.toJSON() }), expected);
  t.is(a.get(1), 2);
});
