/** A `Pool` whose workers are Python's: real processes, with the Python binding. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import {
  Pool,
  segments,
  ShareableList,
  SharedArray,
  SharedDict,
  SharedEvent,
  SharedMemory,
  SharedQueue,
} from 'shmkit';

import { Program } from '../fixtures/program.js';
import { venvPython } from '../fixtures/python.js';
import { exists, freshName } from '../fixtures/segments.js';
import { until } from '../fixtures/wait.js';

const WORK = new URL('pool-python/work.py', import.meta.url);

function poolOf(t: ExecutionContext, workers = 2, module: string | URL = WORK, python = venvPython()): Pool {
  t.timeout(60_000, 'a pool that hangs');
  const pool = new Pool(module, { workers, python });
  t.teardown(() => pool.close());
  return pool;
}

/** Unlinked when the test is over. */
function kept<T extends { close(): void; unlink(): void }>(t: ExecutionContext, object: T): T {
  t.teardown(() => {
    object.close();
    object.unlink();
  });
  return object;
}

test('what both languages have arrives as it is, there and back', async (t) => {
  const pool = poolOf(t);
  const plain = [null, true, false, 0, -0, 1.5, -1, NaN, Infinity, -Infinity, 2 ** 53 - 1, 2 ** 60, 1e300];
  const texts = ['', 'ü\u0000\ud800'];
  const others = [2n ** 70n, -(2n ** 53n), Buffer.from([0, 255]), new Date(1_700_000_000_123)];
  const nested = [[], [[1], ['a']], {}, { a: { b: [1, null] } }, { $: 1, b: 2 }, { $: ['bytes', 'AA=='] }];
  const typed = [new Float64Array([1.5, NaN]), new Int8Array([-1]), new BigUint64Array([2n ** 63n])];
  const values = [...plain, ...texts, ...others, ...nested, ...typed, new Uint16Array(0)];
  t.deepEqual(await pool.map('echo', values), values);
  const kinds = async (...of: unknown[]): Promise<string> =>
    (await pool.run<string[]>('kinds', ...of)).join(' ');
  t.is(await kinds(null, undefined, true, 1, 1.5, 'a', 5n), 'NoneType NoneType bool int float str int');
  t.is(await kinds(Buffer.from(''), [1], {}, new Date()), 'bytes list dict datetime');
  t.is(await kinds(new Float32Array(2)), 'ndarray');
});

test('what only one of them has is refused, and says so', async (t) => {
  const pool = poolOf(t, 1);
  const itself: unknown[] = [];
  itself.push(itself);
  let deep: unknown = 1;
  for (let i = 0; i < 100_000; i++) deep = [deep];
  for (const value of [new Map(), () => 1, Symbol('s'), itself, deep, new Error('e'), new URL('file:///')]) {
    await t.throwsAsync(pool.run('echo', value), {
      code: 'ERR_SHM_VALUE',
      message: /^an argument of 'echo' cannot be sent to Python: /,
    });
  }
  await t.throwsAsync(pool.run('unsendable'), {
    code: 'ERR_SHM_VALUE',
    message: "the result of 'unsendable' cannot be sent to Node: the key 1 of a dict is no str",
  });
});

test('functions may be coroutines; an exception is an error with its name and traceback', async (t) => {
  const pool = poolOf(t, 1);
  t.deepEqual(await pool.map('later', [1, 2, 3]), [2, 4, 6]);
  const error = await t.throwsAsync<Error & { item: number }>(pool.map('fail', [7]), { message: 'not 7' });
  t.is(error.name, 'ValueError');
  t.is(error.item, 0);
  t.regex(error.stack!, /^ValueError: not 7\nTraceback .*\n {2}File ".*work\.py", line \d+, in fail\n/);
  t.notRegex(error.stack!, /worker\.py/);
});

