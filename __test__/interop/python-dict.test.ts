/** One dict between Node and Python: each kind of value both ways, txns and counters of both at once. */
import { Buffer } from 'node:buffer';
import { rmSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import { SharedDict } from 'shmkit';

import { Program } from '../fixtures/program.js';
import { venvPython } from '../fixtures/python.js';
import { freshName, segmentPath } from '../fixtures/segments.js';

/** Answers each line, an expression or a statement about `d`, in JSON. */
const PYTHON = `
import datetime, json, math, sys, numpy, shmkit
from datetime import timezone
d = shmkit.SharedDict.attach(sys.argv[1])
def describe(value):
    return f"{value.dtype} {value.tolist()}" if isinstance(value, numpy.ndarray) else repr(value)
print("ready", flush=True)
for line in sys.stdin:
    line, answer = json.loads(line), None
    try:
        try:
            code = compile(line, "<line>", "eval")
        except SyntaxError:
            exec(line)
        else:
            answer = describe(eval(code))
    except Exception as error:
        answer = f"{type(error).__name__} {getattr(error, 'code', error)}"
    print(json.dumps(answer), flush=True)
`;

type Ask = (line: string) => Promise<unknown>;

function dictOf(t: ExecutionContext): SharedDict {
  const dict = SharedDict.create({ name: freshName(t), lockTimeout: 10_000 });
  t.teardown(() => {
    dict.close();
    rmSync(segmentPath(`${dict.name}.lk`), { force: true });
  });
  return dict;
}

async function pythonWith(t: ExecutionContext, dict: SharedDict): Promise<{ python: Program; ask: Ask }> {
  const python = Program.run(t, venvPython(), ['-c', PYTHON, dict.name]);
  t.is(await python.says(), 'ready');
  const ask: Ask = async (line) => {
    python.tell(JSON.stringify(line));
    return JSON.parse((await python.says()) ?? '"it ended"') as unknown;
  };
  return { python, ask };
}

const utc = 'datetime.timezone.utc';

/** What Node stores, and what Python reads. */
const FROM_NODE: [unknown, string][] = [
  [null, 'None'],
  [true, 'True'],
  [false, 'False'],
  [0, '0'],
  [-0, '-0.0'],
  [-1, '-1'],
  [0.1, '0.1'],
  [Number.NaN, 'nan'],
  [-Infinity, '-inf'],
  [2 ** 53, '9007199254740992'],
  [-(2 ** 53), '-9007199254740992'],
  [2 ** 53 + 2, '9007199254740994.0'],
  [1e300, '1e+300'],
  [0n, '0'],
  [5n, '5'],
  [2n ** 53n + 1n, '9007199254740993'],
  [-(2n ** 130n), '-1361129467683753853853498429727072845824'],
  ['', "''"],
  ['text', "'text'"],
  ['é', "'é'"],
  ['Ā😀', "'Ā😀'"],
  ['a\ud800', "'a\\ud800'"],
  [Buffer.from('abc'), "b'abc'"],
  [new Uint8Array([0, 255]), "b'\\x00\\xff'"],
  [new Int8Array([-1, 1]), 'int8 [-1, 1]'],
  [new Uint8ClampedArray([1, 255]), 'uint8 [1, 255]'],
  [new Int16Array([-1, 1]), 'int16 [-1, 1]'],
  [new Uint16Array([1, 65535]), 'uint16 [1, 65535]'],
  [new Int32Array([-1, 1]), 'int32 [-1, 1]'],
  [new Uint32Array([1, 2 ** 32 - 1]), 'uint32 [1, 4294967295]'],
  [new BigInt64Array([-1n, 1n]), 'int64 [-1, 1]'],
  [new BigUint64Array([2n ** 64n - 1n]), 'uint64 [18446744073709551615]'],
  [new Float32Array([0.5, -2]), 'float32 [0.5, -2.0]'],
  [new Float64Array([0.1, 2]), 'float64 [0.1, 2.0]'],
  [new Float64Array(), 'float64 []'],
  [[], '[]'],
  [{}, '{}'],
  [{ a: [1, { b: null, é: true }], c: ['😀', 0.5] }, "{'a': [1, {'b': None, 'é': True}], 'c': ['😀', 0.5]}"],
  [
    [255, 65536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53, 2 ** 53 + 2, Number.NaN],
    '[255, 65536, 2147483648, 4294967295, 4294967296, 9007199254740992, 9007199254740994.0, nan]',
  ],
  [
    [-1, -128, -(2 ** 31), -(2 ** 31) - 1, -(2 ** 32), -(2 ** 53), -1e300],
    '[-1, -128, -2147483648, -2147483649, -4294967296, -9007199254740992, -1e+300]',
  ],
  [[5n, -(2n ** 63n), 2n ** 64n - 1n], '[5, -9223372036854775808, 18446744073709551615]'],
  [[Buffer.from('é')], "[b'\\xc3\\xa9']"],
  [new Date(0), `datetime.datetime(1970, 1, 1, 0, 0, tzinfo=${utc})`],
  [[new Date(1.7e12 + 1)], `[datetime.datetime(2023, 11, 14, 22, 13, 20, 1000, tzinfo=${utc})]`],
  [new Date(-1), `datetime.datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=${utc})`],
  [new Date(2 ** 33 * 1000), `datetime.datetime(2242, 3, 16, 12, 56, 32, tzinfo=${utc})`],
  [new Date(8.64e15), 'ShmError ERR_SHM_VALUE'],
  [new Map([['a', 1]]), 'ShmError ERR_SHM_VALUE'],
  [new Set([1]), 'ShmError ERR_SHM_VALUE'],
  [[/a/], 'ShmError ERR_SHM_VALUE'],
  [[-0], 'ShmError ERR_SHM_VALUE'],
];

/** To Python they are as others. */
const becomes = (value: unknown): unknown => {
  if (value === 0n || value === 5n) return Number(value);
  if (value instanceof Uint8ClampedArray || value instanceof Uint8Array) return Buffer.from(value);
  return isDeepStrictEqual(value, [5n, -(2n ** 63n), 2n ** 64n - 1n])
    ? [5, -(2n ** 63n), 2n ** 64n - 1n]
    : value;
};

test('Python reads what Node has set in a dict, and Node what Python sets of it', async (t) => {
  const dict = dictOf(t);
  const { ask } = await pythonWith(t, dict);
  for (const [value, expected] of FROM_NODE) {
    dict.set('k', value);
    t.is(await ask('d["k"]'), expected);
    if (expected.startsWith('ShmError')) continue;
    t.is(await ask('d.compare_and_set("k", d["k"], d["k"])'), 'True', expected);
    t.is(await ask('d["back"] = d["k"]'), null);
    t.true(isDeepStrictEqual(dict.get('back'), becomes(value)), expected);
  }
  dict.unlink();
});

/** What Python stores, and what Node reads. */
const FROM_PYTHON: [string, unknown][] = [
  ['None', null],
  ['True', true],
  ['7', 7],
  ['2.0', 2],
  ['-0.0', -0],
  ['0.5', 0.5],
  ['math.nan', Number.NaN],
  ['math.inf', Infinity],
  ['2**53', 2 ** 53],
  ['-2**53', -(2 ** 53)],
  ['2**53 + 1', 2n ** 53n + 1n],
  ['1700000000123456789', 1700000000123456789n], // as of time.time_ns()
  ['-10**40', -(10n ** 40n)],
  ['2.0**60', 2 ** 60],
  ['"é"', 'é'],
  ['"Ā😀"', 'Ā😀'],
  ['"\\ud800x"', '\ud800x'],
  ['b"abc"', Buffer.from('abc')],
  ['bytearray(2)', Buffer.alloc(2)],
  ['numpy.arange(3, dtype="uint8")', Buffer.from([0, 1, 2])],
  ['numpy.arange(3, dtype="int8")', new Int8Array([0, 1, 2])],
  ['numpy.arange(3, dtype="int16")', new Int16Array([0, 1, 2])],
  ['numpy.arange(3, dtype="uint16")', new Uint16Array([0, 1, 2])],
  ['numpy.arange(3, dtype="int32")', new Int32Array([0, 1, 2])],
  ['numpy.arange(3, dtype="uint32")', new Uint32Array([0, 1, 2])],
  ['numpy.arange(3)', new BigInt64Array([0n, 1n, 2n])],
  ['numpy.arange(3, dtype="uint64")', new BigUint64Array([0n, 1n, 2n])],
  ['numpy.arange(3, dtype="float32")', new Float32Array([0, 1, 2])],
  ['numpy.linspace(0, 1, 3)', new Float64Array([0, 0.5, 1])],
  ['numpy.float64(0.5)', 0.5],
  ['numpy.int64(2**53 + 1)', 2n ** 53n + 1n],
  ['numpy.bool_(False)', false],
  ['(1, (2.0, [None]))', [1, [2, [null]]]],
  ['{"a": {"b": [True, "é", b"b"]}}', { a: { b: [true, 'é', Buffer.from('b')] } }],
  ['[2**31, 2**32 - 1, 2**32, 2**53, 2**53 + 1]', [2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53, 2n ** 53n + 1n]],
  ['[-2**31, -2**31 - 1, -2**53, -2**63]', [-(2 ** 31), -(2 ** 31) - 1, -(2 ** 53), -(2n ** 63n)]],
  ['[2**64 - 1, 1e300, -0.0, math.nan]', [2n ** 64n - 1n, 1e300, -0, Number.NaN]],
  ['["x" * 70000, list(range(70000))]', ['x'.repeat(70_000), Array.from({ length: 70_000 }, (_, n) => n)]],
  ['datetime.datetime(1970, 1, 1, tzinfo=timezone.utc)', new Date(0)],
  ['datetime.datetime(2023, 11, 14, 22, 13, 20, 1999, timezone.utc)', new Date(1.7e12 + 1)],
  [
    '[datetime.datetime(1, 1, 1, tzinfo=timezone.utc), datetime.datetime(9999, 12, 31, tzinfo=timezone.utc)]',
    [new Date('0001-01-01'), new Date('9999-12-31')],
  ],
  ['{"": {"constructor": 1, "toString": 2}}', { '': { constructor: 1, toString: 2 } }],
];

test('Node reads what Python has set in a dict, and Python what Node sets of it', async (t) => {
  const dict = dictOf(t);
  const { ask } = await pythonWith(t, dict);
  for (const [expression, expected] of FROM_PYTHON) {
    t.is(await ask(`d["k"] = ${expression}`), null, expression);
    const value = dict.get('k');
    t.true(isDeepStrictEqual(value, expected), expression);
    t.true(dict.compareAndSet('k', value, value), expression);
    // To Node whole floats are as ints, times have milliseconds, and -0 inside of an object is its own.
    if (/\d\.0|1999/.test(expression)) continue;
    dict.set('back', value);
    t.is(await ask('describe(d["back"]) == describe(d["k"])'), 'True', expression);
  }
  dict.unlink();
});

test('values of Node and Python are equal where both have them', async (t) => {
  const dict = dictOf(t);
  const { ask } = await pythonWith(t, dict);
  dict.set('k', { a: 1, b: [2n ** 60n, new Date(0)] });
  const expected = '{"b": [2**60, datetime.datetime(1970, 1, 1, tzinfo=timezone.utc)], "a": 1}';
  t.is(
    await ask(`d.compare_and_set("k", {}, 1), d.compare_and_set("k", ${expected}, {"a": [2.0]})`),
    '(False, True)',
  );
  t.true(dict.compareAndSet('k', { a: [2] }, 2));
  t.is(await ask('d.compare_and_set("k", 2.0, 3.0)'), 'True');
  t.true(dict.compareAndSet('k', 3, 4));
  t.is(await ask('d.increment("k", 0.5), d.increment("k", 0.5)'), '(4.5, 5.0)');
  t.is(dict.increment('k'), 6);
  t.is(await ask('d["k"]'), '6');
  t.is(await ask('d.update({"a": 1, "b": 2.5}, c=[None])'), 'None');
  t.deepEqual(dict.toObject(), { k: 6, a: 1, b: 2.5, c: [null] });
  dict.set('only Node', new Map());
  t.is(await ask('d.copy()'), 'ShmError ERR_SHM_VALUE');
  t.is(await ask('d.increment("only Node")'), 'ShmError ERR_SHM_VALUE');
  t.is(await ask('d.compare_and_set("only Node", 1, 2), len(d), sorted(d)[-1]'), "(False, 5, 'only Node')");
  t.is(await ask('del d["only Node"]'), null);
  t.is(dict.size, 4);
  dict.unlink();
});

test('Node and Python count in one dict at once, one by one and in txns', async (t) => {
  const dict = dictOf(t);
  const { python, ask } = await pythonWith(t, dict);
  const times = 3000;
  const node = Program.node(
    t,
    `const dict = shmkit.SharedDict.attach('${dict.name}');
    say('ready');
    await told();
    for (let n = 0; n < ${times}; n++) {
      dict.increment('n');
      dict.txnSync((txn) => { txn.increment('a'); txn.increment('b', -1); });
      dict.set('node ' + (n % 100), 'x'.repeat(n % 300));
    }
    say('done');`,
  );
  t.is(await node.says(), 'ready');
  await ask(`
def work():
    for n in range(${times}):
        d.increment("n")
        with d.txn() as txn:
            txn.increment("a")
            txn.increment("b", -1)
        d[f"python {n % 100}"] = [n] * (n % 300)
        assert d["a"] > 0`);
  node.tell('go');
  python.tell(JSON.stringify('work()'));
  for (let n = 0; n < 200; n++) {
    dict.increment('n');
    const sum = dict.txnSync((txn) => Number(txn.get('a') ?? 0) + Number(txn.get('b') ?? 0), {
      readOnly: true,
    });
    t.is(sum, 0);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  t.is(await node.says(), 'done');
  t.is(await python.says(), '"None"');
  t.is(dict.get('n'), 2 * times + 200);
  t.is(dict.get('a'), 2 * times);
  t.is(dict.get('b'), -2 * times);
  t.is(dict.size, 203);
  t.is(await ask('len(d), len(d.copy()), d["n"]'), `(203, 203, ${2 * times + 200})`);
  dict.unlink();
});

test('a Python that is killed inside of a txn leaves nothing half, and keeps nobody from writing', async (t) => {
  const dict = dictOf(t);
  const { python, ask } = await pythonWith(t, dict);
  dict.assign({ a: 1, b: 1 });
  await ask('txn = d.txn(); txn.__enter__(); txn["a"] = 2; del txn["b"]');
  t.is(await ask('d["a"], txn["a"]'), '(1, 2)');
  t.is(dict.get('a'), 1);
  t.throws(() => dict.txnSync(() => undefined, { timeout: 50 }), { code: 'ERR_SHM_TIMEOUT' });
  await python.kill();
  dict.increment('a');
  t.deepEqual(dict.toObject(), { a: 2, b: 1 });
  dict.unlink();
});
