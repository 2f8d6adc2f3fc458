/** What workers are called with, what they answer, and when they start. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import test from 'ava';
import { Pool, SharedMemory } from 'shmkit';

import { Program } from '../../fixtures/program.js';
import { TYPESCRIPT } from '../../fixtures/typescript.js';
import { until } from '../../fixtures/wait.js';
import { WORK, WORK_SOURCE, WATCHDOG, poolOf, memoryOf, isAlive, upTo } from './common.js';

const PLAIN = new URL('plain.mjs', import.meta.url);

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

test.serial('workers have the flags of their parent: its loader of TypeScript, too', async (t) => {
  const program = Program.node(
    t,
    `const pool = new shmkit.Pool('${WORK_SOURCE.href}', { workers: 1 });
    say(String(await pool.run('double', 21)));
    await pool.close();`,
    [TYPESCRIPT],
  );
  t.is(await program.says(), '42');
  t.is(await program.ends(), 0);
});

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
  t.regex(plain.stack!, /at fail \(/, 'the stack is that of the worker');

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