test('a worker outlives exceptions of every kind, and what a function leaves behind', async (t) => {
  const pool = poolOf(t, 1);
  const pid = await pool.run('pid');
  const speechless = await t.throwsAsync(pool.run('speechless'), { message: '' });
  t.is(speechless.name, 'Speechless');
  const calledOff = await t.throwsAsync(pool.run('called_off'));
  t.is(calledOff.name, 'CancelledError');
  t.is(await pool.run('keep_view', kept(t, ShareableList.create([1, 2]))), 2);
  t.is(await pool.run('close_stdout'), null);
  t.is(await pool.run('pid'), pid);
});

test('dates come back to the millisecond', async (t) => {
  const pool = poolOf(t, 1);
  const times = [1_093_676_730_393, 1_076_009_077_182, 131_069, -1];
  const dates = [...times, ...Array.from({ length: 5000 }, (_, i) => 131_069 + i * 400_000_001)];
  const sent = dates.map((time) => new Date(time));
  t.deepEqual(await pool.run('echo', sent), sent);
});

test('a function, a module and a Python that there is not are said', async (t) => {
  const pool = poolOf(t, 1);
  for (const name of ['nothing', 'GREETING', '__name__']) {
    await t.throwsAsync(pool.run(name), { code: 'ERR_SHM_METHOD', message: /work\.py has no function / });
  }
  await t.throwsAsync(poolOf(t, 1, '/nonexistent/module.py').run('echo'), {
    code: 'ERR_SHM_MODULE',
    message: /module\.py cannot be loaded: FileNotFoundError/,
  });
  await t.throwsAsync(poolOf(t, 1, WORK, '/nonexistent/python3').run('echo'), {
    code: 'ERR_SHM_WORKER_DIED',
    message: /'\/nonexistent\/python3' could not be started: .*ENOENT/,
  });
  t.throws(() => new Pool('work.js', { python: 'python3' }), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => new Pool(WORK, { python: '' }), { code: 'ERR_INVALID_ARG_TYPE' });
});

test('which Python it was is said where it lacks something', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'shmkit-pool-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const script = (name: string, line: string): string => {
    const file = path.join(folder, name);
    writeFileSync(file, `#!/bin/sh\n${line}\n`, { mode: 0o755 });
    return file;
  };
  const ended = script('ended', 'exit 3');
  await t.throwsAsync(poolOf(t, 1, WORK, ended).run('echo'), {
    code: 'ERR_SHM_WORKER_DIED',
    message: new RegExp(`of '${ended}' died \\(exit code 3\\)`),
  });
  const pool = poolOf(t, 1, WORK, script('bare', `exec '${venvPython()}' -S "$@"`)); // has no packages
  await t.throwsAsync(pool.run('echo', new Float64Array(1)), {
    code: 'ERR_SHM_MODULE',
    message: /needs the package numpy for typed arrays: No module named 'numpy' \(.*\/python[\d.]*\)$/,
  });
  const module = path.join(folder, 'module.py');
  writeFileSync(module, 'import nothing_of_that_name');
  await t.throwsAsync(poolOf(t, 1, module).run('f'), {
    code: 'ERR_SHM_MODULE',
    message: /cannot be loaded: ModuleNotFoundError: .* \(.*\/python[\d.]*\)$/,
  });
});

test('a worker that dies is told of, with how, and replaced', async (t) => {
  const pool = poolOf(t, 1);
  await t.throwsAsync(pool.run('leave', 3), { code: 'ERR_SHM_WORKER_DIED', message: /exit code 3/ });
  await t.throwsAsync(pool.run('kill'), { code: 'ERR_SHM_WORKER_DIED', message: /SIGKILL/ });
  t.is(await pool.run('echo', 1), 1);
});

test('a chunk whose worker is killed is done once more', async (t) => {
  const pool = poolOf(t, 2);
  const counter = kept(t, SharedMemory.create(8));
  const items = Array.from({ length: 20 }, (_, value) => [counter, value] as const);
  t.deepEqual(
    await pool.map('kill_once', items, { chunk: 5 }),
    items.map(([, value]) => value),
  );
  t.true(counter.buf[0]! >= 21);
});

