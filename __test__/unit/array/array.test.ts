/** How arrays are made, attached to, sent and shown. numpy's are in interop/array-numpy.test.ts. */
import { inspect } from 'node:util';
import { serialize } from 'node:v8';
import { Worker } from 'node:worker_threads';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import { attach, Pool, ShareableList, SharedArray, SharedMemory } from 'shmkit';
import type { DType, Order } from 'shmkit';

import { arrayOf, bits } from '../../fixtures/arrays.js';
import { Program } from '../../fixtures/program.js';
import { exists, freshName, leavesNothing } from '../../fixtures/segments.js';
import { compiled } from '../../fixtures/typescript.js';
import { counting } from './common.js';

function arrayOfOnes(t: ExecutionContext): SharedArray {
  const a = arrayOf([1, 1, 1, 1], [4], 'bool', { name: freshName(t) });
  t.teardown(() => a.close());
  return a;
}

test('create makes zeros of the shape and type, float64 in C order with a header by default', (t) => {
  using a = SharedArray.create([2, 3], { name: freshName(t) });
  t.deepEqual([a.dtype, a.shape, a.strides, a.order], ['float64', [2, 3], [3, 1], 'C']);
  t.deepEqual([a.ndim, a.size, a.offset, a.data.length], [2, 6, 0, 6]);
  t.is(a.data.byteOffset, 128, 'aligned to 64 bytes');
  t.deepEqual(a.toArray(), [
    [0, 0, 0],
    [0, 0, 0],
  ]);
  using f = SharedArray.create([2, 3], { name: freshName(t), order: 'F', dtype: 'uint8', header: 'none' });
  const order: Order | null = f.order;
  t.deepEqual([f.strides, order, f.shm.size], [[1, 2], 'F', 6]);
  t.true(f.data instanceof Uint8Array);
  t.true(Object.isFrozen(f.shape) && Object.isFrozen(f.strides));
  using line = SharedArray.create(5, { name: freshName(t) });
  t.deepEqual([line.shape, line.order], [[5], 'C']);
  using point = SharedArray.create([], { name: freshName(t) });
  point.set(4);
  t.deepEqual([point.get(), point.toArray(), point.ndim, point.size], [4, 4, 0, 1]);
  using none = SharedArray.create([0, 3], { name: freshName(t), header: 'none' });
  t.deepEqual([none.size, none.toArray(), none.sum(), none.mean()], [0, [], 0, NaN]);
  using long = SharedArray.create([2 ** 40, 0], { name: freshName(t) });
  t.deepEqual([long.toArray(), long.T.shape, long.reshape([0]).size], [[], [0, 2 ** 40], 0]);
  t.is(none.slice([0, 0]).fill(1).scale(2).T.size, 0);
});

test('from takes typed arrays, by their class, and iterables', (t) => {
  using a = SharedArray.from(new Float32Array([1, 2, 3, 4]), { shape: [2, 2], name: freshName(t) });
  const dtype: 'float32' = a.dtype;
  t.is(dtype, 'float32');
  t.deepEqual(a.toArray(), [
    [1, 2],
    [3, 4],
  ]);
  using b = SharedArray.from(new Set([1, 2]), { name: freshName(t), dtype: 'int8' });
  t.deepEqual(b.data, new Int8Array([1, 2]));
});

