/** Worker processes that share memory with us, and what becomes of everything when one of them dies. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import { Pool, segments, ShareableList, SharedEvent, SharedMemory, SharedMutex } from 'shmkit';
import type { WorkerDiedError } from 'shmkit';

import { Program } from '../../fixtures/program.js';
import { exists, freshName } from '../../fixtures/segments.js';
import { until } from '../../fixtures/wait.js';
import { TYPESCRIPT } from '../../fixtures/typescript.js';

const WORK = new URL('../../fixtures/pool-work.ts', import.meta.url);
const PLAIN = new URL('plain.mjs', import.meta.url);
const WATCHDOG = 60_000;

function poolOf(t: ExecutionContext, workers = 2, module: string | URL = WORK): Pool {
  t.timeout(WATCHDOG, 'a pool that hangs');
  const pool = new Pool(module, { workers });
  t.teardown(() => pool.close());
  return pool;
}

function memoryOf(t: ExecutionContext, size = 64): SharedMemory {
  const shm = SharedMemory.create(size, { name: freshName(t) });
  t.teardown(() => shm.close());
  return shm;
}

function eventOf(t: ExecutionContext): SharedEvent {
  const event = SharedEvent.createOrAttach(freshName(t));
  t.teardown(() => event.close());
  return event;
}

/** Removes with the test what a worker made and named itself. */
function removed<T extends { close(): void; unlink(): void }>(t: ExecutionContext, object: T): T {
  t.teardown(() => {
    object.close();
    object.unlink();
  });
  return object;
}

