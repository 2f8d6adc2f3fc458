/** Arrays that numpy and we have open at once: every type, both orders, both makers, parts and the transposed. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import { attach, segments, SharedArray } from 'shmkit';
import type { DType, ElementOf } from 'shmkit';

import { arrayOf, bits, DTYPES, SAMPLES } from '../fixtures/arrays.js';
import { Numpy } from '../fixtures/numpy.js';
import { freshName } from '../fixtures/segments.js';

/** Parts of an array of shape [2, 3], in both languages. */
const VIEWS: readonly (readonly [python: string, view: (array: SharedArray) => SharedArray])[] = [
  ['a', (a) => a.slice()],
  ['a.T', (a) => a.T],
  ['a[1]', (a) => a.slice(1)],
  ['a[:, 2]', (a) => a.slice(null, 2)],
  ['a[::-1, ::2]', (a) => a.slice([null, null, -1], [undefined, undefined, 2])],
  ['a.T[1:, ::-1]', (a) => a.T.slice([1], [null, null, -1])],
  ['a[:, -5:9:2]', (a) => a.slice(null, [-5, 9, 2])],
  ['a[:, 2:0:-1]', (a) => a.slice(null, [2, 0, -1])],
  ['a[1:1]', (a) => a.slice([1, 1])],
  ['a[-1, -1, ...]', (a) => a.slice(-1, -1)],
];

/** Whether all parts are the same on both sides. */
async function compareViews(
  t: ExecutionContext,
  numpy: Numpy,
  python: string,
  a: SharedArray,
  names: object,
) {
  const code = `a = ${python}\nanswer = [[bits(v), v.shape, [s // v.itemsize for s in v.strides]] for v in [${VIEWS.map(([what]) => what).join(', ')}]]`;
  const theirs = await numpy.run<[string, number[], number[]][]>(code, { ...names });
  for (const [index, [what, view]] of VIEWS.entries()) {
    using ours = view(a);
    const [bytes, shape, strides] = theirs[index]!;
    const about = `${a.dtype} ${a.order} ${what}`;
    t.is(bits(ours), bytes, about);
    t.deepEqual([...ours.shape], shape, about);
    if (ours.size > 1) t.deepEqual([...ours.strides], strides, about);
  }
}

for (const order of ['C', 'F'] as const) {
  test(`what we make in ${order} order, numpy opens in place, with a header and without`, async (t) => {
    const numpy = new Numpy(t);
    for (const dtype of DTYPES) {
      for (const header of ['npy', 'none'] as const) {
        const name = freshName(t);
        using a = SharedArray.create([2, 3], { name, dtype, order, header }) as SharedArray;
        for (const [i, value] of SAMPLES[dtype].entries()) a.set(value, Math.floor(i / 3), i % 3);
        const python = header === 'npy' ? 'npy(name)' : 'raw(name, dtype, [2, 3], order)';
        const names = { name, dtype, order };
        await compareViews(t, numpy, python, a, names);
        t.deepEqual(await numpy.run(`a = ${python}\nanswer = [str(a.dtype), a.flags.f_contiguous]`, names), [
          dtype,
          order === 'F',
        ]);
        // What it writes is here, and what we write is there, with no copy in between.
        await numpy.run(`a = ${python}\na[1, 0], a[0, 2] = a[0, 2], a[1, 0]`, names);
        t.is(a.get(1, 0), SAMPLES[dtype][2]!, `${dtype} written by numpy`);
        t.is(a.get(0, 2), SAMPLES[dtype][3]!);
        using part = a.T.slice([null, null, -1]);
        part.set(part.get(1, 1), 0, 0);
        t.is(await numpy.run(`a = ${python}\nanswer = bits(a)`, names), bits(a));
        t.is(segments().find((one) => one.name === name)?.kind, header === 'npy' ? 'array' : 'memory');
      }
    }
  });

  test(`what numpy makes in ${order} order, we open in place`, async (t) => {
    const numpy = new Numpy(t);
    for (const dtype of DTYPES) {
      using filled = arrayOf(SAMPLES[dtype], [2, 3], dtype, { name: freshName(t) });
      const names = { bytes: bits(filled), dtype, order };
      const raw = freshName(t);
      await numpy.run('raw(name, dtype, [2, 3], order)[:] = of(bytes, dtype, [2, 3])', {
        ...names,
        name: raw,
      });
      using a = SharedArray.attach(raw, { shape: [2, 3], dtype, order }) as SharedArray;
      await compareViews(t, numpy, 'raw(name, dtype, [2, 3], order)', a, { ...names, name: raw });

      const npy = freshName(t);
      const save = 'np.save(open("/dev/shm/" + name, "wb"), np.array(of(bytes, dtype, [2, 3]), order=order))';
      await numpy.run(save, { ...names, name: npy });
      using b = SharedArray.attach(npy);
      t.is(b.dtype, dtype);
      t.is(b.order, order);
      await compareViews(t, numpy, 'npy(name)', b, { name: npy });
      b.T.set(b.get(1, 2), 0, 0);
      t.is(await numpy.run('answer = bits(npy(name))', { name: npy }), bits(b));
    }
  });
}

