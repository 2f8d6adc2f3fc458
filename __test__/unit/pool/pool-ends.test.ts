/** Workers that die, and pools that end. */
import test from 'ava';
import { Pool } from 'shmkit';
import type { WorkerDiedError } from 'shmkit';

import { Program } from '../../fixtures/program.js';
import { exists, freshName } from '../../fixtures/segments.js';
import { until } from '../../fixtures/wait.js';
import { WORK, WATCHDOG, poolOf, memoryOf, eventOf, isAlive, ownersOf, upTo } from './common.js';

const TERMINATED = { code: 'ERR_SHM_CLOSED', message: 'the pool was terminated' };

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
