import { Buffer } from 'node:buffer';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import { collectGarbage, lockState, ShareableList, SharedMemory, unlink } from 'shmkit';
import type { Txn } from 'shmkit';

import { hold } from '../../fixtures/hold.js';
import { Program } from '../../fixtures/program.js';
import { exists, freshName, segmentPath } from '../../fixtures/segments.js';
import { until, untilAsleep } from '../../fixtures/wait.js';

function segmentOf(t: ExecutionContext, size = 64): SharedMemory {
  const shm = SharedMemory.create(size, { name: freshName(t) });
  t.teardown(() => {
    shm.close();
    rmSync(segmentPath(`${shm.name}.lk`), { force: true });
  });
  return shm;
}

/** A process that is in a txn when this resolves; told to end, it says so. */
async function insider(t: ExecutionContext, shm: SharedMemory, options = '{}'): Promise<Program> {
  const program = Program.node(
    t,
    `const txn = await SharedMemory.attach('${shm.name}').txn(${options});
    say('inside'); await told(); txn[Symbol.dispose](); say('out'); await told();`,
  );
  t.is(await program.says(), 'inside');
  return program;
}

test('a txn reads and writes by index and by slice', (t) => {
  const shm = segmentOf(t, 16);
  const txn = shm.txnSync();
  t.false(txn.readOnly);
  t.false(txn.ownerDied);
  txn.set(0, 7);
  txn.set(-1, 255);
  txn.bytes[1] = 8;
  txn.write(Uint8Array.of(1, 2, 3), 4);
  t.deepEqual([txn.get(0), txn.get(1), txn.get(15), txn.get(-1), txn.get(-16)], [7, 8, 255, 255, 7]);
  const copy = txn.slice(4, 7);
  t.deepEqual(copy, Buffer.of(1, 2, 3));
  copy.fill(9);
  t.deepEqual(txn.slice(-12, -9), Buffer.of(1, 2, 3));
  t.is(txn.slice().length, 16);
  for (const index of [16, -17, 0.5, NaN]) {
    t.throws(() => txn.get(index), { instanceOf: RangeError, code: 'ERR_OUT_OF_RANGE' });
    t.throws(() => txn.set(index, 0), { instanceOf: RangeError, code: 'ERR_OUT_OF_RANGE' });
  }
  for (const byte of [256, -1, 0.5, NaN]) t.throws(() => txn.set(0, byte), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => txn.write(Buffer.alloc(3), 14), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => txn.write([1] as never), { code: 'ERR_INVALID_ARG_TYPE' });
  txn[Symbol.dispose]();
  txn[Symbol.dispose]();
  t.throws(() => txn.get(0), { code: 'ERR_SHM_TXN_ENDED' });
  t.throws(() => txn.set(0, 1), { code: 'ERR_SHM_TXN_ENDED' });
  t.throws(() => txn.bytes, { code: 'ERR_SHM_TXN_ENDED' });
  t.throws(() => txn.slice(), { code: 'ERR_SHM_TXN_ENDED' });
  t.is(shm.buf[0], 7);
});

test('a body has its result, and ends the txn', async (t) => {
  const shm = segmentOf(t);
  t.is(
    shm.txnSync((txn) => txn.get(0) + 1),
    1,
  );
  t.is(await shm.txn((txn) => txn.get(0) + 2), 2);
  let kept: Txn | undefined;
  t.is(
    await shm.txn(async (txn) => {
      kept = txn;
      await sleep(1);
      return 3;
    }),
    3,
  );
  t.throws(() => kept!.get(0), { code: 'ERR_SHM_TXN_ENDED' });
});

test('one that throws leaves word to the next, until one ends well', async (t) => {
  const shm = segmentOf(t);
  const died = (): boolean => shm.txnSync((txn) => txn.ownerDied, { readOnly: true });
  const error = new Error('no');
  const fail = (): never => {
    throw error;
  };
  t.is(
    t.throws(() => shm.txnSync(fail)),
    error,
  );
  t.true(died());
  t.true(died(), 'who only reads repairs nothing');
  t.is(await t.throwsAsync(shm.txn(fail)), error);
  t.true(await shm.txn((txn) => txn.ownerDied));
  t.false(died());
  t.throws(() => shm.txnSync(fail, { readOnly: true }));
  t.false(died(), 'nor breaks anything');
});

