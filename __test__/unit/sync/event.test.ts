import test from 'ava';
import type { ExecutionContext } from 'ava';
import { attach, SharedEvent, SharedMutex } from 'shmkit';

import { hold } from '../../fixtures/hold.js';
import { Program } from '../../fixtures/program.js';
import { exists, freshName } from '../../fixtures/segments.js';
import { until } from '../../fixtures/wait.js';

function eventOf(t: ExecutionContext): SharedEvent {
  const event = SharedEvent.createOrAttach(freshName(t));
  t.teardown(() => event.close());
  return event;
}

test('every handle sees whether it is set', async (t) => {
  const event = eventOf(t);
  using other = attach(event.toJSON()) as SharedEvent;
  t.false(event.isSet);
  other.set();
  other.set();
  t.true(event.isSet);
  event.waitSync();
  await event.wait();
  event.clear();
  event.clear();
  t.false(other.isSet);
});

test('every kind of wait ends when another process sets it', async (t) => {
  const event = eventOf(t);
  const setter = Program.node(
    t,
    `const event = SharedEvent.attach('${event.name}');
    for (;;) {
      say('ready');
      await told();
      while (!shmkit.lockState('${event.name}').awaited) await new Promise(setImmediate);
      event.set();
    }`,
  );
  for (const wait of [
    () => event.waitSync(),
    () => event.waitSync({ spin: 0 }),
    () => event.wait(),
    () => Promise.all([event.wait(), event.wait(), event.wait({ timeout: 20_000 })]),
  ]) {
    t.is(await setter.says(), 'ready');
    setter.tell('set it');
    await wait();
    t.true(event.isSet);
    event.clear();
  }
});

test('a wait ends when it is set, even if it is cleared immediately', async (t) => {
  const event = eventOf(t);
  const waiting = event.wait({ timeout: 20_000 });
  event.set();
  event.clear();
  await waiting;
  const blocked = Program.node(
    t,
    `const event = SharedEvent.attach('${event.name}'); say('waits'); event.waitSync({ spin: 0 }); say('goes on');`,
  );
  t.is(await blocked.says(), 'waits');
  // Whenever it has come to wait, the next of these lets it go on.
  const again = setInterval(() => (event.set(), event.clear()), 1);
  t.is(await blocked.says(), 'goes on');
  clearInterval(again);
});

test('a wait ends by its time, by its signal and by close()', async (t) => {
  const event = eventOf(t);
  t.throws(() => event.waitSync({ timeout: 5 }), { code: 'ERR_SHM_TIMEOUT' });
  t.throws(() => event.waitSync({ timeout: 0 }), { code: 'ERR_SHM_TIMEOUT' });
  await t.throwsAsync(event.wait({ timeout: 5 }), { code: 'ERR_SHM_TIMEOUT' });
  await t.throwsAsync(event.wait({ timeout: 0 }), { code: 'ERR_SHM_TIMEOUT' });
  const controller = new AbortController();
  const aborted = event.wait({ signal: controller.signal });
  controller.abort();
  await t.throwsAsync(aborted, { any: true, name: 'AbortError' });
  await t.throwsAsync(event.wait({ signal: controller.signal }), { any: true, name: 'AbortError' });
  const closed = event.wait();
  event.close();
  await t.throwsAsync(closed, { code: 'ERR_SHM_CLOSED' });
  t.throws(() => event.isSet, { code: 'ERR_SHM_CLOSED' });
  t.throws(() => event.set(), { code: 'ERR_SHM_CLOSED' });
  t.throws(() => event.clear(), { code: 'ERR_SHM_CLOSED' });
  t.throws(() => event.waitSync(), { code: 'ERR_SHM_CLOSED' });
  await t.throwsAsync(event.wait(), { code: 'ERR_SHM_CLOSED' });
});

test('what is no event is refused, and bad arguments are', async (t) => {
  const name = freshName(t);
  t.throws(() => SharedEvent.attach(name), { code: 'ENOENT' });
  hold(t, SharedMutex.createOrAttach(name));
  t.throws(() => SharedEvent.attach(name), { code: 'ERR_SHM_NOT_A_LOCK', message: /mutex/ });
  t.throws(() => SharedEvent.createOrAttach(name), { code: 'ERR_SHM_NOT_A_LOCK' });
  const event = eventOf(t);
  t.throws(() => event.waitSync({ timeout: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  await t.throwsAsync(event.wait({ timeout: {} as never }), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => structuredClone(event), { any: true, name: 'DataCloneError' });
});

test('a process that is killed while it waits does not delay the others', async (t) => {
  const event = eventOf(t);
  const waiter = Program.node(t, `say('waits'); SharedEvent.attach('${event.name}').waitSync({ spin: 0 });`);
  t.is(await waiter.says(), 'waits');
  const waiting = event.wait();
  await waiter.kill();
  event.set();
  await waiting;
  t.pass();
});

test('it goes with its last owner', async (t) => {
  const name = freshName(t);
  const owner = Program.node(t, `SharedEvent.createOrAttach('${name}').set(); say('made'); await told();`);
  t.is(await owner.says(), 'made');
  using event = SharedEvent.attach(name);
  await owner.kill();
  await until('the tracker unlinks it', () => !exists(name));
  t.true(event.isSet, 'who has it keeps it');
});
