/**
 * `lmdb-actor.js NAME DIRECTORY SEED ID PROCESSES PROFILE`, with a channel: does each operation on a dict and on lmdb when
 * it is sent a step, and compares the results. The profile is JSON: the number of `keys`, the size of the `largest` value,
 * the maximum size `full` if the dict is to be full, and `clears`: one in that many operations is a clear(), if it is allowed.
 *
 * A step is either `{ batch }`: that many operations in one txn of lmdb, while the other actors `{ look }`; or `{ free }`: all
 * actors do that many operations at once, on keys of their own and on shared counters, and write them to lmdb at the end.
 *
 * `quiet`: keys whose number has this remainder are not written in this step, so the actors that look know their values.
 */
import { inspect, isDeepStrictEqual } from 'node:util';

import { SharedDict } from 'shmkit';

import { random } from '../../fixtures/random.js';
import { anyKeys, anyValue, isWhole } from './any.js';
import { Lmdb, Own } from './oracle.js';

const QUIET = 16;
const COUNTERS = ['counter 0 of all', 'counter 1 of all', 'counter 2 of all'];
const [name, directory, seed, id, processes, profileText] = process.argv.slice(2);
const profile = JSON.parse(profileText);
const keys = anyKeys(profile.keys);
const isMine = (index) => index % Number(processes) === Number(id);
const mine = new Set(keys.filter((_, index) => isMine(index)));
const lmdb = new Lmdb(directory);
const dict = SharedDict.attach(name, { lockTimeout: 20_000 });
const reader = SharedDict.attach(name, { readOnly: true, lockTimeout: 20_000 });
let third = SharedDict.attach(name);

let below = random(0);
/** What the dict must agree with: lmdb or, in a free step, the keys of this actor. */
let oracle = lmdb;
let step = {};
let done = 0;
let full = 0;
/** The number of operations that may still be replaced by a delete, after the dict was full. */
let relief = 0;
let doing = 'nothing';

function fault(why) {
  const where = `seed ${seed}, ${name.split('-').at(-1)}, process ${id}, step ${step.number}, operation ${done}: ${doing}`;
  process.stderr.write(`${where}: ${why}\n${new Error('here').stack}\n`);
  process.exit(3);
}

function same(what, actual, expected) {
  if (isDeepStrictEqual(actual, expected)) return;
  const shown = (value) => inspect(value, { depth: 6, maxStringLength: 200 });
  fault(`${what}: the dict has ${shown(actual)}, and the oracle ${shown(expected)}`);
}

const isFree = () => oracle !== lmdb;
const isFull = (error) => profile.full !== undefined && error.code === 'ERR_SHM_FULL';
const handle = () => [dict, reader, third][below(3)];
const fresh = () => anyValue(below, profile.largest);

/** A key that may be written in this step. */
function pick() {
  for (;;) {
    const index = below(keys.length);
    if (isFree() ? isMine(index) : index % QUIET !== step.quiet) return keys[index];
  }
}

function throws(code, act) {
  try {
    act();
  } catch (error) {
    if ((error.code ?? error.message) === code || isFull(error)) return;
    throw error;
  }
  fault(`it did not throw ${code}`);
}

/** Checks that these keys are as in the oracle. */
function check(what, some) {
  for (const key of some) same(`${what}, '${key.slice(0, 40)}'`, handle().get(key), oracle.get(key));
  if (!isFree()) same(`${what}, size`, handle().size, oracle.size);
}

/** Checks that the dict and the oracle have the same contents. */
function checkAll(what) {
  const expected = new Map(oracle.entries());
  const found = handle().toObject();
  same(`${what}: how many`, Object.keys(found).length, expected.size);
  for (const [key, value] of expected) same(`${what}: '${key.slice(0, 40)}'`, found[key], value);
  same(`${what}: size`, handle().size, expected.size);
}

/** Does it to the dict and then to the oracle. If the dict is full, it must not have changed. */
function write(some, act, mirror) {
  let result;
  try {
    result = act();
  } catch (error) {
    if (!isFull(error)) throw error;
    isRefused(some);
    return;
  }
  mirror(result);
}

function isRefused(some) {
  full++;
  relief = 8;
  check('after being full', some);
  if (!isFree() && below(30) === 0) checkAll('after being full');
}

const ADDED = [1, -1, 7, 0.5, 1e300, -0, Number.NaN, Infinity];

function increment(entries, key) {
  const by = ADDED[below(ADDED.length)];
  const old = oracle.get(key);
  if (old !== undefined && typeof old !== 'number') {
    throws('ERR_SHM_VALUE', () => entries.increment(key, by));
    return;
  }
  const expected = (old ?? 0) + by;
  const mirror = (sum) => {
    same('the sum', sum, expected);
    oracle.set(key, expected);
  };
  if (entries === dict) write([key], () => dict.increment(key, by), mirror);
  else mirror(entries.increment(key, by));
}

