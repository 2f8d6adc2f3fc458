import { fileURLToPath } from 'node:url';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import { SharedEvent, SharedMemory, SharedMutex } from 'shmkit';

import { Program } from '../fixtures/program.js';
import { findPythons } from '../fixtures/python.js';
import { freshName } from '../fixtures/segments.js';
import { shareOfStress } from './share.js';

const pythons = await findPythons();
const wheel = fileURLToPath(new URL('../../.cache/python', import.meta.url));
shareOfStress('holders are killed at random points', 'locks', 12, /^12 kills/);
shareOfStress('holders are terminated at random points', 'terminations', 12, /^12 terminations/);
shareOfStress(
  'hand-overs in every way of waiting',
  'handoffs',
  1500,
  /^13500 hand-overs in 9 ways of waiting/,
);
shareOfStress(
  'Node and Python add to the same counters',
  'increments',
  10_000,
  /: 40000 in the mutex, 40000 in txns/,
);

for (const { version, path } of pythons) {
  /** `say(line)` and `told()` are the conversation. */
  const python = (t: ExecutionContext, code: string): Program =>
    Program.run(
      t,
      path,
      [
        '-c',
        `import sys, shmkit\nsay = lambda line: print(line, flush=True)\ntold = sys.stdin.readline\n${code}`,
      ],
      { ...process.env, PYTHONPATH: wheel },
    );

  test(`Node and Python ${version} wait for each other, and each is told of the other's death`, async (t) => {
    const mutex = SharedMutex.createOrAttach(freshName(t));
    const code = `
mutex = shmkit.SharedMutex.attach("${mutex.name}")
guard = mutex.lock()
say(guard.owner_died)
told()
guard.unlock()
say("let go")
told()
say(mutex.lock(timeout=20).owner_died)
told()`;
    const holder = python(t, code);
    t.is(await holder.says(), 'False');
    t.is(mutex.tryLock(), undefined);
    const waiting = mutex.lock();
    holder.tell('let go');
    const guard = await waiting;
    t.false(guard.ownerDied);
    t.is(await holder.says(), 'let go');
    holder.tell('take it again');
    guard.unlock();
    t.is(await holder.says(), 'False');
    await holder.kill();
    const next = mutex.lockSync();
    t.true(next.ownerDied);
    next.unlock();

    const dying = Program.node(
      t,
      `SharedMutex.attach('${mutex.name}').lockSync(); say('has it'); await told();`,
    );
    t.is(await dying.says(), 'has it');
    const heir = python(t, code);
    await dying.kill();
    t.is(await heir.says(), 'True');
    mutex.close();
    mutex.unlink();
  });

  test(`txns keep Node and Python ${version} apart, and their readers together`, async (t) => {
    const shm = SharedMemory.create(64, { name: freshName(t) });
    const user = python(
      t,
      `
shm = shmkit.SharedMemory.attach("${shm.name}")
with shm.txn() as txn:
    txn[0], txn[-1] = 7, 8
    txn[1:4] = b"abc"
    say("inside")
    told()
with shm.txn(read_only=True) as txn:
    say("reads")
    told()
try:
    with shm.txn() as txn:
        raise ValueError
except ValueError:
    say("failed")
told()`,
    );
    t.is(await user.says(), 'inside');
    t.throws(() => shm.txnSync({ timeout: 5 }), { code: 'ERR_SHM_TIMEOUT' });
    t.throws(() => shm.txnSync({ timeout: 5, readOnly: true }), { code: 'ERR_SHM_TIMEOUT' });
    const reading = shm.txn((txn) => [txn.get(0), txn.get(63), txn.slice(1, 4).toString()], {
      readOnly: true,
    });
    user.tell('end');
    t.deepEqual(await reading, [7, 8, 'abc']);
    t.is(await user.says(), 'reads');
    shm.txnSync((txn) => t.is(txn.get(0), 7), { readOnly: true });
    t.throws(() => shm.txnSync({ timeout: 5 }), { code: 'ERR_SHM_TIMEOUT' });
    user.tell('end');
    t.is(await user.says(), 'failed');
    t.true(shm.txnSync((txn) => txn.ownerDied));
    shm.close();
    shm.unlink();
  });

  test(`an event wakes Node and Python ${version}`, async (t) => {
    using mine = SharedEvent.createOrAttach(freshName(t));
    using theirs = SharedEvent.createOrAttach(freshName(t));
    const user = python(
      t,
      `
mine, theirs = (shmkit.SharedEvent.attach(name) for name in ("${theirs.name}", "${mine.name}"))
for _ in range(200):
    assert mine.wait(20)
    mine.clear()
    theirs.set()
say("done")`,
    );
    for (let i = 0; i < 200; i++) {
      theirs.set();
      if (i % 2 === 0) await mine.wait({ timeout: 20_000 });
      else mine.waitSync({ timeout: 20_000 });
      mine.clear();
    }
    t.is(await user.says(), 'done');
  });
}