test('from a typed array of another class takes its elements, and checks them', (t) => {
  using a = SharedArray.from(new Uint8Array([1, 2]), { name: freshName(t), dtype: 'float32' });
  t.deepEqual(a.data, new Float32Array([1, 2]));
  using big = SharedArray.from([1n, -(2n ** 63n)], { name: freshName(t), dtype: 'int64' });
  t.deepEqual(big.data, new BigInt64Array([1n, -(2n ** 63n)]));
  const refused = (values: unknown, dtype: DType, code: string, message: RegExp) =>
    t.throws(() => SharedArray.from(values as number[], { dtype: dtype as 'int8' }), { code, message });
  refused([1, 300], 'uint8', 'ERR_OUT_OF_RANGE', /from 0 to 255 \(uint8\), and is 300/);
  refused([1, -129], 'int8', 'ERR_OUT_OF_RANGE', /from -128 to 127 \(int8\), and is -129/);
  refused([2 ** 32], 'uint32', 'ERR_OUT_OF_RANGE', /4294967295/);
  refused([2n ** 64n], 'uint64', 'ERR_OUT_OF_RANGE', /18446744073709551615 .*18446744073709551616n/);
  refused([1.5], 'int32', 'ERR_SHM_VALUE', /1\.5 is no integer.*int32/);
  refused([NaN], 'int32', 'ERR_SHM_VALUE', /NaN/);
  refused([1], 'int64', 'ERR_INVALID_ARG_TYPE', /a bigint, such as 5n.*int64.* is 1/);
  refused([1n], 'float64', 'ERR_INVALID_ARG_TYPE', /a number.*float64.* is 1n/);
  refused(['1'], 'float64', 'ERR_INVALID_ARG_TYPE', /is "1"/);
  refused(5, 'float64', 'ERR_INVALID_ARG_TYPE', /iterable/);
  refused(null, 'float64', 'ERR_INVALID_ARG_TYPE', /iterable/);
});

test('shapes, types, orders and options that there are not are refused, with what they are', (t) => {
  const name = freshName(t);
  const refused = (run: () => unknown, code: string, message: RegExp) => {
    leavesNothing(t, () => t.throws(run, { code, message }));
    t.false(exists(name));
  };
  const create = (shape: unknown, options: object = {}) =>
    SharedArray.create(shape as number, { name, ...options });
  refused(() => create([2, -1]), 'ERR_OUT_OF_RANGE', /shape\[1\] .*-1/);
  refused(() => create([2.5]), 'ERR_OUT_OF_RANGE', /shape\[0\] .*2\.5/);
  refused(() => create(['2']), 'ERR_INVALID_ARG_TYPE', /shape\[0\] .*"2"/);
  refused(() => create('2'), 'ERR_INVALID_ARG_TYPE', /shape .*"2"/);
  refused(() => create([2 ** 40, 2 ** 40]), 'ERR_OUT_OF_RANGE', /\[1099511627776, 1099511627776\]/);
  refused(() => create([2 ** 52]), 'ERR_OUT_OF_RANGE', /\[4503599627370496\] has too many/);
  refused(() => create(Array(65).fill(1)), 'ERR_OUT_OF_RANGE', /65 dimensions, and 64/);
  refused(() => create(2, { dtype: 'float128' }), 'ERR_OUT_OF_RANGE', /one of int8, .*"float128"/);
  refused(() => create(2, { dtype: '>f8' }), 'ERR_OUT_OF_RANGE', /'<f8'.*">f8"/);
  refused(() => create(2, { dtype: 8 }), 'ERR_INVALID_ARG_TYPE', /dtype .*8/);
  refused(() => create(2, { order: 'K' }), 'ERR_INVALID_ARG_TYPE', /order .*"K"/);
  refused(() => create(2, { header: true }), 'ERR_INVALID_ARG_TYPE', /header .*true/);
  refused(() => create(2, { type: 'int8' }), 'ERR_INVALID_ARG_TYPE', /"type".*dtype/);
  refused(() => create(2, { mode: 0o1000 }), 'ERR_OUT_OF_RANGE', /mode/);
  const from = { shape: [2, 2], name };
  refused(() => SharedArray.from([1, 2, 3], from), 'ERR_OUT_OF_RANGE', /3 elements .*\[2, 2\], of 4/);
  refused(() => SharedArray.attach(name), 'ENOENT', /no such segment/);
  refused(
    () => Reflect.construct(SharedArray, []),
    'ERR_INVALID_ARG_TYPE',
    /made by create\(\) or attach\(\)/,
  );
});