function update(entries, key) {
  const value = fresh();
  const change = (old) => {
    same('the old value', old, oracle.get(key));
    return value;
  };
  const mirror = (result) => {
    same('the new value', result, value);
    oracle.set(key, value);
  };
  if (entries === dict) write([key], () => dict.update(key, change), mirror);
  else mirror(entries.update(key, change));
}

class Abort extends Error {}

/** Does operations in a txn, and checks that no other handle sees them before its end. */
function inTxn(own, count, aborts) {
  const before = new Map();
  let { size } = own;
  let cleared = false;
  const touched = () => {
    const key = below(3) === 0 && before.size > 0 ? [...before.keys()][below(before.size)] : pick();
    // After a clear() the oracle no longer has the old value.
    if (!cleared && !before.has(key)) before.set(key, oracle.get(key));
    return key;
  };
  const counted = (key, act) => {
    if (oracle.has(key)) size--;
    act(key);
    if (oracle.has(key)) size++;
  };
  const set = (key) => {
    const value = fresh();
    own.set(key, value);
    oracle.set(key, value);
  };
  const acts = [
    () => counted(touched(), set),
    () => counted(touched(), set),
    () => counted(touched(), (key) => same('delete() in a txn', own.delete(key), oracle.delete(key))),
    () => counted(touched(), (key) => update(own, key)),
    () => counted(touched(), (key) => increment(own, key)),
    () => {
      const key = touched();
      same('get() in a txn', own.get(key), oracle.get(key));
      same('has() in a txn', own.has(key), oracle.has(key));
    },
    () => same('size in a txn', own.size, size),
    () => throws('ERR_SHM_VALUE', () => own.set(touched(), undefined)),
    () => throws('ERR_SHM_DEADLOCK', () => dict.set(touched(), 1)),
    () => {
      if (isFree() || below(keys.length) > 20) return;
      const found = new Map(own.entries());
      same('keys() in a txn', new Set(own.keys()), new Set(found.keys()));
      same('entries() in a txn', found, new Map(oracle.entries()));
    },
    () => {
      if (isFree() || step.quiet >= 0 || below(profile.clears) > 0) return;
      own.clear();
      lmdb.clear();
      cleared = true;
      size = 0;
    },
  ];
  for (let left = count; left > 0; left--, done++) acts[below(acts.length)]();
  same('size at the end of a txn', own.size, size);
  for (const [key, value] of before) same(`'${key.slice(0, 40)}' outside of a txn`, reader.get(key), value);
  if (aborts) throw new Abort();
  return before.size;
}

/** A txn on both, which must leave nothing if it fails. In a free step it may be asynchronous. */
function txn() {
  const count = 1 + below(24);
  const aborts = below(3) === 0;
  const some = [];
  const body = (own) => inTxn(own, count, aborts);
  for (let i = 0; i < 5; i++) some.push(pick());
  const ends = (error) => {
    if (isFull(error)) isRefused(some);
    else if (error instanceof Abort) check('after an abort', some);
    else throw error;
  };
  if (isFree()) {
    const isAsync = below(2) === 0;
    return oracle.txn(() => (isAsync ? dict.txn(body) : dict.txnSync(body))).catch(ends);
  }
  try {
    lmdb.txn(() => dict.txnSync(body));
    if (aborts) fault('an aborted txn did not throw');
  } catch (error) {
    ends(error);
  }
  return undefined;
}

function look(key) {
  const from = handle();
  // The second read comes from the cache, if no process writes.
  for (let looks = 1 + below(3); looks > 0; looks--) same('get()', from.get(key), oracle.get(key));
}

const set = () => {
  const [key, value] = [pick(), fresh()];
  write(
    [key],
    () => same('set() returns', dict.set(key, value) === dict, true),
    () => oracle.set(key, value),
  );
};

const remove = () => {
  const key = pick();
  same('delete()', dict.delete(key), oracle.delete(key));
};

const compareAndSet = () => {
  const [key, value] = [pick(), fresh()];
  const old = oracle.get(key);
  const expected = [old, old, undefined, fresh(), -0, ''][below(6)];
  const equal = isDeepStrictEqual(old, expected);
  write(
    [key],
    () => dict.compareAndSet(key, expected, value),
    (result) => {
      same('compareAndSet()', result, equal);
      if (equal) oracle.set(key, value);
    },
  );
};

const getOrInsert = () => {
  const [key, value] = [pick(), fresh()];
  const old = oracle.get(key);
  write(
    [key],
    () => dict.getOrInsert(key, value),
    (result) => {
      same('getOrInsert()', result, old === undefined ? value : old);
      if (old === undefined) oracle.set(key, value);
    },
  );
};

