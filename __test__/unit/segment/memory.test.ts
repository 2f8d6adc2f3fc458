/** What CPython's own tests ask of SharedMemory, asked of ours: alone, with Node and with every CPython. */
import { Buffer } from 'node:buffer';
import { inspect } from 'node:util';

import test from 'ava';
import { attach, SharedMemory } from 'shmkit';
import type { Descriptor } from 'shmkit';

import { withEveryPeer } from '../../fixtures/peers/peers.js';
import { exists, freshName, leavesNothing } from '../../fixtures/segments.js';

/** What arrives where a JSON text was sent. */
function throughJson(value: unknown): Descriptor {
  return JSON.parse(JSON.stringify(value)) as Descriptor;
}

/** How Node and Python say that there is no such segment. */
const MISSING = { code: 'ENOENT' };
const TAKEN = { code: 'EEXIST' };

test('a segment is there under its name, with its size, and shows both', (t) => {
  const name = freshName(t);
  using shm = SharedMemory.create(512, { name });
  t.is(shm.name, name);
  t.is(shm.size, 512);
  t.is(shm.buf.length, 512);
  t.true(shm.created);
  t.is(inspect(shm), `SharedMemory('${name}', size=512)`);
  t.true(exists(name));
});

test('a new segment is all zeros', (t) => {
  using shm = SharedMemory.create(10_000, { name: freshName(t) });
  t.true(shm.buf.every((byte) => byte === 0));
});

test('what one handle writes, another handle of the same process sees', (t) => {
  using shm = SharedMemory.create(512, { name: freshName(t) });
  shm.buf[0] = 42;
  t.is(shm.buf[0], 42);
  using other = SharedMemory.attach(shm.name);
  t.is(other.buf[0], 42);
  t.false(other.created);
  t.is(other.size, 512);
  other.buf[511] = 7;
  t.is(shm.buf[511], 7);
});

test('read() and write() show and change the same bytes as buf', (t) => {
  using shm = SharedMemory.create(64, { name: freshName(t) });
  shm.write(Buffer.from('howdy'), 3);
  t.is(shm.buf.toString('latin1', 3, 8), 'howdy');
  shm.buf[3] = 'H'.charCodeAt(0);
  t.is(shm.read(3, 5).toString(), 'Howdy');
  t.is(shm.read().length, 64);
  t.is(shm.read(60).length, 4);
  t.is(shm.read(64).length, 0);
  const copy = shm.read(3, 5);
  shm.buf.fill(0);
  t.is(copy.toString(), 'Howdy', 'a copy stays what it was');
});

test('a segment that exists cannot be created again, and keeps its bytes', (t) => {
  using shm = SharedMemory.create(512, { name: freshName(t) });
  shm.buf[0] = 42;
  const error = leavesNothing(t, () => t.throws(() => SharedMemory.create(512, { name: shm.name }), TAKEN));
  t.like(error, { code: 'EEXIST', segment: shm.name });
  t.is(shm.buf[0], 42);
});

test('a segment that does not exist cannot be attached', (t) => {
  const name = freshName(t);
  const error = leavesNothing(t, () => t.throws(() => SharedMemory.attach(name), MISSING));
  t.like(error, { code: 'ENOENT', errno: -2, syscall: 'shm_open', segment: name });
});

test('createOrAttach makes what is not there, attaches to what is, and says which', (t) => {
  const name = freshName(t);
  using first = SharedMemory.createOrAttach(name, 512);
  t.true(first.created);
  first.buf[0] = 42;
  using second = SharedMemory.createOrAttach(name, 100);
  t.false(second.created);
  t.is(second.size, 512, 'the size is that of the segment, not what was asked for');
  t.is(second.buf[0], 42);
});

test('createOrAttach refuses a segment that is smaller than what was asked for, and leaves it alone', (t) => {
  using shm = SharedMemory.create(512, { name: freshName(t) });
  shm.buf[0] = 42;
  leavesNothing(t, () =>
    t.throws(() => SharedMemory.createOrAttach(shm.name, 513), { code: 'ERR_SHM_SIZE' }),
  );
  t.is(shm.buf[0], 42);
  t.is(shm.size, 512);
});

test('a name that was drawn is never one that is there', (t) => {
  const segments = Array.from({ length: 500 }, () => SharedMemory.create(1));
  const names = new Set(segments.map((shm) => shm.name));
  t.true([...names].every(exists));
  for (const shm of segments) {
    shm.unlink();
    shm.close();
  }
  t.is(names.size, segments.length);
  t.false([...names].some(exists));
});