test('an abort is heard between items', async (t) => {
  const pool = poolOf(t, 1);
  const counter = kept(t, SharedMemory.create(8));
  const controller = new AbortController();
  const items = Array.from({ length: 1000 }, () => [counter, 0.02]);
  const mapped = pool.map('slow', items, { chunk: 1000, signal: controller.signal });
  await until('it works on the second item', () => counter.buf[0]! >= 2);
  controller.abort(new Error('enough'));
  await t.throwsAsync(mapped, { message: 'enough' });
  t.is(await pool.run('echo', 1), 1); // after the item that it was at
  t.true(counter.buf[0]! < 100);
});

test('mapArray: numpy works on parts of two arrays in place', async (t) => {
  const pool = poolOf(t);
  const input = kept(t, SharedArray.create([1000, 3]));
  const output = kept(t, SharedArray.create([1000, 3], { order: 'F' }));
  for (let i = 0; i < input.size; i++) input.data[i] = i;
  await pool.mapArray('negate', input, output, { chunk: 64 });
  for (let row = 0; row < 1000; row++) {
    t.is(output.get(row, 1), -(row * 3 + 1));
    t.is(output.get(row, 2), row - (row % 64)); // where its part began
  }
});

test('what a Python worker makes and returns is ours as well, and outlives the worker', async (t) => {
  const pool = poolOf(t, 1);
  const result = await pool.run<{ array: SharedArray<'int32'>; same: unknown }>('squares', 100);
  kept(t, result.array);
  t.is(result.same, result.array);
  await pool.close();
  t.deepEqual(segments().find(({ name }) => name === result.array.name)?.owners, [process.pid]);
  t.is(result.array.get(99), 9801);
});

test('shared objects of every kind arrive, and an argument that comes back is the very object', async (t) => {
  const pool = poolOf(t, 1);
  const dict = kept(t, SharedDict.create<unknown>());
  t.is(await pool.run('note', dict, 'from', 'Python'), dict);
  t.deepEqual(dict.toObject(), { from: 'Python' });
  const memory = kept(t, SharedMemory.create(8));
  const list = kept(t, ShareableList.create(['a']));
  t.deepEqual(await pool.run('echo', { again: [memory, memory], list }), { again: [memory, memory], list });
  await pool.run('note', list, 0, 'b');
  t.is(list.get(0), 'b');
  const queue = kept(t, SharedQueue.create({ slots: 4, shape: [3] }));
  const total = pool.run('forward', queue, 10);
  for (let i = 0; i < 10; i++) await queue.push(new Float64Array([i, 1, 1]));
  queue.end();
  t.is(await total, 10 * (45 + 20));
  await t.throwsAsync(pool.run('closes', dict), { code: 'ERR_SHM_CLOSED' });
  t.false(dict.closed);
});

test('workers end with the process of their pool, whatever they are at', async (t) => {
  const program = Program.node(
    t,
    `
    const pool = new shmkit.Pool(${JSON.stringify(WORK)}, { workers: 2, python: ${JSON.stringify(venvPython())} });
    say(String(await pool.run('sleep_behind', 600)));
    await pool.run('say_and_sleep', 600);`,
  );
  for (let worker = 0; worker < 2; worker++) t.regex((await program.says()) ?? '', /^\d+$/);
  await program.kill();
  // They have its output as theirs, which ends with the last of them.
  t.is(await program.says(), undefined);
});

test('workers end with the pool, however long the queue of calls', async (t) => {
  const pool = poolOf(t, 2);
  const pids = await Promise.all([pool.run<number>('pid'), pool.run<number>('pid')]);
  await pool.close();
  for (const pid of pids) t.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
});

test('terminate() ends workers that never come back, with what they own', async (t) => {
  const pool = poolOf(t, 1);
  const pid = await pool.run<number>('pid');
  const name = freshName(t);
  const inside = kept(t, SharedEvent.createOrAttach(freshName(t)));
  const hanging = t.throwsAsync(pool.run('hang', inside, name), {
    code: 'ERR_SHM_CLOSED',
    message: 'the pool was terminated',
  });
  await inside.wait();
  t.true(exists(name));
  await pool.terminate();
  await hanging;
  t.false(exists(name));
  t.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
});