const assign = () => {
  const entries = Array.from({ length: 1 + below(20) }, () => [pick(), fresh()]);
  const some = entries.map(([key]) => key);
  if (below(4) === 0) {
    throws('ERR_SHM_VALUE', () => dict.assign([...entries, [pick(), Symbol('no')]]));
    check('after assign() of what cannot be', some);
    return;
  }
  const given = [entries, new Map(entries), Object.fromEntries(entries)][below(3)];
  write(
    some,
    () => dict.assign(given),
    () => {
      for (const [key, value] of entries) oracle.set(key, value);
    },
  );
};

class Ours {
  field = 1;
}

/** Calls that must fail and change nothing. */
const misuse = () => {
  const key = pick();
  const wrong = [undefined, () => 1, Symbol('no'), { a: [() => 1] }, new Ours()][below(5)];
  const unwritten = new Error('of the caller');
  const acts = [
    () => throws('ERR_SHM_VALUE', () => dict.set(key, wrong)),
    () => throws('ERR_SHM_VALUE', () => dict.update(key, () => wrong)),
    () => throws('ERR_SHM_VALUE', () => dict.compareAndSet(key, oracle.get(key), wrong)),
    () =>
      throws('of the caller', () =>
        dict.update(key, () =>
          (() => {
            throw unwritten;
          })(),
        ),
      ),
    () => throws('ERR_SHM_DEADLOCK', () => dict.update(key, () => dict.delete(key))),
    () => throws('ERR_SHM_KEY', () => dict.set('', 1)),
    () => throws('ERR_SHM_KEY', () => dict.set('\ud800', 1)),
    () => throws('ERR_SHM_READ_ONLY', () => reader.set(key, 1)),
    () => throws('ERR_SHM_READ_ONLY', () => void dict.txnSync((own) => own.set(key, 1), { readOnly: true })),
  ];
  acts[below(acts.length)]();
  check('after what was refused', [key]);
};

/** Reads several keys in one txn. */
const lookAtMany = () => {
  const some = Array.from({ length: 1 + below(20) }, pick);
  const found = handle().txnSync((own) => some.map((key) => [own.get(key), own.has(key)]), {
    readOnly: true,
  });
  same(
    'a txn that reads',
    found,
    some.map((key) => [oracle.get(key), oracle.has(key)]),
  );
};

/** Reads everything, in one of the ways there are. */
const lookAtAll = () => {
  // It takes long with many keys, so it is rarer then.
  if (below(keys.length) > 40) return;
  const from = handle();
  if (isFree()) {
    const own = [...from.keys()].filter((key) => mine.has(key));
    same('keys()', new Set(own), new Set(oracle.keys));
    same('how many keys()', own.length, [...oracle.keys].length);
    return;
  }
  const expected = new Map(oracle.entries());
  const ways = [
    () => same('keys()', new Set(from.keys()), new Set(expected.keys())),
    () => same('values()', [...from.values()].length, expected.size),
    () => same('entries()', new Map(from.entries()), expected),
    () => same('for … of', new Map(from), expected),
    () => {
      const seen = new Map();
      from.forEach((value, key) => seen.set(key, value));
      same('forEach()', seen, expected);
    },
    () => same('toObject()', new Map(Object.entries(from.toObject())), expected),
    () => same('a txn', new Map(from.txnSync((own) => [...own.entries()], { readOnly: true })), expected),
  ];
  ways[below(ways.length)]();
};

const clear = () => {
  if (isFree() || step.quiet >= 0 || below(profile.clears) > 0) return;
  dict.clear();
  lmdb.clear();
};

const attachAgain = () => {
  if (below(10) > 0) return;
  third.close();
  third = SharedDict.attach(name, { readOnly: below(2) === 0 });
};

/** What this actor has added to the counters in this step. */
const added = new Map();

/** Adds to a shared counter, in every way there is. */
async function addToCounters() {
  const [key, by] = [COUNTERS[below(COUNTERS.length)], 1 + below(100)];
  const more = (old) => (old ?? 0) + by;
  const ways = [
    () => dict.increment(key, by),
    () => dict.update(key, more),
    () => {
      let old;
      do old = handle().get(key);
      while (!dict.compareAndSet(key, old, more(old)));
    },
    () => dict.txnSync((own) => own.increment(key, by)),
    () => dict.txn((own) => void own.set(key, more(own.get(key)))),
  ];
  try {
    await ways[below(ways.length)]();
  } catch (error) {
    if (!isFull(error)) throw error;
    full++;
    relief = 8;
    return;
  }
  added.set(key, (added.get(key) ?? 0) + by);
}