test("numpy's strings are understood for types", (t) => {
  for (const [text, dtype] of Object.entries({
    '<f8': 'float64',
    '=f4': 'float32',
    '|b1': 'bool',
    '?': 'bool',
    u2: 'uint16',
    '<i8': 'int64',
    '>u1': 'uint8',
    '|i1': 'int8',
    f2: 'float16',
  })) {
    using a = SharedArray.create(2, { dtype: text as DType, name: freshName(t) });
    t.is(a.dtype, dtype as DType);
  }
});

test('attach without a header takes shape and type, and refuses what does not fit', (t) => {
  const name = freshName(t);
  using shm = SharedMemory.create(100, { name });
  new Float32Array(shm.buffer).set([1, 2, 3, 4, 5, 6]);
  const floats = { shape: [2, 3], dtype: 'float32' } as const;
  using a = SharedArray.attach(name, floats);
  t.is(a.get(1, 0), 4);
  using f = SharedArray.attach(name, { ...floats, order: 'F' });
  t.is(f.get(1, 0), 2);
  using later = SharedArray.attach(name, { ...floats, offset: 8 });
  t.deepEqual([later.get(0, 0), later.offset, later.toJSON()['byteOffset']], [3, 0, 8]);
  const refused = (options: object, code: string, message: RegExp) =>
    leavesNothing(t, () => t.throws(() => SharedArray.attach(name, options), { code, message }));
  refused({}, 'ERR_SHM_NOT_AN_ARRAY', /\.npy header.*\{ shape, dtype \}/);
  refused({ shape: [2] }, 'ERR_SHM_NOT_AN_ARRAY', /\{ shape, dtype \}/);
  refused({ ...floats, header: 'npy' }, 'ERR_SHM_NOT_AN_ARRAY', /without that option/);
  refused({ ...floats, header: 'npy', offset: 8 }, 'ERR_OUT_OF_RANGE', /offset/);
  refused(
    { ...floats, shape: [13], dtype: 'float64' },
    'ERR_SHM_SIZE',
    /\[13\] .*104 bytes, and '.*' has 100/,
  );
  refused({ ...floats, offset: 2 }, 'ERR_OUT_OF_RANGE', /multiple of 4 bytes \(float32\), and is 2/);
  refused({ ...floats, offset: 80 }, 'ERR_SHM_SIZE', /from byte 80 on needs 104 bytes/);
  refused({ ...floats, offset: -4 }, 'ERR_OUT_OF_RANGE', /-4/);
  refused({ ...floats, readonly: true }, 'ERR_INVALID_ARG_TYPE', /readOnly/);
});

test('createOrAttach makes what is not there, and attaches to what is as it was asked for', (t) => {
  const name = freshName(t);
  using first = SharedArray.createOrAttach(name, [2, 3], { dtype: 'int16' });
  first.set(7, 1, 2);
  using second = SharedArray.createOrAttach(name, [2, 3], { name, dtype: 'int16' });
  const typed: SharedArray<'int16'> = second;
  t.is(typed.get(1, 2), 7);
  t.deepEqual([first.shm.created, second.shm.created], [true, false]);
  const refused = (options: object, code: string, shape = [2, 3], other = name) =>
    leavesNothing(t, () =>
      t.throws(() => SharedArray.createOrAttach(other, shape, options as never), { code }),
    );
  refused({}, 'ERR_SHM_MISMATCH'); // float64
  refused({ dtype: 'int16' }, 'ERR_SHM_MISMATCH', [3, 2]);
  refused({ dtype: 'int16', order: 'F' }, 'ERR_SHM_MISMATCH');
  refused({ dtype: 'int16', name: 'other' }, 'ERR_INVALID_ARG_TYPE');
  refused({ dtype: 'int8' }, 'ERR_SHM_NAME', [2], 'a/b');
  using raw = SharedMemory.create(64, { name: freshName(t) });
  refused({}, 'ERR_SHM_NOT_AN_ARRAY', [2], raw.name);
  raw.unlink();

  const bare = freshName(t);
  using elements = SharedArray.createOrAttach(bare, 4, { header: 'none', order: 'F' });
  elements.fill(2);
  using others = SharedArray.createOrAttach(bare, 4, { header: 'none' });
  t.is(others.sum(), 8);
  refused({ header: 'none' }, 'ERR_SHM_SIZE', [5], bare);
  for (const array of [first, elements]) array.unlink();
  // All who called it own it, and the next one begins anew.
  using anew = SharedArray.createOrAttach(name, [2, 3], { dtype: 'int16' });
  t.deepEqual([anew.shm.created, anew.sum()], [true, 0]);
  anew.unlink();
});