test('headers are byte for byte those of np.save, and so are the files that save() writes', async (t) => {
  const numpy = new Numpy(t);
  const folder = mkdtempSync(join(tmpdir(), 'shmkit-array-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'a.npy');
  for (const shape of [[], [6], [2, 3], [1, 6], [6, 1], [1, 2, 3], [0], [2, 0, 3], [1, 1, 1, 1, 6]]) {
    for (const order of ['C', 'F'] as const) {
      for (const dtype of ['float32', 'bool', 'int64', 'float16'] as const) {
        using a = SharedArray.create(shape, { name: freshName(t), dtype, order }) as SharedArray;
        if (a.size > 0) a.fill(SAMPLES[dtype][2]!);
        await a.save(path);
        const theirs = await numpy.run<string>(
          'import io; out = io.BytesIO(); np.save(out, np.full(shape, of(bytes, dtype, [6])[2], dtype, order=order)); answer = out.getvalue().hex()',
          { shape, dtype, order, bytes: sampleBits(t, dtype) },
        );
        t.is(readFileSync(path, 'hex'), theirs, `${dtype} ${order} ${shape}`);
        if (a.size > 0) t.is(a.shm.read().toString('hex'), theirs, 'the segment itself, too');
      }
    }
  }
});

function sampleBits(t: ExecutionContext, dtype: DType): string {
  using a = arrayOf(SAMPLES[dtype], [6], dtype, { name: freshName(t) });
  return bits(a);
}

test('files go both ways: parts, all types, all versions, and a URL', async (t) => {
  const numpy = new Numpy(t);
  const folder = mkdtempSync(join(tmpdir(), 'shmkit-array-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'a.npy');
  for (const dtype of DTYPES) {
    using a = arrayOf(SAMPLES[dtype], [2, 3], dtype, { name: freshName(t) });
    for (const [what, view] of VIEWS) {
      using part = view(a);
      await part.save(path);
      t.is(await numpy.run('answer = bits(np.load(path))', { path }), bits(part), what);
      using loaded = await SharedArray.load(path, { name: freshName(t) });
      t.is(bits(loaded), bits(part), what);
      t.deepEqual(loaded.shape, part.shape);
      t.is(loaded.dtype, dtype);
      using again = SharedArray.attach(loaded.name);
      t.is(bits(again), bits(part), 'with a header of its own');
    }
  }
  for (const version of ['(1, 0)', '(2, 0)', '(3, 0)']) {
    const write = `np.lib.format.write_array(open(path, 'wb'), np.arange(6.).reshape(2, 3), version=${version})`;
    await numpy.run(write, { path });
    using loaded = await SharedArray.load(pathToFileURL(path), { name: freshName(t), header: 'none' });
    t.deepEqual(loaded.toArray(), [
      [0, 1, 2],
      [3, 4, 5],
    ]);
    t.is(loaded.shm.size, 48, 'no header was asked for');
    const name = freshName(t);
    const place = `np.lib.format.write_array(open('/dev/shm/' + name, 'wb'), np.arange(6.).reshape(2, 3).T, version=${version})`;
    await numpy.run(place, { name });
    using placed = SharedArray.attach(name);
    t.is(placed.get(2, 1), 5);
    t.is(placed.order, 'F');
  }
});

test('types that JavaScript has no arrays for are refused, with numpy’s own words for them', async (t) => {
  const numpy = new Numpy(t);
  for (const [make, message] of [
    ['np.zeros(3, ">f8")', /">f8".*'<f8'/],
    ['np.zeros(3, ">i2")', /">i2".*'<i2'/],
    ['np.zeros(3, "c16")', /"<c16".*one of int8/],
    ['np.zeros(3, "M8[s]")', /"<M8\[s\]"/],
    ['np.zeros(3, "U4")', /"<U4"/],
    ['np.zeros(3, [("x", "f4"), ("y", "f8")])', /a record/],
  ] as const) {
    const name = freshName(t);
    await numpy.run(`np.save(open('/dev/shm/' + name, 'wb'), ${make})`, { name });
    t.throws(() => SharedArray.attach(name), { code: 'ERR_SHM_DTYPE', message }, make);
    await t.throwsAsync(SharedArray.load(`/dev/shm/${name}`), { code: 'ERR_SHM_DTYPE', message }, make);
  }
});

test('headers of other writers: quotes, order of keys, unaligned elements', async (t) => {
  const numpy = new Numpy(t);
  const write = (name: string, text: string, size = 3 * 8) =>
    numpy.run(
      'h = text.encode("latin1"); open("/dev/shm/" + name, "wb").write(b"\\x93NUMPY\\x01\\x00" + len(h).to_bytes(2, "little") + h + np.arange(3.).tobytes()[:size])',
      { name, text, size },
    );
  const padded = (dict: string, to = 118) => `${dict.padEnd(to - 1)}\n`;
  const good = freshName(t);
  await write(good, padded('{"shape": (3L,), "fortran_order": True,\n "descr": "=f8"}'));
  using a = SharedArray.attach(good);
  t.deepEqual(a.toArray(), [0, 1, 2]);

  const odd = freshName(t);
  await write(odd, padded("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }", 111));
  t.throws(() => SharedArray.attach(odd), {
    code: 'ERR_SHM_ALIGNMENT',
    message: /byte 121, which is no multiple of 8 \(float64\)/,
  });
  using loaded = await SharedArray.load(`/dev/shm/${odd}`, { name: freshName(t) });
  t.deepEqual(loaded.toArray(), [0, 1, 2]);

  const short = freshName(t);
  await write(short, padded("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }"), 20);
  t.throws(() => SharedArray.attach(short), {
    code: 'ERR_SHM_SIZE',
    message: /float64 of shape \[3\] from byte 128 on needs 152 bytes, and '.*' has 148/,
  });
  await t.throwsAsync(SharedArray.load(`/dev/shm/${short}`), {
    code: 'ERR_SHM_SIZE',
    message: /needs 152 bytes, and .* has 148/,
  });
  for (const [text, message] of [
    ["{'descr': '<f8', 'fortran_order': False}", /'shape'/],
    ["{'descr': '<f8', 'fortran_order': False, 'shape': (-3,)}", /'shape'/],
    ["{'descr': '<f8', 'fortran_order': False, 'shape': (9007199254740991, 2)}", /too many/],
    ["{'descr': '<f8', 'fortran_order': 0, 'shape': (3,)}", /'fortran_order'/],
    ['__import__("os")', /literal/],
    ['[1]', /no dict/],
  ] as const) {
    const name = freshName(t);
    await write(name, padded(text));
    t.throws(() => SharedArray.attach(name), { code: 'ERR_SHM_CORRUPT', message }, text);
    await t.throwsAsync(SharedArray.load(`/dev/shm/${name}`), { code: 'ERR_SHM_CORRUPT', message }, text);
  }
  await t.throwsAsync(SharedArray.load('/nonexistent.npy'), { code: 'ENOENT' });
  await t.throwsAsync(SharedArray.load('/etc/passwd'), { code: 'ERR_SHM_NOT_AN_ARRAY' });
});

test('kernels give what numpy gives', async (t) => {
  const numpy = new Numpy(t);
  for (const dtype of DTYPES) {
    const float = dtype.startsWith('float');
    for (const kind of float ? ['numbers', 'NaN'] : ['numbers']) {
      const values = SAMPLES[dtype].map((value) =>
        Number.isNaN(value) && kind === 'numbers' ? 3 : value === -Infinity ? -7 : value,
      );
      const name = freshName(t);
      using a = arrayOf(values, [2, 3], dtype, { name });
      for (const [what, view] of VIEWS) {
        using ours = view(a);
        const about = `${dtype} ${kind} ${what}`;
        const theirs = await numpy.run<Record<string, string>>(
          `a = npy(name); v = ${what}; wide = v.astype(object) if v.dtype.kind in 'iub' else v.astype('f8')
text = lambda x: repr(float(x)) if isinstance(x, (float, np.floating)) else str(int(x))
answer = {'sum': text(np.sum(wide) + 0), 'size': v.size}
if v.size: answer.update({k: text(getattr(v, k)()) for k in ['min', 'max', 'argmin', 'argmax']}, mean=text(np.sum(wide) / v.size))
if v.ndim == 1: answer['dot'] = text((wide * wide).sum() + 0)`,
          { name },
        );
        const same = (got: unknown, key: string) => {
          const wanted = Number((theirs[key] ?? '').replace('nan', 'NaN').replace('inf', 'Infinity'));
          if (typeof got === 'bigint') t.is(`${got}`, theirs[key] ?? '', `${about} ${key}`);
          else t.is(got as number, wanted, `${about} ${key}`);
        };
        same(ours.sum(), 'sum');
        if (ours.ndim === 1 && dtype.endsWith('int64') && BigInt(theirs['dot']!) >= 2n ** 127n)
          t.throws(() => ours.dot(ours), { code: 'ERR_OUT_OF_RANGE', message: /128 bits/ });
        else if (ours.ndim === 1) same(ours.dot(ours), 'dot');
        if (ours.size === 0) {
          t.is(ours.mean(), NaN);
          for (const kernel of ['min', 'max', 'argmin', 'argmax'] as const)
            t.throws(() => ours[kernel](), { code: 'ERR_OUT_OF_RANGE', message: /without elements/ });
          continue;
        }
        for (const kernel of ['min', 'max', 'argmin', 'argmax'] as const) same(ours[kernel](), kernel);
        const mean = Number(theirs['mean']!.replace('nan', 'NaN'));
        t.true(Object.is(ours.mean(), mean) || Math.abs(ours.mean() / mean - 1) < 1e-15, `${about} mean`);
      }
    }
  }
});

test('kernels that write do what numpy does, to parts and from parts', async (t) => {
  const numpy = new Numpy(t);
  for (const dtype of DTYPES) {
    for (const [what, view] of VIEWS) {
      const name = freshName(t);
      using a = arrayOf(SAMPLES[dtype], [2, 3], dtype, { name });
      using part = view(a);
      const copy = freshName(t);
      using theirs = arrayOf(SAMPLES[dtype], [2, 3], dtype, { name: copy });
      const big = dtype.endsWith('64') && dtype !== 'float64';
      const two = (big ? 2n : 2) as ElementOf<DType>;
      const python = (code: string) =>
        numpy.run(
          `a = npy(name); v = ${what}; old = np.array(v)\nwith np.errstate(all='ignore'):\n  ${code}`,
          {
            name: copy,
          },
        );
      const same = (kernel: string) => t.is(bits(a), bits(theirs), `${dtype} ${what} ${kernel}`);
      part.scale(two);
      await python('v[...] = old * np.array(2, old.dtype)');
      same('scale');
      part.add(two);
      await python('v[...] = old + np.array(2, old.dtype)');
      same('add a number');
      using other = SharedArray.from(part.toTypedArray() as Float64Array, {
        shape: part.shape,
        dtype: dtype as 'float64',
        name: freshName(t),
      }) as SharedArray;
      part.add(other);
      await python('v[...] = old + old');
      same('add an array');
      const doubled = bits(part);
      part.fill(two).copyFrom(other).add(other);
      t.is(bits(part), doubled, 'copyFrom an array');
      part.fill(two).copyFrom(other.toTypedArray()).add(other.T.T);
      t.is(bits(part), doubled, 'copyFrom a typed array');
      part.fill(two);
      await python('v[...] = 2');
      same('fill');
    }
  }
});

test('a view’s descriptor is the very same view elsewhere', async (t) => {
  const numpy = new Numpy(t);
  const name = freshName(t);
  using a = SharedArray.from(
    Float64Array.from({ length: 24 }, (_, i) => i),
    { shape: [2, 3, 4], name },
  );
  using part = a.T.slice([null, null, -2], 1);
  using again = attach(JSON.parse(JSON.stringify(part))) as SharedArray;
  t.deepEqual([again.shape, again.strides, again.offset], [part.shape, part.strides, part.offset]);
  t.deepEqual(again.toArray(), part.toArray());
  t.deepEqual(
    await numpy.run('answer = npy(name).T[::-2, 1]', { name }),
    again.toArray() as unknown as number[][],
  );
});
