/** One queue between Node and Python: items of each type both ways, batches, in place, kills, waits. */
import { Buffer } from 'node:buffer';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import { SharedQueue } from 'shmkit';
import type { DType } from 'shmkit';

import { DTYPES, SAMPLES } from '../fixtures/arrays.js';
import { Numpy } from '../fixtures/numpy.js';
import { Program } from '../fixtures/program.js';
import { venvPython } from '../fixtures/python.js';
import { freshName } from '../fixtures/segments.js';
import { shareOfStress } from '../stress/share.js';

/** In front of what Python runs. */
const OPEN = 'import shmkit\nq = shmkit.SharedQueue.attach(target)\n';

/** A Python that does this with the queue `q`, and says what it is told to. */
function python(t: ExecutionContext, name: string, code: string): Program {
  const module = `import sys, shmkit
q = shmkit.SharedQueue.attach(${JSON.stringify(name)})
say = lambda what: print(what, flush=True)
told = sys.stdin.readline
${code}`;
  return Program.run(t, venvPython(), ['-E', '-c', module]);
}

/** Typed arrays of two samples each, of the type that the queue has. */
function itemsOf(queue: SharedQueue): ArrayBufferView[] {
  const samples = SAMPLES[queue.dtype as DType];
  return [0, 1, 2].map((index) => {
    const slot = queue.claimSync();
    const item = slot.data.slice() as Float64Array | BigInt64Array;
    slot[Symbol.dispose]();
    const plain = item.constructor.name === 'Uint16Array' && queue.dtype === 'float16';
    for (const i of [0, 1]) item[i] = (plain ? i + index : samples[2 * index + i]) as never;
    return item;
  });
}

const hex = ({ buffer, byteOffset, byteLength }: ArrayBufferView): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString('hex');

for (const mode of ['mpmc', 'spsc'] as const) {
  test(`items of every type go both ways, copied and in place (${mode})`, async (t) => {
    const numpy = new Numpy(t);
    for (const dtype of DTYPES) {
      using there = SharedQueue.create({
        slots: 8,
        shape: [2],
        dtype,
        spsc: mode === 'spsc',
        name: freshName(t),
      }) as SharedQueue;
      const back = freshName(t);
      const make = `import shmkit; np.back = shmkit.SharedQueue.create(8, (2,), dtype, spsc=spsc, name=name); answer = np.back.to_json()`;
      const descriptor = await numpy.run<{ kind: string; name: string }>(make, {
        name: back,
        dtype,
        spsc: mode === 'spsc',
      });
      using from = SharedQueue.attach(descriptor) as SharedQueue;
      t.deepEqual([from.dtype, [...from.shape], from.slots], [dtype, [2], 8]);
      t.deepEqual(from.toJSON(), descriptor);

      const items = itemsOf(there);
      const [copied, inPlace, last] = items as [Float64Array, Float64Array, Float64Array];
      there.pushSync(copied);
      using slot = there.claimSync();
      (slot.data as Float64Array).set(inPlace);
      slot.commit();
      there.pushSync(last);
      there.pushSync(last);
      there.pushSync(last);
      const code = `${OPEN}
got = [q.pop()]
with q.take() as slot:
  got.append(slot.data.copy())
got.append(q.try_pop())
got.extend(q.pop_many())
answer = [[bits(each) for each in got], str(got[-1].dtype), list(q.shape)]
np.back.push(got[0])
with np.back.claim() as slot:
  slot.data[:] = got[1]
np.back.push_many(np.stack(got[2:]))
q.close()`;
      const sent = [copied, inPlace, last, last, last].map(hex);
      t.deepEqual(await numpy.run(code, { target: there.toJSON() }), [sent, dtype, [2]], dtype);
      using first = from.takeSync();
      t.is(hex(first!.data), sent[0]!);
      first!.release();
      t.deepEqual(
        [1, 2, 3, 4].map(() => hex(from.popSync()!)),
        sent.slice(1),
        dtype,
      );
      t.deepEqual([from.tryPop(), there.lost, from.lost], [undefined, 0, 0]);
      from.unlink();
    }
  });
}

test('numbers without dimensions are numbers', async (t) => {
  const numpy = new Numpy(t);
  using queue = SharedQueue.create({ slots: 4, name: freshName(t) });
  queue.pushSync(Float64Array.of(0.5));
  const code = `${OPEN}answer = [q.pop(), list(q.shape)]\nq.push(2)\nq.push_many([3, 4.5])`;
  t.deepEqual(await numpy.run(code, { target: queue.name }), [0.5, []]);
  t.deepEqual(
    [1, 2, 3].map(() => queue.popSync()![0]),
    [2, 3, 4.5],
  );
});