test('the name of an unlinked segment can be given again, and the old memory stays with its handles', (t) => {
  const name = freshName(t);
  using old = SharedMemory.create(64, { name });
  old.buf[0] = 1;
  old.unlink();
  t.throws(() => SharedMemory.attach(name), MISSING);
  using fresh = SharedMemory.create(128, { name });
  t.is(fresh.buf[0], 0);
  t.is(old.buf[0], 1);
  fresh.buf[0] = 2;
  t.is(old.buf[0], 1);
});

test('a segment can be unlinked once, by whichever handle', (t) => {
  using uno = SharedMemory.create(5000, { name: freshName(t) });
  using duo = SharedMemory.attach(uno.name);
  duo.unlink();
  t.throws(() => uno.unlink(), MISSING);
  t.throws(() => duo.unlink(), MISSING);
});

test('a second unlink does not take a newer segment of the same name away', (t) => {
  const name = freshName(t);
  using old = SharedMemory.create(64, { name });
  old.unlink();
  using fresh = SharedMemory.create(64, { name });
  t.throws(() => old.unlink(), MISSING);
  t.true(exists(name));
  fresh.unlink();
  t.false(exists(name));
});

test('unlink works after close, and close after unlink', (t) => {
  const closedFirst = SharedMemory.create(64, { name: freshName(t) });
  closedFirst.close();
  closedFirst.unlink();
  t.false(exists(closedFirst.name));
  const unlinkedFirst = SharedMemory.create(64, { name: freshName(t) });
  unlinkedFirst.unlink();
  t.is(unlinkedFirst.buf.length, 64);
  unlinkedFirst.close();
  t.true(unlinkedFirst.closed);
});

test('a descriptor leads to the same bytes, both ways', (t) => {
  using shm = SharedMemory.create(512, { name: freshName(t) });
  shm.buf.write('pickle');
  using other = SharedMemory.attach(throughJson(shm));
  t.is(other.name, shm.name);
  t.is(other.buf.toString('latin1', 0, 6), 'pickle');
  shm.buf.write('newval');
  t.is(other.buf.toString('latin1', 0, 6), 'newval');
  other.buf.write('oldval');
  t.is(shm.buf.toString('latin1', 0, 6), 'oldval');
});

test('attach() makes of a descriptor what it was made from', (t) => {
  using shm = SharedMemory.create(512, { name: freshName(t) });
  using other = attach(throughJson(shm));
  t.true(other instanceof SharedMemory);
  t.is(other.name, shm.name);
});

test('a descriptor of a segment that is gone leads nowhere', (t) => {
  const name = freshName(t);
  const shm = SharedMemory.create(512, { name });
  const descriptor = throughJson(shm);
  shm.close();
  shm.unlink();
  leavesNothing(t, () => t.throws(() => SharedMemory.attach(descriptor), MISSING));
  using fresh = SharedMemory.create(512, { name });
  leavesNothing(t, () => t.throws(() => SharedMemory.attach(descriptor), { code: 'ERR_SHM_UNLINKED' }));
  t.is(fresh.name, name);
});

test('a descriptor of another kind is refused', (t) => {
  using shm = SharedMemory.create(512, { name: freshName(t) });
  const { name } = shm;
  leavesNothing(t, () => {
    t.throws(() => SharedMemory.attach({ ...throughJson(shm), kind: 'list' }), { code: 'ERR_SHM_KIND' });
    t.throws(() => attach({ kind: 'teapot', name }), { code: 'ERR_SHM_KIND' });
    for (const kind of [undefined, 7, null]) {
      t.throws(() => attach({ kind, name } as unknown as Descriptor), { code: 'ERR_INVALID_ARG_TYPE' });
    }
    t.throws(() => attach(name as unknown as Descriptor), { code: 'ERR_INVALID_ARG_TYPE' });
    t.throws(() => attach({ kind: 'memory', name: 7 } as unknown as Descriptor), {
      code: 'ERR_INVALID_ARG_TYPE',
    });
  });
});

test('a descriptor of another version is refused, and one without a version is of this one', (t) => {
  using shm = SharedMemory.create(512, { name: freshName(t) });
  const { version, ...byHand } = throughJson(shm);
  t.is(version, 1);
  using again = SharedMemory.attach(byHand);
  t.is(again.size, 512);
  leavesNothing(t, () => {
    t.throws(() => attach({ ...byHand, version: 2 }), {
      code: 'ERR_SHM_VERSION',
      message: /version 2.*reads 1/,
    });
    t.throws(() => SharedMemory.attach({ ...byHand, version: 0 }), { code: 'ERR_SHM_VERSION' });
    t.throws(() => attach({ ...byHand, version: '1' as unknown as number }), {
      code: 'ERR_INVALID_ARG_TYPE',
    });
    t.throws(() => attach({ ...byHand, version: 1.5 }), { code: 'ERR_OUT_OF_RANGE' });
    t.throws(() => attach({ ...byHand, id: 'x' }), { code: 'ERR_INVALID_ARG_VALUE' });
  });
});

