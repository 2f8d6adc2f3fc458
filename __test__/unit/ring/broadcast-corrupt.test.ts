import test from 'ava';
import { SharedBroadcast, SharedMemory, ShareableList } from 'shmkit';

import { random } from '../../fixtures/random.js';
import { freshName, leavesNothing } from '../../fixtures/segments.js';

/** What may be said of a broadcast that somebody writes to at will. */
const CODES = new Set([
  'ERR_SHM_CORRUPT',
  'ERR_SHM_LOST',
  'ERR_SHM_ENDED',
  'ERR_SHM_TIMEOUT',
  'ERR_SHM_TOO_MANY',
]);
/** Where its counts, words, participants, readers and slots are. */
const [COUNTS, ITEMS, ROOM, PARTICIPANTS, READERS, SLOTS, END] = [128, 192, 256, 320, 16_640, 32_960, 33_152];

type Use = (
  broadcast: SharedBroadcast<'int32'>,
  reader: ReturnType<SharedBroadcast<'int32'>['subscribe']>,
) => unknown;
const item = new Int32Array(2);
const USES: Use[] = [
  (broadcast) => broadcast.tryPublish(item),
  (broadcast) => broadcast.tryPublish(item),
  (broadcast) => broadcast.publishSync(item, { timeout: 0 }),
  (_, reader) => reader.tryNext(),
  (_, reader) => reader.tryNextInto(item),
  (_, reader) => reader.nextSync({ timeout: 0, spin: 3 }),
  (broadcast) => broadcast.subscribe({ from: 'oldest' }).close(),
  (broadcast) => broadcast.subscribers + broadcast.published,
  (_, reader) => reader.length,
];

for (const onSlow of ['block', 'drop'] as const) {
  test(`a broadcast that another process writes to at random is an error or gives garbage, at once (${onSlow})`, async (t) => {
    const options = { slots: 3, dtype: 'int32', shape: [2], onSlow } as const;
    using broadcast = SharedBroadcast.create({ ...options, name: freshName(t) });
    using memory = SharedMemory.attach(broadcast.name);
    const words = new Int32Array(memory.buffer);
    const doubles = new Float64Array(memory.buffer);
    const below = random(onSlow.length);
    const seen = new Set<string>();
    const attempt = (use: () => unknown): void => {
      try {
        use();
      } catch (error) {
        seen.add((error as { code: string }).code);
      }
    };
    const began = performance.now();
    let subscription = broadcast.subscribe();
    for (let round = 0; round < 20_000 && performance.now() - began < 10_000; round++) {
      const at = [COUNTS + 8 * below(2), READERS + 8 + 64 * below(2), SLOTS + 64 * below(3)][below(3)]!;
      if (below(2) === 0)
        doubles[at / 8] = [below(12), -below(12), below(2 ** 32) / 7, Infinity, 2 ** 53][below(5)]!;
      else
        words[[COUNTS + 16, ITEMS, ROOM + 4 * below(4), READERS + 64 * below(3)][below(4)]! / 4] = below(
          2 ** below(32),
        );
      for (let i = 0; i < 3; i++) attempt(() => USES[below(USES.length)]!(broadcast, subscription));
      if (below(50) === 0) attempt(() => subscription.nextSync({ timeout: 1, spin: 3 }));
      if (below(20) > 0) continue;
      words[(ROOM + 8) / 4] = 0; // it has not ended
      subscription.close();
      attempt(() => (subscription = broadcast.subscribe()));
    }
    for (const code of seen) t.true(CODES.has(code) || code === 'ERR_SHM_CLOSED', code);
    t.true(seen.has('ERR_SHM_CORRUPT'));
  });

  test(`every byte of a small one may be another (${onSlow})`, (t) => {
    const options = { slots: 3, dtype: 'int32', shape: [2], onSlow } as const;
    using broadcast = SharedBroadcast.create({ ...options, name: freshName(t) });
    using subscription = broadcast.subscribe();
    for (let i = 0; i < 3; i++) broadcast.publishSync(item);
    subscription.tryNext();
    using memory = SharedMemory.attach(broadcast.name);
    const whole = memory.read();
    t.is(whole.length >= END, true);
    // Of participants and readers those first ones that there are.
    const places = [
      [0, PARTICIPANTS + 128],
      [READERS, READERS + 128],
      [SLOTS, END],
    ] as const;
    const codes = new Set<string>();
    for (const [from, to] of places) {
      for (let at = from; at < to; at++) {
        memory.write(Uint8Array.of(whole[at]! ^ (1 << (at % 8)) ^ 0x80), at);
        for (const use of USES) {
          try {
            use(broadcast, subscription);
          } catch (error) {
            codes.add((error as { code: string }).code);
          }
        }
        try {
          using other = SharedBroadcast.attach<'int32'>(broadcast.name);
          using reader = other.subscribe({ from: 'oldest' });
          for (const use of USES) use(other, reader);
        } catch (error) {
          codes.add((error as { code: string }).code);
        }
        memory.write(whole);
      }
    }
    for (const code of ['ERR_SHM_NOT_A_BROADCAST', 'ERR_SHM_VERSION']) t.true(codes.delete(code));
    for (const code of codes) t.true(CODES.has(code), code);
  });
}

test('what is no broadcast, or none of this version, is refused', (t) => {
  const name = freshName(t);
  using memory = SharedMemory.create(50_000, { name });
  const refused = (code: string): void => {
    leavesNothing(t, () => t.throws(() => SharedBroadcast.attach(name), { code }));
  };
  refused('ERR_SHM_NOT_A_BROADCAST');
  memory.write(Buffer.from('SHMBCAST'));
  refused('ERR_SHM_CORRUPT');
  using broadcast = SharedBroadcast.create({ slots: 10, dtype: 'float32', shape: [4, 4], track: false });
  t.teardown(() => broadcast.unlink());
  using whole = SharedMemory.attach(broadcast.name);
  memory.write(whole.read());
  SharedBroadcast.attach(name).close();
  memory.write(Uint8Array.of(9), 12);
  refused('ERR_SHM_VERSION');
  memory.write(Uint8Array.of(1), 12);
  memory.write(Uint8Array.of(3), 16);
  refused('ERR_SHM_CORRUPT');
  using list = ShareableList.create([1, 2], { name: freshName(t) });
  t.throws(() => SharedBroadcast.attach(list.name), { code: 'ERR_SHM_NOT_A_BROADCAST' });
});