test('the end is told on both sides, and nothing that was pushed is left behind', async (t) => {
  using queue = SharedQueue.create({ slots: 3, name: freshName(t) });
  const consumer = python(t, queue.name, "say('ready')\nsay([float(x) for x in q])\nsay(q.pop())");
  t.is(await consumer.says(), 'ready');
  for (let i = 0; i < 10; i++) queue.pushSync(Float64Array.of(i), { timeout: 20_000 });
  queue.end();
  t.is(await consumer.says(), '[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]');
  t.is(await consumer.says(), 'None');
  t.is(await consumer.ends(), 0);

  using other = SharedQueue.create({ slots: 3, name: freshName(t) });
  const code =
    'q.push_many(list(range(100)))\nq.end()\ntry:\n  q.push(1)\nexcept shmkit.ShmError as e:\n  say(e.code)';
  const producer = python(t, other.name, code);
  const got: number[] = [];
  for await (const [item] of other) got.push(item!);
  t.deepEqual(
    got,
    Array.from({ length: 100 }, (_, i) => i),
  );
  t.is(await producer.says(), 'ERR_SHM_ENDED');
});

test('a Python consumer that is killed with a slot takes that one along, and Node goes on', async (t) => {
  using queue = SharedQueue.create({ slots: 2, name: freshName(t) });
  queue.pushSync(Float64Array.of(1));
  const consumer = python(t, queue.name, 'slot = q.take()\nsay(float(slot.data))\ntold()');
  t.is(await consumer.says(), '1.0');
  queue.pushSync(Float64Array.of(2));
  t.false(queue.tryPush(Float64Array.of(3)), 'it has one of the two');
  await consumer.kill();
  await queue.push(Float64Array.of(3), { timeout: 20_000 });
  t.deepEqual([queue.popSync()![0], queue.popSync()![0], queue.lost], [2, 3, 1]);
});

test('a Python producer that is killed with a claim is passed over', async (t) => {
  using queue = SharedQueue.create({ slots: 3, name: freshName(t) });
  const producer = python(t, queue.name, "slot = q.claim()\nslot.data[...] = 1\nsay('has it')\ntold()");
  t.is(await producer.says(), 'has it');
  queue.pushSync(Float64Array.of(2));
  t.is(queue.tryPop(), undefined);
  await producer.kill();
  t.deepEqual([(await queue.pop({ timeout: 20_000 }))![0], queue.lost], [2, 1]);
});

test('Python gets over a Node that was killed', async (t) => {
  const numpy = new Numpy(t);
  using queue = SharedQueue.create({ slots: 2, name: freshName(t) });
  for (const [what, then] of [
    ['claimSync', 'q.push(2)\nanswer = [q.pop(20), q.lost]'],
    ['takeSync', 'q.push(3, 20); q.push(4, 20)\nanswer = [q.pop(20), q.lost]'],
  ] as const) {
    if (what === 'takeSync') queue.pushSync(Float64Array.of(1));
    const node = Program.node(
      t,
      `const queue = SharedQueue.attach('${queue.name}'); globalThis.slot = queue.${what}(); say('has it'); await told();`,
    );
    t.is(await node.says(), 'has it');
    const waiting = numpy.run(`${OPEN}${then}`, { target: queue.name });
    await node.kill();
    t.deepEqual(await waiting, what === 'claimSync' ? [2, 1] : [3, 2]);
  }
});

test('a forked child of Python is one more consumer of Node’s queue', async (t) => {
  using queue = SharedQueue.create({ slots: 4, name: freshName(t) });
  const code = `import os
child = os.fork()
got = [float(x) for x in q]
if child == 0:
  say(got); os._exit(0)
os.waitpid(child, 0)
say(got)`;
  const consumers = python(t, queue.name, code);
  for (let i = 0; i < 500; i++) await queue.push(Float64Array.of(i));
  queue.end();
  const got = [JSON.parse((await consumers.says())!), JSON.parse((await consumers.says())!)] as number[][];
  t.deepEqual(
    got.flat().sort((a, b) => a - b),
    Array.from({ length: 500 }, (_, i) => i),
  );
  t.is(queue.lost, 0);
});

for (const side of ['consumer', 'producer', 'both']) {
  shareOfStress(`a queue with Python as ${side}`, 'checksum', 150_000, /^150000 items, mpmc/, {
    python: side,
  });
}

shareOfStress(
  'processes of Python among those that are killed',
  'queues',
  12,
  /^12 kills in \d+ s: no fault$/,
  {
    python: true,
  },
);