test('an array of createOrAttach lives as long as one of those who called it', async (t) => {
  const name = freshName(t);
  const open = `const array = shmkit.SharedArray.createOrAttach('${name}', 3); say(String(array.shm.created)); await told();`;
  const maker = Program.node(t, open);
  t.is(await maker.says(), 'true');
  const other = Program.node(t, open);
  t.is(await other.says(), 'false');
  await maker.kill();
  using array = SharedArray.createOrAttach(name, 3);
  t.false(array.shm.created);
  await other.kill();
  t.true(exists(name));
  array.unlink();
});

test('what the caller says of an array that says it itself must agree', (t) => {
  const name = freshName(t);
  using a = SharedArray.create([2, 3], { name, dtype: 'int16' });
  using same = SharedArray.attach(name, { shape: [2, 3], dtype: 'int16', order: 'C', header: 'npy' });
  const typed: SharedArray<'int16'> = same;
  t.is(typed.size, 6);
  const refused = (target: string | typeof descriptor, options: object, message: RegExp) =>
    leavesNothing(t, () =>
      t.throws(() => SharedArray.attach(target, options), { code: 'ERR_SHM_MISMATCH', message }),
    );
  const descriptor = a.T.toJSON();
  refused(name, { dtype: 'int32' }, /are int16, not int32/);
  refused(name, { shape: [3, 2] }, /is \[2, 3\], not \[3, 2\]/);
  refused(name, { order: 'F' }, /order is not 'F'/);
  refused(
    descriptor,
    { shape: [2, 3], dtype: 'int8' },
    /int16, not int8; its shape is \[3, 2\], not \[2, 3\]/,
  );
  using bare = SharedArray.attach(name, { header: 'none', dtype: 'uint8', shape: 6 });
  t.is(Buffer.from(bare.data).toString('latin1', 1, 6), 'NUMPY');
});

test('descriptors that are none are refused before anything is touched', (t) => {
  using a = SharedArray.create([2, 3], { name: freshName(t) });
  const whole = a.toJSON();
  const refused = (change: object, code: string, message: RegExp) =>
    leavesNothing(t, () => t.throws(() => attach({ ...whole, ...change }), { code, message }));
  refused({ shape: [2, 4] }, 'ERR_SHM_SIZE', /\[2, 4\] .*192 bytes.*has 176/);
  refused({ strides: [-3, 1] }, 'ERR_SHM_SIZE', /\[-3, 1\] from element 0 on begins before/);
  refused({ strides: [3] }, 'ERR_INVALID_ARG_TYPE', /2 whole numbers/);
  refused({ strides: [2 ** 53, 1] }, 'ERR_INVALID_ARG_TYPE', /whole numbers/);
  refused({ strides: [2 ** 52, 2 ** 52] }, 'ERR_SHM_SIZE', /needs/);
  refused({ shape: [2 ** 40, 2], strides: [0, 1] }, 'ERR_SHM_SIZE', /needs/);
  refused({ shape: [2 ** 40, 2], strides: [0, 0] }, 'ERR_SHM_SIZE', /needs/);
  refused({ offset: 1 }, 'ERR_SHM_SIZE', /184 bytes/);
  refused({ offset: -1 }, 'ERR_OUT_OF_RANGE', /-1/);
  refused({ byteOffset: 4 }, 'ERR_OUT_OF_RANGE', /multiple of 8/);
  refused({ byteOffset: undefined }, 'ERR_INVALID_ARG_TYPE', /byteOffset/);
  refused({ dtype: 'float16x' }, 'ERR_OUT_OF_RANGE', /float16x/);
  refused({ shape: 'x' }, 'ERR_INVALID_ARG_TYPE', /shape/);
  refused({ shape: [0], offset: 1e15, strides: [1] }, 'ERR_SHM_SIZE', /needs/);
  t.throws(() => SharedArray.attach({ ...whole, kind: 'list' }), { code: 'ERR_SHM_KIND' });
  using by = SharedArray.attach({ kind: 'array', name: a.name });
  t.deepEqual(by.shape, [2, 3], 'one without a shape goes by the header');
  const old = a.name;
  a.unlink();
  using other = SharedArray.create([2, 3], { name: old });
  t.throws(() => attach(whole), { code: 'ERR_SHM_UNLINKED' });
  other.unlink();
});

