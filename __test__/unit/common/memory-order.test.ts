// Where a processor reorders loads, each load of a word that others write is atomic. `SHMKIT_MEMORY_ORDER=weak` has x64
// take that path: it must give the same results and the same errors.
import test from 'ava';
import type { ExecutionContext } from 'ava';

import { Program } from '../../fixtures/program.js';

/** What a program says line by line, in either order of memory. */
async function transcripts(t: ExecutionContext, code: string): Promise<{ plain: string[]; weak: string[] }> {
  const transcript = async (order: string): Promise<string[]> => {
    const program = Program.node(t, `process.env.SHMKIT_TRACKER = 'off';\n${code}`, [], {
      ...process.env,
      SHMKIT_MEMORY_ORDER: order,
    });
    const lines: string[] = [];
    for (let line = await program.says(); line !== undefined; line = await program.says()) lines.push(line);
    t.is(await program.ends(), 0, `${order}: ${lines.join('\n')}`);
    return lines;
  };
  const [plain, weak] = await Promise.all([transcript(''), transcript('weak')]);
  return { plain, weak };
}

/** Calls that may wait get a time limit, so that none waits for ever. */
const OBJECTS = `
  const { SharedArray, SharedDict } = shmkit;
  const item = Float64Array.of(7);
  const now = { timeout: 0 };
  const queueCalls = (queue) => ({
    tryPush: () => queue.tryPush(item), pushSync: () => queue.pushSync(item, now), push: () => queue.push(item, now),
    tryPop: () => queue.tryPop(), tryPopInto: () => queue.tryPopInto(new Float64Array(1)),
    popSync: () => queue.popSync(now), pop: () => queue.pop(now),
    tryClaim: () => queue.tryClaim(), tryTake: () => queue.tryTake(), takeSync: () => queue.takeSync(now),
    length: () => queue.length, ended: () => queue.ended, lost: () => queue.lost, end: () => queue.end(),
  });
  const broadcastCalls = (broadcast) => ({
    publishSync: () => broadcast.publishSync(item, now), tryPublish: () => broadcast.tryPublish(item),
    publish: () => broadcast.publish(item, now), subscribers: () => broadcast.subscribers, published: () => broadcast.published, ended: () => broadcast.ended,
    subscribe: () => broadcast.subscribe(), end: () => broadcast.end(),
  });
  const subscriptionCalls = (subscription) => ({
    tryNext: () => subscription.tryNext(), tryNextInto: () => subscription.tryNextInto(new Float64Array(1)),
    nextSync: () => subscription.nextSync(now), next: () => subscription.next(now), lost: () => subscription.lost,
  });
  const dictCalls = (dict) => ({
    get: () => dict.get('a'), has: () => dict.has('a'), set: () => dict.set('a', 1), setText: () => dict.set('t', 'text'),
    delete: () => dict.delete('b'), size: () => dict.size, keys: () => [...dict.keys()], byteLength: () => dict.byteLength,
    entries: () => [...dict.entries()],
  });
  const mutexCalls = (mutex) => ({
    tryLock: () => mutex.tryLock(), lockSync: () => mutex.lockSync(now), lock: () => mutex.lock(now),
  });
  const eventCalls = (event) => ({ set: () => event.set(), isSet: () => event.isSet, waitSync: () => event.waitSync(now) });
  const made = () => {
    const queue = SharedQueue.create({ slots: 4 });
    const single = SharedQueue.create({ slots: 4, spsc: true });
    const broadcast = SharedBroadcast.create({ slots: 4 });
    const dict = SharedDict.create();
    dict.set('a', 1.5);
    dict.set('t', 'ab');
    dict.set('b', { deep: [1] });
    const shm = SharedMemory.create(64);
    const mutex = SharedMutex.createOrAttach(shm.name + 'm');
    const event = SharedEvent.createOrAttach(shm.name + 'e');
    const subscription = broadcast.subscribe();
    return [
      ['queue', queue, queueCalls(queue)], ['single', single, queueCalls(single)],
      ['broadcast', broadcast, broadcastCalls(broadcast)], ['subscription', subscription, subscriptionCalls(subscription)],
      ['dict', dict, dictCalls(dict)], ['mutex', mutex, mutexCalls(mutex)], ['event', event, eventCalls(event)],
      ['memory', shm, {}],
    ];
  };
  const outcome = async (call) => {
    try {
      const result = await call();
      const plain = result !== null && typeof result === 'object' && !ArrayBuffer.isView(result) && !Array.isArray(result);
      return plain ? result.constructor.name : JSON.stringify(result) ?? 'undefined';
    } catch (error) {
      return error.name + ' ' + error.code;
    }
  };
  const sayAll = async (calls, what) => {
    for (const [name, call] of Object.entries(calls)) say([what, name, await outcome(call)].join(' '));
  };
  const discard = (objects) => {
    for (const [, object] of objects) { object.close(); object.unlink?.(); }
  };
`;

test('each call has the same outcome in both orders of memory', async (t) => {
  const { plain, weak } = await transcripts(
    t,
    `${OBJECTS}
    const objects = made();
    for (const [what, , calls] of objects) await sayAll(calls, what);
    discard(objects);`,
  );
  t.deepEqual(weak, plain);
  t.true(plain.length > 40);
  t.true(plain.includes('dict get 1.5'), 'the calls do what they should');
  t.true(plain.includes('queue tryPop {"0":7}'), plain.join('\n'));
});

test('after close() each call fails with the same code in both orders of memory', async (t) => {
  const { plain, weak } = await transcripts(
    t,
    `${OBJECTS}
    const objects = made();
    discard(objects);
    for (const [what, , calls] of objects) await sayAll(calls, what);`,
  );
  t.deepEqual(weak, plain);
  t.true(plain.includes('queue tryPop Error ERR_SHM_CLOSED'), plain.join('\n'));
  t.deepEqual(
    plain.filter((line) => / undefined$|TypeError|RangeError/.test(line)),
    [],
  );
});
