/** SegmentPool: segments that are used again. */
import test from 'ava';
import { SegmentPool, SharedMemory } from 'shmkit';

import { exists, holdings } from '../../fixtures/segments.js';

test('a released segment is the next one of its size', (t) => {
  using pool = new SegmentPool();
  const first = pool.acquire(100_000);
  t.true(first.size >= 100_000 && first.size <= 125_000, `${first.size}`);
  first.buf[99_999] = 7;
  const second = pool.acquire(100_000);
  t.not(second, first);
  t.is(pool.idleBytes, 0);
  pool.release(first);
  t.is(pool.idleBytes, first.size);
  t.is(pool.acquire(99_000), first);
  t.is(first.buf[99_999], 7);
  t.not(pool.acquire(400_000), first);
  const other = SharedMemory.attach(first.name);
  t.is(other.buf[99_999], 7);
  other.close();
});

test('the one that was used last comes first', (t) => {
  using pool = new SegmentPool();
  const [a, b, c] = [pool.acquire(5000), pool.acquire(5000), pool.acquire(5000)];
  for (const segment of [b, a, c]) pool.release(segment);
  t.deepEqual([pool.acquire(5000), pool.acquire(5000), pool.acquire(5000)], [c, a, b]);
});

test('sizes are rounded up by a quarter at most, and to whole pages', (t) => {
  using pool = new SegmentPool();
  for (const size of [1, 4096, 4097, 5000, 8192, 8193, 100_000, 1 << 20, (1 << 20) + 1, 3_000_000]) {
    const { size: got } = pool.acquire(size);
    t.is(got % 4096, 0);
    t.true(got >= size && got < Math.max(size * 1.26, size + 4096), `${got} for ${size}`);
  }
});

test('beyond maxBytes the one that was longest unused goes', (t) => {
  using pool = new SegmentPool({ maxBytes: 3 * 65_536 });
  const all = Array.from({ length: 5 }, () => pool.acquire(65_536));
  all.forEach((segment) => pool.release(segment));
  t.deepEqual(
    all.map(({ name, closed }) => [exists(name), closed]),
    [
      [false, true],
      [false, true],
      [true, false],
      [true, false],
      [true, false],
    ],
  );
  t.is(pool.idleBytes, 3 * 65_536);
  using none = new SegmentPool({ maxBytes: 0 });
  const one = none.acquire(1);
  none.release(one);
  t.false(exists(one.name));
});

test('what was not acquired here, or was released already, is refused', (t) => {
  using pool = new SegmentPool();
  using other = new SegmentPool();
  const own = SharedMemory.create(4096);
  const lent = pool.acquire(4096);
  const code = 'ERR_SHM_NOT_LENT';
  t.throws(() => pool.release(own), { code });
  t.throws(() => other.release(lent), { code });
  t.throws(() => pool.release(undefined as never), { code });
  pool.release(lent);
  t.throws(() => pool.release(lent), { code });
  own.close();
  own.unlink();
});

test('segments that were closed or unlinked meanwhile are forgotten', (t) => {
  using pool = new SegmentPool();
  const [closed, unlinked, idle] = [pool.acquire(4096), pool.acquire(4096), pool.acquire(4096)];
  closed.close();
  pool.release(closed);
  t.false(exists(closed.name));
  unlinked.close();
  unlinked.unlink();
  pool.release(unlinked);
  pool.release(idle);
  idle.close();
  t.not(pool.acquire(4096), idle);
  t.is(pool.idleBytes, 0);
  t.false(exists(idle.name));
});

test('disposed of, it leaves nothing behind', (t) => {
  const before = holdings();
  const pool = new SegmentPool();
  const [lent, idle] = [pool.acquire(4096), pool.acquire(8192)];
  pool.release(idle);
  pool[Symbol.dispose]();
  t.deepEqual([exists(lent.name), exists(idle.name)], [true, false]);
  t.throws(() => pool.acquire(1), { code: 'ERR_SHM_CLOSED' });
  pool.release(lent);
  t.false(exists(lent.name));
  t.deepEqual(holdings(), before);
  t.notThrows(() => pool[Symbol.dispose]());
});

test('arguments', (t) => {
  t.throws(() => new SegmentPool({ maxBytes: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => new SegmentPool({ maxBytes: NaN }), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => new SegmentPool({ maxBytes: '1' as never }), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => new SegmentPool({ maxbytes: 1 } as never), { code: 'ERR_INVALID_ARG_TYPE' });
  using pool = new SegmentPool({ maxBytes: Infinity });
  for (const size of [0, -1, 1.5, NaN, 2 ** 53])
    t.throws(() => pool.acquire(size), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => pool.acquire('1' as never), { code: 'ERR_INVALID_ARG_TYPE' });
});
