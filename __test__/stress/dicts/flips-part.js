/**
 * `flips-part.js SEED PART PARTS`: flips every byte of a small dict (of every PARTS bytes the one at PART), one after the other, like a process that writes random bytes, and
 * uses the dict in every way. Each use must succeed or fail with an error that has a code. When the bytes are restored, the
 * dict must have its old contents.
 */
import assert from 'node:assert/strict';

import { SharedDict, SharedMemory } from 'shmkit';

import { random } from '../../fixtures/random.js';

const [seed, part, parts] = process.argv.slice(2).map(Number);
const below = random(seed * 64 + part);
const VALUES = {
  n: 1.5,
  t: 'text',
  long: 'x'.repeat(100),
  wide: '日本',
  big: -(2n ** 70n),
  none: null,
  yes: true,
  bytes: Buffer.from('bytes'),
  array: new Float64Array([1, 2, 3]),
  object: { a: [1, 'b', { c: null }] },
  clone: new Map([[1, new Set([2])]]),
  [`key of ${'y'.repeat(80)}`]: 2,
};
const dict = SharedDict.create({ byteLength: 16 << 10, maxByteLength: 64 << 10 });
dict.assign(VALUES);
// Free blocks, and slots that were used.
for (let i = 0; i < 10; i++) dict.set(`gone ${i}`, 'x'.repeat(i * 10));
for (let i = 0; i < 10; i++) dict.delete(`gone ${i}`);
const reader = SharedDict.attach(dict.name, { readOnly: true, lockTimeout: 0 });
const shm = SharedMemory.attach(dict.name);
const whole = Buffer.from(shm.buf);
const used = Number(whole.readBigUInt64LE(144));

const USES = [
  (d) => Object.keys(VALUES).map((key) => d.get(key)),
  (d) => Object.keys(VALUES).map((key) => d.has(key)),
  (d) => d.get('none such'),
  (d) => [...d.keys()],
  (d) => [...d.entries()],
  (d) => d.toObject(),
  (d) => d.size,
  (d) => d.txnSync((txn) => void txn.view('array'), { readOnly: true }),
  (d) => SharedDict.attach(d.name).close(),
];
const CHANGES = [
  (d) => d.set('n', 2),
  (d) => d.set('t', 'another text'),
  (d) => d.set('new', 'x'.repeat(below(500))),
  (d) => d.set('large', 'x'.repeat(below(40_000))),
  (d) => d.delete('n'),
  (d) => d.increment('count'),
  (d) => d.assign({ n: 3, t: 'three', more: [1] }),
  (d) => d.txnSync((txn) => (txn.set('n', 4), txn.delete('t'), void txn.view('bytes'))),
  (d) => d.compareAndSet('yes', true, false),
  (d) => {
    for (let i = 0; i < 60; i++) d.set(`many ${i}`, i);
  },
  (d) => d.clear(),
];

let refused = 0;
function use(what, at) {
  try {
    what();
  } catch (error) {
    refused++;
    const code = String(error.code);
    assert.match(code, /^(ERR_SHM_\w+|ENOSPC|ERR_STRING_TOO_LONG)$/, `byte ${at}: ${error.stack}`);
  }
}

/** With a handle that has no cached values: it may have cached one while a byte was flipped. */
function checkContents(at) {
  const fresh = SharedDict.attach(dict.name);
  assert.deepEqual(fresh.toObject(), VALUES, `after byte ${at}`);
  fresh.close();
}

let [tried, last] = [0, 0];
for (let at = part; at < used; at += parts) {
  for (const flip of [1 << below(8), 0xff]) {
    for (const change of [undefined, CHANGES[below(CHANGES.length)]]) {
      shm.buf[at] ^= flip;
      for (const look of USES) {
        use(() => look(dict), at);
        use(() => look(reader), at);
      }
      if (change !== undefined) use(() => change(dict), at);
      for (const look of USES) use(() => look(dict), at);
      whole.copy(shm.buf);
    }
  }
  if (tried++ % 32 === 0) checkContents(at);
  last = at;
}
checkContents(last);
dict.unlink();
console.log(`${tried} of ${used} bytes, ${refused} refusals`);