test('save() of a closed array is refused, and a closed one is no source', async (t) => {
  const a = counting(t, 4);
  const b = counting(t, 4);
  b.close();
  t.throws(() => a.dot(b), { code: 'ERR_SHM_CLOSED' });
  t.throws(() => a.copyFrom(b), { code: 'ERR_SHM_CLOSED' });
  await t.throwsAsync(b.save('/nonexistent/x.npy'), { code: 'ERR_SHM_CLOSED' });
  await t.throwsAsync(a.save('/nonexistent/x.npy'), { code: 'ENOENT' });
});

test('a transferred buffer is an error that says so', (t) => {
  const a = counting(t, 4);
  const part = a.slice([1]);
  const moved = (a.shm.buffer as ArrayBuffer & { transfer?: () => ArrayBuffer }).transfer?.();
  if (moved === undefined) return t.pass('Node 20 has no transfer()');
  for (const act of [
    () => a.get(0),
    () => part.set(1, 0),
    () => part.sum(),
    () => a.data,
    () => a.fill(1),
    () => a.T,
  ]) {
    t.throws(act, { code: 'ERR_SHM_DETACHED' });
  }
});

test('read-only: nothing is written, and views and descriptors stay so', (t) => {
  const a = counting(t, 2, 2);
  using b = SharedArray.attach(a.name, { readOnly: true }) as SharedArray<'float64'>;
  const view = b.T;
  for (const array of [b, view]) {
    for (const act of [
      () => array.set(1, 0, 0),
      () => array.fill(1),
      () => array.copyFrom(a),
      () => array.scale(2),
      () => array.add(1),
      () => array.add(a),
    ]) {
      t.throws(act, { code: 'ERR_SHM_READ_ONLY', message: new RegExp(a.name) });
    }
  }
  t.is(view.get(1, 0), 1);
  a.set(9, 0, 1);
  t.is(view.get(1, 0), 9);
  t.is(b.sum(), 14);
  b.data[0] = 100;
  t.is(a.get(0, 0), 0, 'what is written past it reaches nobody');
  using again = attach(view.toJSON()) as SharedArray;
  t.throws(() => again.fill(1), { code: 'ERR_SHM_READ_ONLY' });
  t.regex(inspect(b), /read-only/);
});

test('a header that another process rewrites changes nothing for who has it open', (t) => {
  using a = SharedArray.create([10], { name: freshName(t) });
  using b = SharedArray.attach(a.name) as SharedArray<'float64'>;
  a.shm.buf.write("{'descr': '|i1', 'fortran_order': True, 'shape': (99999999,), }", 10);
  b.set(1, 9);
  t.is(b.sum(), 1);
  t.throws(() => SharedArray.attach(a.name), {
    code: 'ERR_SHM_SIZE',
    message: /\[99999999\] .*100000127 bytes/,
  });
  a.shm.buf.fill(0, 0, 10);
  t.is(b.get(9), 1);
  t.throws(() => SharedArray.attach(a.name), { code: 'ERR_SHM_NOT_AN_ARRAY' });
  using list = ShareableList.create([1], { name: freshName(t) });
  t.throws(() => SharedArray.attach(list.name), { code: 'ERR_SHM_NOT_AN_ARRAY' });
});