test('a read-only handle has a read-only descriptor', (t) => {
  using shm = SharedMemory.create(16, { name: freshName(t) });
  using reader = SharedMemory.attach(shm.name, { readOnly: true });
  using other = SharedMemory.attach(throughJson(reader));
  t.true(other.readOnly);
  using writer = SharedMemory.attach(throughJson(reader), { readOnly: false });
  t.false(writer.readOnly);
});

withEveryPeer('a peer writes to a segment of ours', async (t, other) => {
  using shm = SharedMemory.create(512, { name: freshName(t) });
  await using byName = await other.attach(shm.name);
  await byName.write('howdy');
  t.is(shm.buf.toString('latin1', 0, 5), 'howdy');
  await using byInstance = await other.attach(shm);
  await byInstance.write('HELLO');
  t.is(shm.buf.toString('latin1', 0, 5), 'HELLO');
});

withEveryPeer('we write to a segment of a peer', async (t, other) => {
  await using theirs = await other.create(512, freshName(t));
  using shm = SharedMemory.attach(theirs.name);
  t.is(shm.size, 512);
  shm.buf.write('howdy');
  t.is((await theirs.read(0, 5)).toString(), 'howdy');
  await theirs.write('HELLO', 507);
  t.is(shm.buf.toString('latin1', 507), 'HELLO');
});

withEveryPeer('a peer and we see one size, of whole pages or not', async (t, other) => {
  for (const size of [1, 511, 4096, 4097, 1_000_003]) {
    using shm = SharedMemory.create(size, { name: freshName(t) });
    await using theirs = await other.attach(shm.name);
    t.is(theirs.size, size);
    shm.buf[size - 1] = 0xa5;
    t.deepEqual([...(await theirs.read(size - 1))], [0xa5]);
  }
});

withEveryPeer('a name is one name for a peer and for us', async (t, other) => {
  const name = freshName(t, ' a.b_c-d');
  using shm = SharedMemory.create(64, { name });
  await t.throwsAsync(other.create(64, name), TAKEN);
  await using theirs = await other.attach(name);
  t.is(theirs.name, name);
  await theirs.unlink();
  t.throws(() => shm.unlink(), MISSING);
  await t.throwsAsync(other.attach(name), MISSING);
});

withEveryPeer('a name beyond ASCII is one name too, where CPython can have it', async (t, other) => {
  const name = freshName(t, '-ünï 名');
  using shm = SharedMemory.create(64, { name });
  if (other.minor !== undefined && other.minor < 13) {
    // Their resource tracker, which cannot be turned off, has ASCII names only.
    await t.throwsAsync(other.attach(name), { message: /^UnicodeEncodeError/ });
  } else {
    await using theirs = await other.attach(name);
    await theirs.write('howdy');
    t.is(shm.buf.toString('latin1', 0, 5), 'howdy');
  }
  shm.unlink();
});

withEveryPeer('an unlink by us is one for a peer', async (t, other) => {
  await using theirs = await other.create(64, freshName(t));
  using shm = SharedMemory.attach(theirs.name);
  shm.unlink();
  await t.throwsAsync(other.attach(theirs.name), MISSING);
  await t.throwsAsync(theirs.unlink(), MISSING);
  await theirs.write('still ours');
  t.is(shm.buf.toString('latin1', 0, 10), 'still ours');
});

test('a write from the segment onto itself moves the bytes as they were', (t) => {
  using shm = SharedMemory.create(64, { name: freshName(t) });
  for (let i = 0; i < 64; i++) shm.buf[i] = i;
  const expected = Buffer.from(shm.buf);
  shm.write(shm.buf.subarray(0, 32), 8);
  t.deepEqual(
    shm.read(),
    Buffer.concat([expected.subarray(0, 8), expected.subarray(0, 32), expected.subarray(40)]),
  );
});

test('a frozen handle closes as any other', (t) => {
  const shm = Object.freeze(SharedMemory.create(64, { name: freshName(t) }));
  const { buf } = shm;
  shm.close();
  t.is(buf.length, 0);
  t.throws(() => shm.buf, { code: 'ERR_SHM_CLOSED' });
});

test('an option that does not exist is refused, whatever it looks like', (t) => {
  using shm = SharedMemory.create(64, { name: freshName(t) });
  t.throws(() => SharedMemory.attach(shm.name, { readonly: true } as object), {
    code: 'ERR_INVALID_ARG_TYPE',
  });
  t.throws(() => SharedMemory.create(64, { nmae: 'x' } as object), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => SharedMemory.attach({ ...shm.toJSON(), id: 5 }), { code: 'ERR_INVALID_ARG_TYPE' });
});