/** Of a DOMException, which is no native error to `throwsAsync`. */
const nameOf = (error: Error): string => error.name;
const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`);
const ownersOf = (name: string): number[] | undefined =>
  segments().find((info) => info.name === name)?.owners;
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

// Calls

test.serial('what can be cloned arrives as it is, there and back', async (t) => {
  const pool = poolOf(t);
  const cyclic: { self?: unknown; list: unknown[] } = { list: [] };
  cyclic.self = cyclic;
  cyclic.list.push(cyclic);
  const sparse = [1, , { three: 3 }]; // eslint-disable-line no-sparse-arrays
  const bytes = [Buffer.from('bytes'), new Float64Array([1.5]), new Uint8Array([1]).buffer];
  const inside = [new Map<unknown, unknown>([[{ key: 1 }, new Set(['a', [1n]])]]), sparse];
  const odd = [new Date(5), /x/gi, JSON.parse('{"__proto__":1}')];
  const values = [1, -0, 2n ** 70n, 'tëxt', true, null, undefined, NaN, ...bytes, ...inside, ...odd];
  t.deepEqual(await pool.run('echo', ...values), values);
  const [back] = await pool.run<[typeof cyclic]>('echo', cyclic);
  t.is(back.self, back);
  t.is(back.list[0], back);
});

test.serial('functions may be asynchronous, and are called in other processes', async (t) => {
  const pool = poolOf(t);
  t.is(await pool.run('double', 21), 42);
  t.is(await pool.run('doubleLater', 21), 42);
  const pid = await pool.run<number>('pid');
  t.not(pid, process.pid);
  t.true(isAlive(pid));
});

test.serial(
  'a module is an ES module or CommonJS, by URL or by path; a relative path is one from here',
  async (t) => {
    for (const name of ['plain.mjs', 'plain.cjs']) {
      const url = new URL(name, import.meta.url);
      const file = fileURLToPath(url);
      for (const module of [url, url.href, file, path.relative(process.cwd(), file)]) {
        const pool = poolOf(t, 1, module);
        t.deepEqual([await pool.run('triple', 2), await pool.run('later', 2)], [6, 8], String(module));
        await pool.close();
      }
    }
  },
);

test.serial('what a function throws is thrown here: its class, code, cause and properties', async (t) => {
  const pool = poolOf(t, 1);
  const pid = await pool.run('pid');
  const plain = await t.throwsAsync<Error>(pool.run('fail', 'oops'), {
    instanceOf: TypeError,
    message: 'oops',
  });
  const cause = plain.cause as Error & { code: string; list: Set<number> };
  t.true(cause instanceof RangeError);
  t.deepEqual([cause.message, cause.code, cause.list], ['the cause', 'ECAUSE', new Set([1])]);
  t.regex(plain.stack!, /work\.ts/, 'the stack is that of the worker');

  const odd = await t.throwsAsync(pool.run('failOddly'), { instanceOf: TypeError, code: 'ETEA' });
  t.is(odd.name, 'TeaError');
  t.false('details' in odd, 'what cannot be sent is left out');
  t.is(await pool.run('throwText').catch((thrown: unknown) => thrown), 'just text');
  t.is(await pool.run('pid'), pid, 'a throw does not cost the worker');
});

test.serial('errors are values as well, in arguments and results, with cycles in them', async (t) => {
  const pool = poolOf(t);
  const error = Object.assign(new AggregateError([new SyntaxError('in it')], 'all'), { code: 'EALL' });
  Object.assign(error, { self: error, when: new Date(1) });
  const [back, abort] = await pool.run<[typeof error & { self: unknown }, DOMException]>(
    'echo',
    error,
    AbortSignal.abort().reason,
  );
  t.true(back instanceof AggregateError && back.errors[0] instanceof SyntaxError);
  t.is(back.self, back);
  t.deepEqual([back.message, back.code], ['all', 'EALL']);
  t.true(abort instanceof DOMException);
  t.deepEqual([abort.name, abort.code], ['AbortError', 20]);
});

test.serial('a function that there is not is said, and nothing that an object inherits is one', async (t) => {
  const pool = poolOf(t);
  for (const name of ['nope', 'notAFunction', 'toString', 'constructor', '__proto__', '']) {
    await t.throwsAsync(pool.run(name), { code: 'ERR_SHM_METHOD' }, name);
  }
  let taken = 0;
  const items = (function* () {
    for (;;) yield ++taken;
  })();
  await t.throwsAsync(pool.map('nope', items), { code: 'ERR_SHM_METHOD' });
  t.is(taken, 0, 'before an item is taken');
});

test.serial('a module that cannot be loaded is said, with the reason, and can be mended', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'shmkit-pool-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'module.mjs');
  const pool = poolOf(t, 1, file);
  const missing = await t.throwsAsync<Error>(pool.run('f'), {
    code: 'ERR_SHM_MODULE',
    message: /module\.mjs/,
  });
  t.is((missing.cause as { code: string }).code, 'ERR_MODULE_NOT_FOUND');
  writeFileSync(file, 'export const f = ;');
  const broken = await t.throwsAsync<Error>(pool.map('f', [1]), { code: 'ERR_SHM_MODULE' });
  t.true(broken.cause instanceof SyntaxError);
  writeFileSync(file, 'export const f = (n) => n;');
  t.is(await pool.run('f', 7), 7);
  writeFileSync(file, 'process.exit(9);');
  const quits = poolOf(t, 1, file);
  await t.throwsAsync(quits.run('f'), { code: 'ERR_SHM_WORKER_DIED', message: /exit code 9/ });
});

test.serial('what cannot be sent is refused, before anything else, and costs nothing', async (t) => {
  const pool = poolOf(t, 1);
  const pid = await pool.run('pid');
  for (const bad of [() => 1, Symbol('s'), new SharedArrayBuffer(8), { deep: new Map([[1, [() => 1]]]) }]) {
    await t.throwsAsync(pool.run('nope', bad), { code: 'ERR_SHM_VALUE', message: /an argument of 'nope'/ });
  }
  class Holder {
    shm = memoryOf(t);
  }
  await t.throwsAsync(pool.run('echo', new Holder()), {
    code: 'ERR_SHM_VALUE',
    message: /send its toJSON\(\)/,
  });
  const at = await t.throwsAsync<Error & { item?: number }>(
    pool.map('echo', [1, 2, () => 3, 4], { chunk: 2 }),
    { code: 'ERR_SHM_VALUE' },
  );
  t.is(at.item, 2);
  await t.throwsAsync(pool.run('unsendable'), {
    code: 'ERR_SHM_VALUE',
    message: /the result of 'unsendable'/,
  });
  t.is(await pool.run('pid'), pid);
});

test.serial('arguments and options are checked at the door', async (t) => {
  const type = { code: 'ERR_INVALID_ARG_TYPE' };
  const range = { code: 'ERR_OUT_OF_RANGE' };
  for (const bad of [1, null, undefined, '', {}, new URL('https://example.org/x.js')]) {
    t.throws(() => new Pool(bad as string), type);
  }
  t.throws(() => new Pool(WORK, { workers: '2' as never }), type);
  t.throws(() => new Pool(WORK, { worker: 2 } as never), type);
  for (const bad of [0, -1, 1.5, NaN]) t.throws(() => new Pool(WORK, { workers: bad }), range);
  const pool = poolOf(t);
  await t.throwsAsync(pool.run(1 as never), type);
  await t.throwsAsync(pool.map('double', 5 as never), type);
  await t.throwsAsync(pool.map('double', [], { chunks: 5 } as never), type);
  await t.throwsAsync(pool.map('double', [], { chunk: 0 }), range);
  await t.throwsAsync(pool.map('double', [], { onProgress: 5 as never }), type);
  await t.throwsAsync(pool.map('double', [], { signal: {} as never }), type);
});

// Shared objects

test.serial('a shared object arrives attached to the same memory', async (t) => {
  const pool = poolOf(t);
  const shm = memoryOf(t);
  t.is(await pool.run('fill', shm, 0xa5), 64);
  t.true(shm.buf.every((byte) => byte === 0xa5));
});

test.serial('shared objects of every kind arrive, wherever they are, each of them once', async (t) => {
  const pool = poolOf(t);
  const shm = memoryOf(t);
  shm.buf.write('howdy');
  using list = ShareableList.create([1, 'two', null], { name: freshName(t) });
  using mutex = SharedMutex.createOrAttach(freshName(t));
  const event = eventOf(t);
  const found = await pool.run('inspect', {
    memory: [shm, shm],
    byName: new Map<string, unknown>([
      ['list', list],
      ['mutex', mutex],
    ]),
    events: new Set([event]),
  });
  t.deepEqual(found, { same: true, text: 'howdy', items: [1, 'two', null], had: true });
  t.true(event.isSet);
});

test.serial('a worker closes what it was given when the call is over, also when that failed', async (t) => {
  const pool = poolOf(t, 1);
  await pool.run('keep', memoryOf(t));
  t.true(await pool.run('isKeptClosed'));
  const shm = memoryOf(t);
  const pid = await pool.run<number>('pid');
  await t.throwsAsync(
    pool.run('keep', shm, () => 1),
    { code: 'ERR_SHM_VALUE' },
  );
  await t.throwsAsync(pool.run('fail', shm));
  await pool.run('pid');
  t.deepEqual(segments().find(({ name }) => name === shm.name)?.attached, [process.pid]);
  t.true(isAlive(pid));
});

test.serial('a closed object is not sent, and one that was unlinked is not found', async (t) => {
  const pool = poolOf(t);
  const shm = memoryOf(t);
  shm.unlink();
  await t.throwsAsync(pool.run('fill', shm, 1), { code: 'ENOENT' });
  shm.close();
  await t.throwsAsync(pool.run('fill', shm, 1), { code: 'ERR_SHM_CLOSED' });
});

test.serial('an argument that comes back is the very object that was sent', async (t) => {
  const pool = poolOf(t);
  const shm = memoryOf(t);
  const { again } = await pool.run<{ again: SharedMemory[] }>('giveBack', shm);
  t.is(again[0], shm);
  t.is(again[1], shm);
  t.false(shm.closed);
  const other = await pool.run<SharedMemory>('reattach', shm);
  t.not(other, shm, 'one that the function attached to is another handle');
  other.buf[0] = 77;
  t.is(shm.buf[0], 77);
  other.close();
});

test.serial('what a worker made and returns is ours as well, and outlives the worker', async (t) => {
  const pool = poolOf(t, 1);
  const pid = await pool.run<number>('pid');
  const shm = removed(t, await pool.run<SharedMemory>('make', 9));
  t.deepEqual(ownersOf(shm.name)?.sort(), [pid, process.pid].sort());
  t.true(await pool.run('isKeptClosed'), 'the worker has let go of it');
  process.kill(pid, 'SIGKILL');
  await until('the worker has let go of it', () => ownersOf(shm.name)?.length === 1);
  t.deepEqual(ownersOf(shm.name), [process.pid]);
  t.true(exists(shm.name));
  t.is(shm.buf[63], 9);
});

test.serial('results hold shared objects of every kind, anywhere, and so do those of map', async (t) => {
  const pool = poolOf(t);
  const made = await pool.run<{ memory: SharedMemory; list: ShareableList; mutex: SharedMutex }>('makeMany');
  for (const object of Object.values(made)) removed(t, object);
  t.is(made.memory.buf[0], 1);
  t.deepEqual(made.list.toArray(), [1, 'two']);
  made.mutex.lockSync().unlock();
  const all = await pool.map<number, SharedMemory>('make', upTo(10), { chunk: 3 });
  t.deepEqual(
    all.map((shm) => removed(t, shm).buf[5]),
    upTo(10),
  );
});

test.serial('what nobody owns, nobody owns after it was returned', async (t) => {
  const pool = poolOf(t, 1);
  const name = freshName(t);
  using made = await pool.run<SharedMemory>('make', 3, { track: false, name });
  t.is(made.buf[0], 3);
  t.deepEqual(ownersOf(name), []);
  using attached = await pool.run<SharedMemory>('attachTo', name);
  t.is(attached.buf[0], 3);
  t.deepEqual(ownersOf(name), []);
});

test.serial(
  'an object of a worker that dies at once is ours, or its death is told: nothing in between',
  async (t) => {
    const pool = poolOf(t);
    await Promise.all(
      upTo(12).map(async () => {
        const result: unknown = await pool.run('makeAndDie').catch((error: unknown) => error);
        if (result instanceof SharedMemory) {
          removed(t, result);
          t.true(ownersOf(result.name)?.includes(process.pid));
        } else {
          t.is((result as WorkerDiedError).code, 'ERR_SHM_WORKER_DIED');
        }
      }),
    );
  },
);

// Deaths

test.serial('a worker that dies is told of, with how and at what, and replaced', async (t) => {
  const pool = poolOf(t, 1);
  const died = { code: 'ERR_SHM_WORKER_DIED' };
  const exit = await t.throwsAsync<WorkerDiedError>(pool.run('exit', 3), died);
  t.deepEqual([exit.method, exit.exitCode, exit.signal], ['exit', 3, null]);
  const killed = await t.throwsAsync<WorkerDiedError>(pool.run('killMe'), died);
  t.deepEqual([killed.method, killed.exitCode, killed.signal], ['killMe', null, 'SIGKILL']);
  t.false(isAlive(killed.pid!), 'and no zombie of it is left');
  t.is(await pool.run('double', 2), 4);
});

test.serial('a run whose worker dies is not tried again', async (t) => {
  const pool = poolOf(t, 1);
  const seen = memoryOf(t);
  await t.throwsAsync(pool.run('dieAt', [3, 3, 9, seen]), { code: 'ERR_SHM_WORKER_DIED' });
  t.is(new Int32Array(seen.buffer)[3], 1);
});

test.serial('calls that wait behind one whose worker dies are done by another worker', async (t) => {
  const pool = poolOf(t, 1);
  const dying = t.throwsAsync(pool.run('killMe'), { code: 'ERR_SHM_WORKER_DIED' });
  t.deepEqual(await Promise.all(upTo(5).map((n) => pool.run('double', n))), [0, 2, 4, 6, 8]);
  await dying;
});

test.serial('a worker that is killed while it has nothing to do is not noticed', async (t) => {
  const pool = poolOf(t, 1);
  for (let round = 0; round < 5; round++) {
    const pid = await pool.run<number>('pid');
    process.kill(pid, 'SIGKILL');
    t.is(await pool.run('double', round), round * 2); // at once, or after its death was heard of
    if (round % 2 === 0) await until('the worker is gone', () => !isAlive(pid));
  }
});

test.serial('when all workers are killed at once, the next calls are done by new ones', async (t) => {
  const pool = poolOf(t, 5);
  const pids = await Promise.all(upTo(5).map(() => pool.run<number>('pid')));
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  t.deepEqual(await Promise.all(upTo(5).map((n) => pool.run('double', n))), [0, 2, 4, 6, 8]);
});

test.serial('close() ends when all workers were killed', async (t) => {
  const pool = poolOf(t, 2);
  const pids = new Set(await pool.map<number, number>('pid', upTo(4), { chunk: 1 }));
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await pool.close();
  t.false([...pids].some(isAlive));
});

test.serial('map tries the chunk of a worker that died once more', async (t) => {
  const pool = poolOf(t);
  const seen = memoryOf(t, 400);
  const items = upTo(30).map((n) => [n, 17, 1, seen]);
  t.deepEqual(await pool.map('dieAt', items, { chunk: 5 }), upTo(30));
  const counters = new Int32Array(seen.buffer);
  for (const n of upTo(30)) t.is(counters[n], n >= 15 && n <= 17 ? 2 : 1, `item ${n}`);
});

test.serial('map gives a chunk up whose worker dies twice, and says which', async (t) => {
  const pool = poolOf(t);
  const seen = memoryOf(t, 400);
  const items = upTo(30).map((n) => [n, 17, 9, seen]);
  const error = await t.throwsAsync<WorkerDiedError>(pool.map('dieAt', items, { chunk: 5 }), {
    code: 'ERR_SHM_WORKER_DIED',
  });
  t.deepEqual(error.items, { from: 15, to: 20 });
  t.deepEqual([error.method, error.signal], ['dieAt', 'SIGKILL']);
  t.is(new Int32Array(seen.buffer)[17], 2);
  t.is(await pool.run('double', 2), 4);
});

// Map

test.serial('map gives the results in the order of the items, whatever they come from', async (t) => {
  const pool = poolOf(t);
  const wanted = upTo(100).map((n) => n * 2);
  const generator = (function* () {
    yield* upTo(100);
  })();
  for (const items of [upTo(100), new Set(upTo(100)), Uint8Array.from(upTo(100)), generator]) {
    t.deepEqual(await pool.map<number, number>('doubleLater', items), wanted);
  }
  for (const chunk of [1, 7, 100, 1000]) t.deepEqual(await pool.map('double', upTo(100), { chunk }), wanted);
  t.deepEqual(await pool.map('double', []), []);
  const nested = [[1], [[2]], []];
  t.deepEqual(
    await pool.map('echo', nested),
    nested.map((item) => [item]),
  );
});

test.serial('map says how far it is, up to all', async (t) => {
  const pool = poolOf(t);
  const told: [number, number][] = [];
  await pool.map('double', upTo(10), { chunk: 4, onProgress: (...now) => told.push(now) });
  t.is(told.length, 3);
  t.true(told.every(([, total]) => total === 10));
  t.deepEqual(told.at(-1), [10, 10]);
  told.length = 0;
  await pool.map('double', new Set(upTo(10)).values(), { onProgress: (...now) => told.push(now) });
  t.deepEqual(told.at(-1), [10, 10]);
  await t.throwsAsync(
    pool.map('double', upTo(10), {
      onProgress: () => {
        throw new Error('from onProgress');
      },
    }),
    { message: 'from onProgress' },
  );
});

test.serial('map takes no more items than its workers can begin with', async (t) => {
  const pool = poolOf(t, 2);
  const counters = memoryOf(t);
  const goOn = eventOf(t);
  let taken = 0;
  const items = (function* () {
    for (; taken < 20;) yield [counters, goOn, taken++];
  })();
  const mapped = pool.map('holdEach', items, { chunk: 3 });
  await until('both have begun', () => new Int32Array(counters.buffer)[0] === 2);
  t.true(taken <= 9, `${taken} items for two workers, three at a time`);
  goOn.set();
  t.deepEqual(await mapped, upTo(20));
});

test.serial('map ends with the first error, which says the item, and begins no further one', async (t) => {
  const pool = poolOf(t, 1);
  let closed = false;
  const items = (function* () {
    try {
      for (let n = 0; ; n++) yield n;
    } finally {
      closed = true;
    }
  })();
  const error = await t.throwsAsync<Error & { item: number }>(pool.map('failAtSeven', items, { chunk: 3 }), {
    code: 'ENOT',
    message: 'not 7',
  });
  t.is(error.item, 7);
  await until('the pool is closed', () => closed);
  t.is(await pool.run('double', 2), 4);
});

test.serial('an error of the iterable is the error of map', async (t) => {
  const pool = poolOf(t);
  const items = (function* () {
    yield 1;
    throw new Error('no more items');
  })();
  await t.throwsAsync(pool.map('double', items), { message: 'no more items' });
});

test.serial('what workers made for a map that fails is closed here, and goes with the pool', async (t) => {
  const pool = poolOf(t, 1);
  const ours = (): string[] =>
    segments().flatMap(({ name, owners }) => (owners.includes(process.pid) ? [name] : []));
  const before = ours();
  const items = [1, 2, () => 3];
  await t.throwsAsync(pool.map('make', items, { chunk: 1 }), { code: 'ERR_SHM_VALUE' });
  const attached = segments().filter(({ owners }) => owners.includes(process.pid));
  const pid = await pool.run<number>('pid');
  t.false(attached.some(({ owners, attached: by }) => owners.includes(pid) && by.includes(process.pid)));
  t.is(ours().length, before.length + 2);
  await pool.close();
  t.deepEqual(ours(), before);
});

// Aborts

test.serial('an abort ends an endless map at once, with its reason; the pool stays usable', async (t) => {
  const pool = poolOf(t);
  const controller = new AbortController();
  let taken = 0;
  let closed = false;
  const items = (function* () {
    try {
      for (;;) yield taken++;
    } finally {
      closed = true;
    }
  })();
  const reason = new Error('enough');
  const mapped = pool.map('double', items, {
    signal: controller.signal,
    onProgress: (done) => done >= 100 && controller.abort(reason),
  });
  t.is(await mapped.catch((error: unknown) => error), reason);
  await until('the pool is closed', () => closed);
  t.true(taken < 110, `${taken} items taken for 100 done`);
  t.is(await pool.run('double', 2), 4);
  t.is(await pool.map('double', [1], { signal: AbortSignal.abort() }).catch(nameOf), 'AbortError');
});

test.serial(
  'an abort waits for nobody: the item that a worker is at ends later, and the rest is not begun',
  async (t) => {
    const pool = poolOf(t, 1);
    const controller = new AbortController();
    const counters = memoryOf(t);
    const begun = new Int32Array(counters.buffer);
    const goOn = eventOf(t);
    const items = upTo(10).map((n) => [counters, goOn, n]);
    const mapped = pool.map('holdEach', items, { chunk: 10, signal: controller.signal });
    await until('the call has begun', () => begun[0] === 1);
    controller.abort();
    t.is(await mapped.catch(nameOf), 'AbortError');
    goOn.set();
    t.is(await pool.run('double', 2), 4, 'by the same worker, after that item');
    t.is(begun[0], 1);
  },
);

test.serial('an abort is heard between items that leave no time for it', async (t) => {
  const pool = poolOf(t, 1);
  const controller = new AbortController();
  const counters = memoryOf(t);
  const begun = new Int32Array(counters.buffer);
  const items = upTo(10_000).map(() => [counters, 5]);
  const mapped = pool.map('busyFor', items, { chunk: 10_000, signal: controller.signal });
  await until('a call has begun', () => begun[0]! > 0);
  controller.abort();
  t.is(await mapped.catch(nameOf), 'AbortError');
  await pool.close();
  t.true(begun[0]! < 5000, 'the rest of the chunk was not begun');
});

// The end

test.serial('close() waits for what is running, ends the workers, and takes no more work', async (t) => {
  const pool = poolOf(t);
  const [inside, goOn] = [eventOf(t), eventOf(t)];
  const running = pool.run('hold', inside, goOn);
  const mapped = pool.map<number, number>('pid', upTo(20), { chunk: 1 });
  await inside.wait();
  let closed = false;
  const closing = pool.close();
  t.is(pool.close(), closing, 'idempotent');
  void closing.then(() => (closed = true));
  await t.throwsAsync(pool.run('double', 1), { code: 'ERR_SHM_CLOSED' });
  await t.throwsAsync(pool.map('double', [1]), { code: 'ERR_SHM_CLOSED' });
  const pids = new Set(await mapped);
  t.is(pids.size, 1, 'the other one is held');
  t.false(closed);
  goOn.set();
  t.is(await running, 'went on');
  await closing;
  t.false([...pids].some(isAlive), 'neither a process nor a zombie');
});

test.serial('a pool that was never used, and one in `await using`, leave nothing', async (t) => {
  await poolOf(t).close();
  let pid: number;
  {
    await using pool = new Pool(WORK, { workers: 1 });
    pid = await pool.run<number>('pid');
  }
  t.false(isAlive(pid));
});

test.serial('a worker that does not end when it is told to is killed', async (t) => {
  const pool = poolOf(t, 1);
  const pid = await pool.run<number>('neverEnd');
  await pool.close();
  t.false(isAlive(pid));
});

const TERMINATED = { code: 'ERR_SHM_CLOSED', message: 'the pool was terminated' };

test.serial(
  'terminate() ends workers that never come back, all calls, and a close() that waits',
  async (t) => {
    const pool = poolOf(t, 2);
    const pids = await Promise.all([pool.run<number>('pid'), pool.run<number>('pid')]);
    const events = [eventOf(t), eventOf(t)];
    const hanging = events.map((inside) => pool.run('hang', inside));
    const waiting = [
      pool.run('double', 1),
      pool.map('double', upTo(5)),
      pool.map('double', new Set([1]).values()),
    ];
    const calls = [...hanging, ...waiting].map((call) => t.throwsAsync(call, TERMINATED));
    const were = hanging[1]!.catch(() => pids.map(isAlive));
    for (const event of events) await event.wait();
    const closing = pool.close();
    const ending = pool.terminate();
    t.is(pool.terminate(), ending, 'idempotent');
    t.deepEqual(await were, [true, true], 'a call fails at once, and not when its worker is dead');
    await ending;
    t.false(pids.some(isAlive), 'neither a process nor a zombie');
    await Promise.all(calls);
    await closing;
    await t.throwsAsync(pool.run('double', 1), TERMINATED);
    await t.throwsAsync(pool.map('double', [1]), TERMINATED);
    await pool.close();
    await pool.terminate();
  },
);

test.serial('terminate() ends a map, with what it has taken over, and nothing else', async (t) => {
  const pool = poolOf(t, 1);
  const inside = eventOf(t);
  const ours = memoryOf(t);
  const names = upTo(4).map(() => freshName(t));
  const [held] = names;
  let taken = 0;
  let closed = false;
  const items = (function* () {
    try {
      yield { name: ours.name };
      for (const name of names) yield { name };
      for (;;) yield { name: held, inside: (taken++, inside) };
    } finally {
      closed = true;
    }
  })();
  const mapped = pool.map('ownOrHang', items, { chunk: 1 });
  const failed = t.throwsAsync(mapped, TERMINATED);
  await inside.wait();
  for (const name of names) t.is(ownersOf(name)?.length, 2, 'the worker and we');
  await pool.terminate();
  await failed;
  t.true(closed);
  t.is(taken, 1);
  t.deepEqual(names.filter(exists), [], 'nobody has them any more');
  t.deepEqual(ownersOf(ours.name), [process.pid]);
});

test.serial('terminate() while workers start, from anywhere, leaves no process and no segment', async (t) => {
  t.timeout(WATCHDOG);
  const name = freshName(t);
  const program = Program.node(
    t,
    `process.env.SHMKIT_TRACKER = 'off';
    const poolOf = () => new shmkit.Pool('${WORK.href}', { workers: 2 });
    const codes = async (calls) => say((await Promise.allSettled(calls)).map(({ reason }) => reason?.code).join());
    await poolOf().terminate();
    const asked = poolOf();
    const first = codes([asked.run('pid'), asked.run('pid'), asked.map('pid', [1]), asked.terminate()]);
    const starting = poolOf();
    const second = codes([starting.run('pid'), starting.run('pid'), starting.run('pid')]);
    await new Promise(setImmediate); // their processes are there
    await Promise.all([starting.terminate(), starting.close(), starting.terminate()]);
    await first;
    await second;
    const used = poolOf();
    const inside = SharedEvent.createOrAttach('${name}e');
    const third = codes([used.run('ownOrHang', { name: '${name}', inside })]);
    await inside.wait();
    await used.terminate();
    await third;
    inside.unlink();
    say(String(shmkit.segments().some((info) => info.name === '${name}')));
    const closed = poolOf();
    await closed.run('pid');
    await closed.close();
    await closed.terminate();
    poolOf().run('exit', 0).catch(() => say('over'));`,
    [TYPESCRIPT],
  );
  const code = 'ERR_SHM_CLOSED';
  t.is(await program.says(), `${code},${code},${code},`);
  t.is(await program.says(), `${code},${code},${code}`);
  t.is(await program.says(), code);
  t.is(await program.says(), 'false', 'what its worker owned is gone, without a tracker');
  t.is(await program.says(), 'over');
  t.is(await program.ends(), 0);
  // Workers have its output as theirs, which ends with the last of them.
  t.is(await program.says(), undefined);
});

test.serial('what a module exports may be told to the compiler', async (t) => {
  t.timeout(WATCHDOG);
  await using pool = new Pool<typeof import('../../fixtures/pool-work.js')>(WORK, { workers: 1 });
  const four: number = await pool.run('doubleLater', 2);
  const all: number[] = await pool.map('double', [1, 2]);
  using shm: SharedMemory = await pool.run('make', 7, { track: true });
  t.deepEqual([four, ...all, shm.buf[0]], [4, 2, 4, 7]);
  shm.unlink();
  const refused = (): unknown => [
    // @ts-expect-error there is no such function
    pool.run('nope'),
    // @ts-expect-error it is a number
    pool.run('notAFunction'),
    // @ts-expect-error it takes a number
    pool.run('double', '2'),
    // @ts-expect-error each of these has to be a number
    pool.map('double', ['2']),
    // @ts-expect-error it takes two arguments
    pool.map('hold', [1]),
    // @ts-expect-error it gives a number
    pool.run('double', 2).then((text: string) => text),
  ];
  t.is(typeof refused, 'function');
});

test.serial('there are as many workers as asked for at most, started when they are needed', async (t) => {
  const pool = poolOf(t, 3);
  t.true(new Set(await Promise.all(upTo(30).map(() => pool.run<number>('pid')))).size <= 3);
  const lazy = new Pool(WORK);
  t.teardown(() => lazy.close());
  const first = await lazy.run('pid');
  t.is(await lazy.run('pid'), first, 'no second one for calls one after the other');
});

test.serial(
  'a pool with nothing to do does not keep a program alive, and its workers go with it',
  async (t) => {
    t.timeout(WATCHDOG);
    const program = Program.node(
      t,
      `const pool = new shmkit.Pool('${PLAIN.href}', { workers: 2 });
    say(String(await pool.map('triple', [1, 2, 3])));
    say((await pool.run('pid')).toString());`,
    );
    t.is(await program.says(), '3,6,9');
    const pid = Number(await program.says());
    t.is(await program.ends(), 0);
    await until('the worker is gone', () => !isAlive(pid));
    t.pass();
  },
);

test.serial('a pool at work keeps the program alive until it is done', async (t) => {
  t.timeout(WATCHDOG);
  const program = Program.node(t, `new shmkit.Pool('${PLAIN.href}').run('slowly', 200).then(say);`);
  t.is(await program.says(), 'done');
  t.is(await program.ends(), 0);
});

test.serial('when a program is killed, its workers end, at work or not', async (t) => {
  t.timeout(WATCHDOG);
  const program = Program.node(
    t,
    `const pool = new shmkit.Pool('${PLAIN.href}', { workers: 2 });
    const both = await Promise.all([pool.run('pid'), pool.run('pid')]);
    say(both.join(' '));
    pool.run('sayAndStay');
    await told();`,
  );
  const pids = (await program.says())!.split(' ').map(Number);
  t.is(new Set(pids).size, 2);
  t.true(pids.includes(Number(await program.says())), 'one of them is at work');
  await program.kill();
  await until('the workers are gone', () => !pids.some(isAlive));
  t.pass();
});

test.serial('a CommonJS program has pools, too', async (t) => {
  t.timeout(WATCHDOG);
  const program = Program.run(t, process.execPath, [
    '-e',
    `const { Pool } = require('shmkit');
    new Pool(${JSON.stringify(fileURLToPath(PLAIN))}).run('triple', 14).then(console.log);`,
  ]);
  t.is(await program.says(), '42');
  t.is(await program.ends(), 0);
});