test('an instance is not cloned; its descriptor goes to threads', async (t) => {
  const a = counting(t, 3, 4);
  const advice = { any: true as const, message: /send its toJSON\(\) and attach\(\)/ };
  t.throws(() => structuredClone(a), advice);
  t.throws(() => structuredClone({ deep: [a.T] }), advice);
  t.throws(() => serialize(a), { any: true as const });
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    import('shmkit').then(({ attach }) => {
      const view = attach(workerData);
      view.set(50, 0, 0);
      parentPort.postMessage([view.shape, view.toArray()]);
      view.close();
    });`;
  const view = a.T.slice([1, null, 2]);
  const worker = new Worker(code, { eval: true, workerData: view.toJSON(), execArgv: [] });
  const answer = await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  await worker.terminate();
  t.deepEqual(answer, [
    [2, 3],
    [
      [50, 5, 9],
      [3, 7, 11],
    ],
  ]);
  t.is(a.get(0, 1), 50);
});

test('worker processes work on the same elements, and what they make comes back', async (t) => {
  await using pool = new Pool(await compiled(new URL('pool-work.ts', import.meta.url)), { workers: 2 });
  const a = counting(t, 4, 6);
  const parts = [0, 1, 2, 3].map((row) => a.slice(row));
  t.deepEqual(await pool.map('double', parts), [30, 102, 174, 246]);
  t.is(a.sum(), 552);
  const made = await pool.run<SharedArray>('make', [2, 3]);
  t.teardown(() => made.close());
  t.deepEqual(made.toArray(), [
    [7, 7, 7],
    [7, 7, 7],
  ]);
  const column = await pool.run<SharedArray>('column', a, -1);
  t.deepEqual(column.toArray(), [10, 22, 34, 46]);
  a.set(0, 0, -1);
  t.is(column.get(0), 0, 'the same memory');
  column.close();
  made.unlink();
});

test('inspect shows an array as numpy prints it', (t) => {
  const a = counting(t, 2, 3);
  t.is(inspect(a), `SharedArray('${a.name}', shape [2, 3], float64) [[0, 1, 2], [3, 4, 5]]`);
  t.regex(inspect({ a }, { depth: 0 }), /float64\) \}$/);
  t.is(inspect({ b: { a } }, { depth: 0 }), '{ b: [Object] }');
  const tall = counting(t, 4, 6);
  tall.set(-0.125, 1, 1);
  t.is(
    inspect(tall).split('\n').slice(1).join('\n'),
    `[[     0,      1,      2,      3,      4,      5],
 [     6, -0.125,      8,      9,     10,     11],
 [    12,     13,     14,     15,     16,     17],
 [    18,     19,     20,     21,     22,     23]]`,
  );
  const long = counting(t, 2000);
  t.regex(inspect(long), /float64\)( |\n)\[0, 1, 2, …, 1997, 1998, 1999\]$/);
  const wide = counting(t, 50, 50);
  t.is(inspect(wide).split('\n').length, 8);
  t.regex(inspect(wide), /\n \[ 100,  101,  102, …,  147,  148,  149\],\n …,\n \[2350,/);
  using small = SharedArray.from(new Float32Array([0.1, NaN, -0]), { name: freshName(t) });
  t.regex(inspect(small), / \[0\.1, NaN, -0\]$/);
  using int = SharedArray.from([1n], { dtype: 'int64', name: freshName(t) });
  t.regex(inspect(int), /int64\) \[1n\]$/);
  using half = SharedArray.from([0.1], { dtype: 'float16', name: freshName(t) });
  t.regex(inspect(half), / \[0\.1\]$/);
  using none = SharedArray.create([1e6, 0], { name: freshName(t) });
  t.regex(inspect(none), /shape \[1000000, 0\], float64\) \[\]$/);
  using point = SharedArray.create([], { name: freshName(t) });
  t.regex(inspect(point), /shape \[\], float64\) 0$/);
  t.notThrows(() => inspect(tall, { colors: true }));
  t.is(bits(arrayOfOnes(t)), '01'.repeat(4));
});