const lookAtOne = () => look(pick());
const hasOne = () => {
  const key = pick();
  same('has()', handle().has(key), oracle.has(key));
};
const lookAtSize = () => {
  if (!isFree()) same('size', handle().size, oracle.size);
};
const OPERATIONS = [
  [14, lookAtOne],
  [5, hasOne],
  [12, remove],
  [4, getOrInsert],
  [6, (key = pick()) => update(dict, key)],
  [6, (key = pick()) => increment(dict, key)],
  [6, compareAndSet],
  [3, assign],
  [4, txn],
  [3, misuse],
  [3, lookAtSize],
  [2, lookAtMany],
  [3, lookAtAll],
  [1, clear],
  [1, attachAgain],
];
/** Weights of sets and deletes while the dict is to grow, to keep its size and to shrink. */
const TRENDS = [
  [40, 0],
  [22, 5],
  [10, 40],
];

function operations() {
  const [sets, deletes] = TRENDS[step.trend];
  const weighted = [
    ...OPERATIONS,
    [sets, set],
    [deletes, remove],
    ...(isFree() ? [[20, addToCounters]] : []),
  ];
  return weighted.flatMap(([weight, act]) => new Array(weight).fill(act));
}

function* drawn(count) {
  const table = operations();
  for (const end = done + count; done < end; done++) {
    const act = relief-- > 0 && below(2) === 0 ? remove : table[below(table.length)];
    doing = act.name;
    yield act;
  }
}

function batch() {
  lmdb.txn(() => {
    check('the counters', COUNTERS);
    for (const act of drawn(step.batch)) act();
    doing = 'the end of a batch';
    if (step.all) checkAll('all');
  });
}

async function free() {
  lmdb.refresh();
  oracle = new Own([...lmdb.entries()].filter(([key]) => mine.has(key)));
  added.clear();
  for (const act of drawn(step.free)) await act();
  const own = oracle;
  oracle = lmdb;
  lmdb.txn(() => {
    for (const [key, value] of own.changes()) {
      if (value === undefined) lmdb.delete(key);
      else lmdb.set(key, value);
    }
    for (const [key, by] of added) lmdb.set(key, (lmdb.get(key) ?? 0) + by);
  });
}

/** Reads while another actor writes: quiet keys must be as in lmdb, and every value must be whole. */
async function lookOn() {
  lmdb.refresh();
  doing = 'looks while another one writes';
  const quiet = keys.filter((_, index) => index % QUIET === step.quiet);
  const isThere = new Map(quiet.map((key) => [key, lmdb.has(key)]));
  const judge = (what, entries) => {
    const found = new Map(entries);
    same(`${what}: how many`, found.size, entries.length);
    for (const [key, there] of isThere) {
      if (found.has(key) !== there) fault(`${what}: '${key.slice(0, 40)}' is ${there ? 'missing' : 'there'}`);
    }
    for (const [key, value] of entries) if (!isWhole(value)) fault(`${what}: '${key.slice(0, 40)}' is torn`);
  };
  const body = (own) => [own.size, [...own.entries()]];
  const judged = (what, [size, entries]) => {
    same(`${what}: size`, size, entries.length);
    judge(what, entries);
  };
  const all = [
    (from) =>
      judge(
        'keys()',
        Array.from(from.keys(), (key) => [key, true]),
      ),
    (from) => judge('entries()', [...from]),
    (from) => judge('toObject()', Object.entries(from.toObject())),
    (from) => judged('a txn that reads', from.txnSync(body, { readOnly: true })),
    async (from) => judged('a txn that reads', await from.txn(body, { readOnly: true })),
  ];
  for (let left = step.look; left > 0; left--) {
    const from = handle();
    const key = keys[below(keys.length)];
    if (!isWhole(from.get(key))) fault(`'${key.slice(0, 40)}' is torn`);
    from.has(key);
    if (quiet.length === 0) continue;
    const still = quiet[below(quiet.length)];
    same(`the quiet '${still.slice(0, 40)}'`, from.get(still), lmdb.get(still));
    same(`the quiet '${still.slice(0, 40)}' in has()`, from.has(still), isThere.get(still));
    if (below(keys.length) < 4) await all[below(all.length)](from);
  }
}

process.on('uncaughtException', (error) => {
  // A commit of lmdb fails rarely when it looks for free pages. That is a fault too, but not of the dict.
  fault(`${error.message.startsWith('MDB_') ? 'lmdb failed by itself: ' : ''}${error.stack}`);
});
process.on('disconnect', () => process.exit(0));
process.on('message', async (told) => {
  step = told;
  // The random numbers of a step depend only on the seed, the step and the ID.
  below = random(Number(seed) * 0x100_0000 + step.number * 64 + Number(id));
  const before = { done, full };
  if (step.batch !== undefined) batch();
  else if (step.free !== undefined) await free();
  else await lookOn();
  process.send({ done: done - before.done, full: full - before.full });
});
process.stdout.write('ready\n');
