/** Sending shared objects to threads and processes: a descriptor arrives, an instance never does. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { serialize } from 'node:v8';
import { MessageChannel, Worker } from 'node:worker_threads';

import test from 'ava';
import { ShareableList, SharedMemory } from 'shmkit';

import { NodePeer } from '../../fixtures/peers/node.js';
import { freshName } from '../../fixtures/segments.js';
import { compiled, SOURCE_MAPS } from '../../fixtures/typescript.js';

const WORKER = new URL('attach-worker.js', import.meta.url);
const PEER = await compiled(new URL('../../fixtures/peers/node-peer.ts', import.meta.url));

/** What the refusal says: how to do it instead. */
const REFUSED = { any: true as const, message: /could not be cloned/ };
const WITH_ADVICE = {
  any: true as const,
  name: 'DataCloneError',
  message: /send its toJSON\(\) and attach\(\)/,
};

test('an instance cannot be cloned, and the error says what to send instead', (t) => {
  using shm = SharedMemory.create(64, { name: freshName(t) });
  using list = ShareableList.create([1], { name: freshName(t) });
  const { port1, port2 } = new MessageChannel();
  for (const object of [shm, list]) {
    t.throws(() => structuredClone(object), WITH_ADVICE);
    t.throws(() => structuredClone({ nested: [object] }), WITH_ADVICE);
    t.throws(() => port1.postMessage(object), WITH_ADVICE);
    t.throws(() => serialize(object), REFUSED);
  }
  port1.close();
  port2.close();
});

test('an instance cannot be cloned after close() either', (t) => {
  const shm = SharedMemory.create(64, { name: freshName(t) });
  shm.close();
  t.throws(() => structuredClone(shm), WITH_ADVICE);
});

test('process.send with advanced serialization refuses an instance', async (t) => {
  using shm = SharedMemory.create(64, { name: freshName(t) });
  using list = ShareableList.create([1], { name: freshName(t) });
  const child = fork(PEER, { execArgv: [SOURCE_MAPS], serialization: 'advanced' });
  const ended = once(child, 'exit');
  const watchdog = setTimeout(() => child.kill('SIGKILL'), 20_000);
  try {
    for (const object of [shm, list]) t.throws(() => child.send(object), REFUSED);
    child.send({ id: 1, op: 'attach', args: { target: shm.toJSON() } });
    const [answer] = (await once(child, 'message')) as [{ result: { name: string } }];
    t.is(answer.result.name, shm.name, 'the channel is as good as before, and a descriptor arrives');
  } finally {
    child.disconnect();
    await ended;
    clearTimeout(watchdog);
  }
});

test('process.send with JSON makes a descriptor of an instance', async (t) => {
  using shm = SharedMemory.create(64, { name: freshName(t) });
  using list = ShareableList.create([1, 'two'], { name: freshName(t) });
  const peer = new NodePeer();
  shm.buf.write('howdy');
  const memory = await peer.call('attach', { target: shm });
  t.is(
    await peer.call('read', { handle: memory.handle, offset: 0, length: 5 }),
    Buffer.from('howdy').toString('hex'),
  );
  const { handle } = await peer.call('attachList', { target: list });
  t.deepEqual(await peer.call('get', { handle, index: 0 }), { t: 'int', v: '1' });
  t.is(await peer.end(), '');
});

test('a descriptor is plain data: JSON and a structured clone leave it as it is', (t) => {
  using shm = SharedMemory.create(64, { name: freshName(t) });
  using list = ShareableList.create([1], { name: freshName(t) });
  for (const [object, kind] of [
    [shm, 'memory'],
    [list, 'list'],
  ] as const) {
    const descriptor = object.toJSON();
    t.is(descriptor.kind, kind);
    t.is(descriptor.name, object.name);
    t.deepEqual(structuredClone(descriptor), descriptor);
    t.deepEqual(JSON.parse(JSON.stringify(descriptor)), descriptor);
    t.deepEqual(JSON.parse(JSON.stringify(object)), descriptor);
  }
});

test('a worker thread attaches to the descriptor that it is posted', async (t) => {
  using shm = SharedMemory.create(64, { name: freshName(t) });
  using list = ShareableList.create([1, 'two', null], { name: freshName(t) });
  shm.buf.write('howdy');
  const worker = new Worker(WORKER, { execArgv: [] });
  worker.postMessage(shm.toJSON());
  t.deepEqual(await once(worker, 'message'), ['howdy']);
  t.is(shm.buf[63], 0xa5, 'what it writes is here');
  worker.postMessage(list.toJSON());
  t.deepEqual(await once(worker, 'message'), [[1, 'two', null]]);
  await worker.terminate();
  t.is(shm.buf.toString('latin1', 0, 5), 'howdy', 'the end of the worker takes nothing from us');
});
