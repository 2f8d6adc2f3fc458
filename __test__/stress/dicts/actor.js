/**
 * `actor.js NAME SEED ID`: uses a dict in every way there is until it is killed. A fault is counted and ends it.
 *
 * The dict contains accounts, whose sum is always `TOTAL`; for each account an object of 8 B to 64 KB with its amount,
 * padding and a checksum, which is set in the same txn; the keys 'always N', which are never missing; and keys that only one
 * actor writes.
 *
 * State, in 32-bit words: 0 faults; 1 writes; 2 reads; 3 read-only txns; from 16 on the rounds of each ID.
 */
import { setImmediate as breathe } from 'node:timers/promises';

import { SharedDict, SharedMemory } from 'shmkit';

import { random } from '../../fixtures/random.js';
import { ACCOUNTS, ALWAYS, checked, fill, TOTAL, whole } from './values.js';

const [name, seed, id] = process.argv.slice(2);
const below = random(Number(seed));
const state = SharedMemory.attach(`${name}-state`);
const words = new Int32Array(state.buffer);
const dict = SharedDict.attach(name, { lockTimeout: 30_000 });
const reader = SharedDict.attach(name, { readOnly: true });
const mine = `of ${id} `;

function fault(why) {
  Atomics.add(words, 0, 1);
  process.stderr.write(`${process.pid}: ${why}\n${new Error('here').stack}\n`);
  process.exit(3);
}

/** Checks what a txn sees: the sum, and that each account agrees with its object. */
function balanced(txn) {
  let sum = 0;
  const odd = [];
  for (let account = 0; account < ACCOUNTS; account++) {
    const amount = txn.get(`account ${account}`);
    const object = txn.get(`object ${account}`);
    sum += amount;
    if (typeof amount !== 'number' || object?.amount !== amount || !whole(object)) odd.push(account);
  }
  return sum === TOTAL && odd.length === 0 ? undefined : `the sum is ${sum}, and ${odd.join(' ')} are odd`;
}

function transfer(txn) {
  const [from, to] = [below(ACCOUNTS), below(ACCOUNTS)];
  const amount = below(100);
  for (const [account, by] of [
    [from, -amount],
    [to, amount],
  ]) {
    const after = txn.increment(`account ${account}`, by);
    txn.set(`object ${account}`, fill(below, after));
  }
}

/** Writes keys of this actor alone. An earlier actor with its ID may have died during any of these writes. */
function own(txn) {
  const version = (txn.get(`${mine}version`) ?? 0) + 1;
  txn.set(`${mine}version`, version);
  for (let i = below(6); i > 0; i--) {
    const key = `${mine}${below(30)}`;
    if (below(3) === 0) txn.delete(key);
    else txn.set(key, checked(below, version));
  }
}

const writes = [
  () => dict.txnSync(transfer),
  () => dict.txnSync(transfer),
  () => dict.txn(transfer),
  () => dict.txnSync(own),
  () => dict.set(`always ${below(ALWAYS)}`, checked(below, below(1000))),
  () => dict.set(`always ${below(ALWAYS)}`, checked(below, below(1000))),
  () =>
    dict.update(`always ${below(ALWAYS)}`, (old) =>
      whole(old) ? checked(below, 1) : fault('an old value is not whole'),
    ),
  () => void dict.set(`${mine}number`, below(1000)).increment(`${mine}number`),
  () => dict.delete(`${mine}${below(30)}`),
  () => dict.assign({ [`${mine}a`]: checked(below, 1), [`${mine}b`]: checked(below, 2) }),
  () => {
    // The dict grows, and then all of that is deleted at once.
    if (below(10) > 0) return;
    for (let i = 0; i < 200; i++) dict.set(`${mine}many ${i}`, i);
    dict.txnSync((txn) => {
      for (const key of txn.keys()) if (key.startsWith(`${mine}many`)) txn.delete(key);
    });
  },
  () => {
    // Removes everything and sets it again, in one txn.
    if (below(20) > 0) return;
    dict.txnSync((txn) => {
      const kept = [...txn.entries()].filter(([key]) => !key.startsWith(mine));
      txn.clear();
      for (const [key, value] of kept) txn.set(key, value);
      const why = balanced(txn);
      if (why !== undefined) fault(why);
    });
  },
  () => {
    try {
      dict.txnSync((txn) => {
        transfer(txn);
        txn.set('account 0', 1e9);
        throw new RangeError('rolled back');
      });
    } catch (error) {
      if (error.message !== 'rolled back') throw error;
    }
  },
];

const reads = [
  (handle) => {
    const why = handle.txnSync(balanced, { readOnly: true });
    if (why !== undefined) fault(why);
    Atomics.add(words, 3, 1);
  },
  async (handle) => {
    const why = await handle.txn(balanced, { readOnly: true });
    if (why !== undefined) fault(why);
    Atomics.add(words, 3, 1);
  },
  (handle) => {
    for (let i = 0; i < ALWAYS; i++) {
      const value = handle.get(`always ${i}`);
      if (value === undefined)
        fault(
          `'always ${i}' is missing; there now: ${handle.has(`always ${i}`)}, ${dict.txnSync((txn) => txn.has(`always ${i}`))} in a txn`,
        );
      if (!whole(value)) fault(`'always ${i}' is not whole`);
      if (!handle.has(`always ${i}`)) fault(`'always ${i}' is not there`);
    }
  },
  (handle) => {
    for (let account = 0; account < ACCOUNTS; account++) {
      if (!whole(handle.get(`object ${account}`))) fault(`object ${account} is not whole`);
    }
  },
  (handle) => {
    const keys = new Set(handle.keys());
    for (let i = 0; i < ALWAYS; i++)
      if (!keys.has(`always ${i}`)) fault(`'always ${i}' is not among the keys`);
    for (let i = 0; i < ACCOUNTS; i++)
      if (!keys.has(`account ${i}`)) fault(`'account ${i}' is not among the keys`);
  },
  (handle) => {
    const seen = new Set();
    const entries = handle.txnSync((txn) => [...txn.entries()], { readOnly: true });
    for (const [key, value] of entries) {
      if (seen.has(key)) fault(`'${key}' is there twice`);
      seen.add(key);
      if (typeof value === 'object' && !whole(value)) fault(`${key} is not whole`);
    }
  },
];

process.on('uncaughtException', (error) => fault(error.stack));
process.stdout.write('ready\n');
for (;;) {
  const act = writes[below(writes.length)];
  await act();
  Atomics.add(words, 1, 1);
  if (below(2) === 0) {
    // Actor 0 may be the only one alive, and a read-only handle cannot repair what the dead left.
    await reads[below(reads.length)](below(2) === 0 || id === '0' ? dict : reader);
    Atomics.add(words, 2, 1);
  }
  Atomics.add(words, 16 + (Number(id) % 64), 1);
  if (below(50) === 0) await breathe();
}