test('the body of txnSync() must not be asynchronous', (t) => {
  const shm = segmentOf(t);
  const body = (async () => 1) as never;
  t.throws(() => shm.txnSync(body), { instanceOf: TypeError, code: 'ERR_INVALID_RETURN_VALUE' });
  t.true(shm.txnSync((txn) => txn.ownerDied));
});

test('a writer is alone, and readers are not', async (t) => {
  const shm = segmentOf(t);
  const reader = await insider(t, shm, '{ readOnly: true }');
  using beside = shm.txnSync({ readOnly: true, timeout: 20_000 });
  t.true(beside.readOnly);
  t.throws(() => shm.txnSync({ timeout: 5 }), { code: 'ERR_SHM_DEADLOCK' });
  beside[Symbol.dispose]();
  t.throws(() => shm.txnSync({ timeout: 5 }), { code: 'ERR_SHM_TIMEOUT' });
  await t.throwsAsync(shm.txn({ timeout: 5 }), { code: 'ERR_SHM_TIMEOUT' });
  const writing = shm.txn();
  reader.tell('end');
  t.is(await reader.says(), 'out');
  const txn = await writing;
  t.throws(() => shm.txnSync({ readOnly: true }), { code: 'ERR_SHM_DEADLOCK' });
  await t.throwsAsync(shm.txn({ readOnly: true, timeout: 5 }), { code: 'ERR_SHM_TIMEOUT' });
  txn[Symbol.dispose]();
  const writer = await insider(t, shm);
  t.throws(() => shm.txnSync({ readOnly: true, timeout: 5 }), { code: 'ERR_SHM_TIMEOUT' });
  const reading = Promise.all([shm.txn({ readOnly: true }), shm.txn({ readOnly: true })]);
  writer.tell('end');
  (await reading).forEach((it) => it[Symbol.dispose]());
});

test('a promised read that has come is not given back by a blocked one beside it', async (t) => {
  const shm = segmentOf(t);
  const writer = await insider(t, shm);
  const promised = shm.txn({ readOnly: true });
  writer.tell('end');
  // Its thread gets it while this one is blocked, and cannot say so before the next turn of the loop.
  while (lockState(`${shm.name}.lk`).readers.length === 0);
  shm.txnSync(() => {}, { readOnly: true });
  const txn = await promised;
  const other = Program.node(
    t,
    `try { SharedMemory.attach('${shm.name}').txnSync({ timeout: 50 }); say('inside'); } catch (error) { say(error.code); }`,
  );
  t.is(await other.says(), 'ERR_SHM_TIMEOUT');
  txn.end();
});

test('every reader is told that a holder died, also beside another reader', (t) => {
  const shm = segmentOf(t);
  t.throws(() =>
    shm.txnSync(() => {
      throw new Error('in the middle');
    }),
  );
  const [outer, inner] = [shm.txnSync({ readOnly: true }), shm.txnSync({ readOnly: true })];
  t.true(outer.ownerDied && inner.ownerDied);
  outer.end();
  inner.end();
});

test('a txn inside of a txn waits for itself, as long as it has time', async (t) => {
  const shm = segmentOf(t);
  const outer = await shm.txn();
  await t.throwsAsync(shm.txn({ timeout: 5 }), {
    code: 'ERR_SHM_TIMEOUT',
    message: new RegExp(`'${shm.name}'`),
  });
  t.throws(() => shm.txnSync(), { code: 'ERR_SHM_DEADLOCK', message: /end the txn/ });
  outer.end();
  t.throws(() => outer.get(0), { code: 'ERR_SHM_TXN_ENDED' });
});

