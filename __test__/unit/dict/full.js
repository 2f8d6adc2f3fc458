/** `full.js`, in a `/dev/shm` of its own of 8 MB: a dict that cannot grow because the system has no memory loses nothing. */
import assert from 'node:assert/strict';

import { SharedDict, SharedMemory } from 'shmkit';

const dict = SharedDict.create({ maxByteLength: 1 << 30 });
const other = SharedDict.attach(dict.name);
dict.txnSync(() => {}); // its lock is there
const ballast = SharedMemory.create(2 << 20);

/** Sets keys until the dict is full; the number of its keys. */
function fill(length, from = 0) {
  const code = 'ENOSPC';
  const text = 'x'.repeat(length);
  let count = from;
  try {
    for (; ; count++) dict.set(`key ${count}`, text);
  } catch (error) {
    assert.equal(error.code, code, error.stack);
  }
  assert.throws(() => dict.set('more', text), { code });
  assert.throws(() => dict.assign({ a: 1, more: text }), { code });
  const both = (txn) => (txn.set('key 0', 1), txn.set('more', text));
  assert.throws(() => void dict.txnSync(both), { code });
  assert.throws(() => dict.update('key 0', (old) => old + text), { code });
  assert.throws(() => dict.getOrInsert('more', text), { code });
  for (const handle of [dict, other]) {
    assert.equal(handle.size, count);
    assert.equal(handle.has('more'), false);
    for (const [key, value] of handle) assert.ok(/^key \d+$/.test(key) && value === text);
    assert.equal([...handle.keys()].length, count);
  }
  return count;
}

const count = fill(100_000);
assert.ok(count >= 30, `${count}`);
// It is usable after a delete, by the handle that found it full and by others.
for (let i = 0; i < count; i++) {
  assert.equal(dict.delete(`key ${i}`), true);
  other.set(`key ${i}`, 'x'.repeat(100_000));
}
assert.equal(fill(100_000, count), count);
// When the system has memory again, it grows.
ballast.close();
ballast.unlink();
const more = fill(100_000, count);
assert.ok(more > count, `${more}`);
dict.clear();
assert.equal(other.size, 0);
const again = fill(100_000);
assert.ok(again >= more - 1, `${again} of ${more}`);
for (const key of dict.keys()) dict.delete(key);
const small = fill(1000);
assert.ok(small > more * 50, `memory of values of one size is not reused for another: ${small}, ${more}`);
for (const key of dict.keys()) dict.delete(key);
dict.set('large', 'x'.repeat(1_000_000));
assert.equal(other.get('large'), 'x'.repeat(1_000_000));
dict.close();
other.close();
dict.unlink();
