import test from 'ava';
import { ShareableList, SharedMemory, SharedQueue } from 'shmkit';

import { random } from '../../fixtures/random.js';
import { freshName, leavesNothing } from '../../fixtures/segments.js';

/** What may be said of a queue that somebody writes to at will. */
const CODES = new Set(['ERR_SHM_CORRUPT', 'ERR_SHM_LOST', 'ERR_SHM_ENDED', 'ERR_SHM_TIMEOUT']);

for (const mode of ['mpmc', 'spsc'] as const) {
  test(`a queue that another process writes to at random is an error or gives garbage, at once (${mode})`, async (t) => {
    using queue = SharedQueue.create({
      name: freshName(t),
      slots: 3,
      dtype: 'int32',
      shape: [2],
      spsc: mode === 'spsc',
    });
    using memory = SharedMemory.attach(queue.name);
    const words = new Int32Array(memory.buffer);
    const below = random(mode.length);
    const [first, stride] = [16_704 / 4, 16];
    const item = new Int32Array(2);
    const uses = [
      () => queue.tryPush(item),
      () => queue.tryPop(),
      () => queue.tryPopInto(item),
      () => queue.tryClaim()?.commit(),
      () => queue.tryClaim()?.[Symbol.dispose](),
      () => queue.tryTake()?.[Symbol.dispose](),
      () => queue.pushSync(item, { timeout: 0 }),
      () => queue.popSync({ timeout: below(50) === 0 ? 1 : 0, spin: 3 }),
    ];
    const seen = new Set<string>();
    const began = performance.now();
    for (let round = 0; round < 20_000 && performance.now() - began < 10_000; round++) {
      // TAIL and HEAD, the end and the bells, who recovers what, the slots.
      const at = [32, 48, 64 + below(4), 80 + below(6), first + below(3) * stride][below(5)]!;
      words[at] = [below(2 ** 32), below(16), below(4096) << 11, words[first]!][below(4)]!;
      for (let i = 0; i < 3; i++) {
        try {
          uses[below(uses.length)]!();
        } catch (error) {
          seen.add((error as { code: string }).code);
        }
      }
      t.true(queue.length >= 0 && queue.length <= 3);
    }
    await t.throwsAsync(async () => {
      words[64] = 0; // it has not ended
      words[32] = words[48] = 0;
      words[first] = 7;
      await queue.pop({ timeout: 1000 });
    });
    seen.delete('ERR_SHM_TOO_MANY'); // of spsc: somebody else is the only one
    for (const code of seen) t.true(CODES.has(code), code);
    t.true(seen.has('ERR_SHM_CORRUPT'));
  });
}

test('what is no queue, or none of this version, is refused', (t) => {
  const name = freshName(t);
  const attach = (): SharedQueue => SharedQueue.attach(name);
  using memory = SharedMemory.create(20_000, { name });
  const refused = (code: string): void => {
    leavesNothing(t, () => t.throws(attach, { code }));
  };
  refused('ERR_SHM_NOT_A_QUEUE');
  memory.write(Buffer.from('SHMQUEUE'));
  refused('ERR_SHM_CORRUPT');
  using queue = SharedQueue.create({ slots: 10, dtype: 'float32', shape: [4, 4], track: false });
  t.teardown(() => queue.unlink());
  using whole = SharedMemory.attach(queue.name);
  memory.write(whole.read());
  SharedQueue.attach(name).close();
  memory.write(Uint8Array.of(9), 12);
  refused('ERR_SHM_VERSION');
  memory.write(Uint8Array.of(1), 12);
  for (const [at, byte] of [
    [16, 3],
    [20, 0],
    [20, 13],
    [24, 255],
    [28, 9],
    [32, 1],
    [40, 1],
    [48, 8],
    [64, 5],
    [71, 255],
  ] as const) {
    const [was] = memory.read(at, 1);
    memory.write(Uint8Array.of(byte), at);
    refused('ERR_SHM_CORRUPT');
    memory.write(Uint8Array.of(was!), at);
  }
  const list = freshName(t);
  using other = ShareableList.create([1, 2], { name: list });
  t.throws(() => SharedQueue.attach(other.name), { code: 'ERR_SHM_NOT_A_QUEUE' });
});