test('a body comes before its options', async (t) => {
  const shm = segmentOf(t);
  t.throws(() => shm.txnSync({ timeout: 1 } as never, (() => {}) as never), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.throwsAsync(shm.txn({ timeout: 1 } as never, (() => {}) as never), {
    code: 'ERR_INVALID_ARG_TYPE',
  });
});

test('a killed reader does not block a writer', async (t) => {
  const shm = segmentOf(t);
  for (const begin of [() => shm.txn(), () => shm.txnSync()]) {
    const reader = await insider(t, shm, '{ readOnly: true }');
    const killed = reader.kill();
    const txn = await begin();
    t.false(txn.ownerDied, 'it wrote nothing');
    txn[Symbol.dispose]();
    await killed;
  }
});

test('a writer that is killed before its turn has come has broken nothing', async (t) => {
  const shm = segmentOf(t);
  const reader = await insider(t, shm, '{ readOnly: true }');
  const writer = Program.node(t, `say('waits'); await SharedMemory.attach('${shm.name}').txn();`);
  t.is(await writer.says(), 'waits');
  await until('it waits for the reader', () => lockState(`${shm.name}.lk`).holder === writer.pid);
  await untilAsleep(writer.pid);
  await writer.kill();
  reader.tell('end');
  t.false(await shm.txn((txn) => txn.ownerDied));
});

test('readers and writers are told that a writer was killed', async (t) => {
  const shm = segmentOf(t);
  const writer = await insider(t, shm);
  const reading = shm.txn({ readOnly: true });
  await writer.kill();
  const txn = await reading;
  t.true(txn.ownerDied);
  txn[Symbol.dispose]();
  t.true(shm.txnSync((it) => it.ownerDied));
  t.false(shm.txnSync((it) => it.ownerDied));
});

test('what a read-only txn writes stays in its copy', (t) => {
  const shm = segmentOf(t, 8192);
  shm.buf[0] = 1;
  const txn = shm.txnSync({ readOnly: true });
  t.is(txn.bytes[0], 1);
  txn.bytes[0] = 99;
  t.is(shm.buf[0], 1);
  t.throws(() => txn.set(0, 1), { code: 'ERR_SHM_READ_ONLY' });
  t.throws(() => txn.write(Buffer.of(1)), { code: 'ERR_SHM_READ_ONLY' });
  txn[Symbol.dispose]();
  shm.buf[0] = 2;
  shm.txnSync((it) => t.is(it.bytes[0], 2, 'and the next one sees what is there'), { readOnly: true });
});

test('a read-only handle has read-only txns, which see what others wrote', async (t) => {
  const shm = segmentOf(t, 8192);
  using reader = SharedMemory.attach(shm.name, { readOnly: true });
  t.throws(() => reader.txnSync(), { code: 'ERR_SHM_READ_ONLY', message: /readOnly: true/ });
  await t.throwsAsync(reader.txn(), { code: 'ERR_SHM_READ_ONLY' });
  t.false(exists(`${shm.name}.lk`), 'nothing was made for it');
  reader.buf[0] = 99;
  shm.txnSync((txn) => txn.set(0, 5));
  t.is(
    reader.txnSync((txn) => txn.get(0), { readOnly: true }),
    5,
  );
});

test('the lock ends with the segment, whichever process unlinks it', async (t) => {
  for (const end of [
    (shm: SharedMemory) => shm.unlink(),
    (shm: SharedMemory) => unlink(shm.name),
    (shm: SharedMemory) => SharedMemory.attach(shm.name).unlink(),
  ]) {
    for (const name of [freshName(t), undefined]) {
      const shm = SharedMemory.create(64, name === undefined ? {} : { name });
      shm.txnSync(() => {});
      t.true(exists(`${shm.name}.lk`));
      end(shm);
      t.false(exists(`${shm.name}.lk`));
      t.is(
        shm.txnSync(() => 1),
        1,
        'who has the lock keeps it',
      );
      shm.close();
    }
  }
  const name = freshName(t);
  const owner = Program.node(
    t,
    `SharedMemory.create(64, { name: '${name}' }).txnSync(() => {}); say('made'); await told();`,
  );
  t.is(await owner.says(), 'made');
  t.true(exists(`${name}.lk`));
  await owner.kill();
  await until('the tracker unlinks both', () => !exists(name) && !exists(`${name}.lk`));
  t.pass();
});

test('the lock stays when the process that made it ends', async (t) => {
  const shm = segmentOf(t);
  const user = await insider(t, shm);
  user.tell('end');
  t.is(await user.says(), 'out');
  await user.kill();
  collectGarbage();
  t.true(exists(`${shm.name}.lk`));
  shm.txnSync(() => {});
});

test('two segments that have one name after the other never share a lock', async (t) => {
  const old = segmentOf(t);
  const late = SharedMemory.attach(old.name);
  hold(t, old.txnSync());
  rmSync(segmentPath(old.name)); // like a program that does not know of locks
  const fresh = SharedMemory.create(64, { name: old.name });
  t.teardown(() => {
    fresh.close();
    fresh.unlink();
  });
  t.throws(() => late.txnSync(), { code: 'ERR_SHM_UNLINKED' });
  const { ino } = statSync(segmentPath(`${old.name}.lk`));
  fresh.txnSync({ timeout: 20_000 })[Symbol.dispose]();
  t.not(statSync(segmentPath(`${old.name}.lk`)).ino, ino, "the old one's lock was replaced");
  t.throws(() => late.txnSync(), { code: 'ERR_SHM_UNLINKED' });
  late.close();
  const inFresh = await insider(t, fresh);
  t.false(old.closed);
  t.throws(() => fresh.txnSync({ timeout: 5 }), { code: 'ERR_SHM_TIMEOUT' });
  inFresh.tell('end');
});

test("a user's own segment that has the lock's name is left alone", (t) => {
  const shm = segmentOf(t);
  hold(t, SharedMemory.create(64, { name: `${shm.name}.lk` }));
  t.throws(() => shm.txnSync(), { code: 'ERR_SHM_NOT_A_LOCK', message: /\.lk/ });
  t.is(readFileSync(segmentPath(`${shm.name}.lk`)).length, 64);
  shm.unlink();
  t.true(exists(`${shm.name}.lk`));
});

test('close() in a txn ends it as if it had thrown', async (t) => {
  const shm = segmentOf(t);
  const other = SharedMemory.attach(shm.name);
  const txn = other.txnSync();
  const waiting = other.txn();
  other.close();
  await t.throwsAsync(waiting, { code: 'ERR_SHM_CLOSED' });
  t.throws(() => txn.get(0), { code: 'ERR_SHM_CLOSED' });
  txn[Symbol.dispose]();
  t.true(shm.txnSync((it) => it.ownerDied));
  t.throws(() => other.txnSync(), { code: 'ERR_SHM_CLOSED' });
  await t.throwsAsync(other.txn(), { code: 'ERR_SHM_CLOSED' });
});

test("a list's segment has txns too", async (t) => {
  using list = ShareableList.create([1, 2, 3], { name: freshName(t) });
  await list.shm.txn(() => list.set(0, (list.get(0) as number) + 1));
  list.shm.txnSync(() => list.set(0, (list.get(0) as number) + 1));
  t.is(list.get(0), 3);
  list.unlink();
  t.false(exists(`${list.name}.lk`));
});

test('bad arguments are refused', async (t) => {
  const shm = segmentOf(t);
  t.throws(() => shm.txnSync({ readonly: true } as never), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => shm.txnSync({ readOnly: 1 as never }), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.throwsAsync(shm.txn({ timeout: 'x' as never }), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.throwsAsync(
    shm.txn(() => 1, { spin: 1 } as never),
    { code: 'ERR_INVALID_ARG_TYPE' },
  );
  t.throws(() => shm.txnSync(5 as never), { code: 'ERR_INVALID_ARG_TYPE' });
  t.false(exists(`${shm.name}.lk`), 'before anything is made');
});

test('a lock has the permissions of its segment, and a name that fits', (t) => {
  const shm = SharedMemory.create(64, { name: freshName(t), mode: 0o640 });
  shm.txnSync(() => {});
  t.is(statSync(segmentPath(`${shm.name}.lk`)).mode & 0o777, 0o640);
  shm.close();
  shm.unlink();
  const long = freshName(t, 'x'.repeat(220));
  const longest = SharedMemory.create(64, { name: long.padEnd(255, 'y') });
  longest.txnSync((txn) => txn.set(0, 1));
  longest.close();
  longest.unlink();
  t.false(exists(`${long.padEnd(255, 'y').slice(0, 235)}`));
});

for (const readOnly of [false, true]) {
  const kind = readOnly ? 'a read-only txn' : 'a txn';
  test(`a stack that ends inside of ${kind} leaves the lock to the next holder`, (t) => {
    using shm = SharedMemory.create(8);
    using other = SharedMemory.attach(shm.name);
    const act = (): number => shm.txnSync((txn) => txn.get(0), { readOnly });
    // On the way back there is a little more room for each.
    const down = (): void => {
      try {
        down();
      } catch (error) {
        try {
          act();
        } catch {
          // There was no room for it.
        }
        throw error;
      }
    };
    for (let i = 0; i < 20; i++) t.throws(down, { instanceOf: RangeError, message: /call stack/ });
    t.notThrows(() => shm.txnSync((txn) => txn.set(0, 1), { timeout: 1000 }));
    t.is(act(), 1);
    t.notThrows(() => other.txnSync((txn) => txn.set(0, 2), { timeout: 1000 }));
    shm.unlink();
  });
}
