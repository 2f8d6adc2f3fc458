/**
 * `soak-actor.js NAME SEED ID`: actor 0 writes to a dict and the others read it, until the state says that they must stop.
 *
 * The writer notes the version of a key that it is about to write (begun), and afterwards that it has written it (written).
 * A reader loads `written` before and `begun` after it reads the value, which must be of a version between the two.
 */
import { SharedDict, SharedMemory } from 'shmkit';

import { random } from '../../fixtures/random.js';
import * as at from './soak-state.js';

const { ALWAYS, begun, COMING, keyOf, TOGETHER, valueOf, versionOf, written } = at;
const [name, seed, id] = process.argv.slice(2);
const below = random(Number(seed) * 64 + Number(id));
const state = SharedMemory.attach(`${name}-state`);
const words = new Int32Array(state.buffer);
const parent = process.ppid;
const KEYS = ALWAYS + COMING;

function fault(why) {
  process.stderr.write(`seed ${seed}, actor ${id}: ${why}\n${new Error('here').stack}\n`);
  process.exit(3);
}

const count = (what, by = 1) => Atomics.add(words, at.COUNTS + at.PER_ACTOR * Number(id) + what, by);

function goesOn() {
  Atomics.add(words, at.ROUNDS + Number(id), 1);
  return Atomics.load(words, at.STOP) === 0 && process.ppid === parent;
}

function spin(microseconds) {
  const end = performance.now() + microseconds / 1000;
  while (performance.now() < end);
}

// The writer

function writer() {
  const dict = SharedDict.attach(name, { lockTimeout: 20_000 });
  const version = (k) => words[written(k)];
  const always = () => TOGETHER + below(ALWAYS - TOGETHER);
  const coming = () => ALWAYS + below(COMING);

  /** Writes these keys together: `act` is given the entries. */
  function write(keys, act, next = (k) => version(k) + (k < ALWAYS ? 1 : 2 - (version(k) & 1 ? 0 : 1))) {
    const versions = keys.map(next);
    keys.forEach((k, index) => Atomics.store(words, begun(k), versions[index]));
    act(keys.map((k, index) => [keyOf(k), valueOf(below, k, versions[index])]));
    keys.forEach((k, index) => Atomics.store(words, written(k), versions[index]));
    count(at.WRITES);
  }

  const ONE = [
    ([[key, value]]) => dict.set(key, value),
    ([[key, value]]) => dict.set(key, value),
    ([[key, value]]) => dict.update(key, () => value),
    ([[key, value]]) => {
      if (!dict.compareAndSet(key, dict.get(key), value)) fault(`'${key}' is not what it was`);
    },
    ([[key, value]]) => dict.txnSync((txn) => txn.set(key, value)),
    (entries) => dict.assign(entries),
  ];
  const MANY = [
    (entries) => dict.assign(entries),
    (entries) =>
      dict.txnSync((txn) => {
        for (const [key, value] of entries) txn.set(key, value);
      }),
    // Everything is removed and set again.
    (entries) =>
      dict.txnSync((txn) => {
        const kept = below(20) === 0 ? [...txn.entries()] : [];
        if (kept.length > 0) txn.clear();
        for (const [key, value] of [...kept, ...entries]) txn.set(key, value);
      }),
  ];
  const one = (k) => write([k], ONE[below(ONE.length)]);
  const together = () =>
    write(
      Array.from({ length: TOGETHER }, (_, k) => k),
      MANY[below(MANY.length)],
    );
  const come = () => one(coming());
  const go = (k = coming()) => {
    if ((version(k) & 1) === 0) return;
    write(
      [k],
      () =>
        below(2) === 0
          ? dict.delete(keyOf(k)) || fault(`${keyOf(k)} was gone`)
          : dict.txnSync((txn) => txn.delete(keyOf(k))),
      () => version(k) + 1,
    );
  };
  let [oldest, passing] = [0, 0];
  /** Sets one more passing key, and deletes the oldest so that `there` of them remain. */
  const pass = (there) => {
    dict.set(`passing ${passing}`, passing++);
    for (; passing - oldest > there; oldest++) dict.delete(`passing ${oldest}`);
    count(at.WRITES, 2);
  };

  let favourite = always();
  /** What it does for a while. The readers see the dict at rest, under heavy writes, and everything between. */
  const MOODS = [
    () => one(always()),
    () => {
      one(always());
      spin(below(300));
    },
    () => {
      one(favourite);
      spin(20 + below(100));
    },
    () => spin(below(2000)),
    () => (below(2) === 0 ? come() : go()),
    () => pass(80),
    () => pass(500),
    () => together(),
    () => [together, come, go, () => one(always()), () => pass(80)][below(5)](),
  ];

  /** Adds many keys and then deletes all of them, one by one or at once. */
  function surge() {
    const many = 2000 + below(20_000);
    for (let i = 0; i < many; i++) {
      dict.set(`many ${i}`, i);
      if (below(20) === 0) one(always());
      if (i % 512 === 0 && !goesOn()) return;
    }
    if (below(2) === 0) {
      for (let i = 0; i < many; i++) {
        dict.delete(`many ${i}`);
        if (i % 512 === 0 && !goesOn()) return;
      }
    } else {
      dict.txnSync((txn) => {
        for (const key of txn.keys()) if (key.startsWith('many ')) txn.delete(key);
      });
    }
    count(at.WRITES, 2 * many);
  }

  process.stdout.write('ready\n');
  for (let moods = 0; ; moods++) {
    if (moods === 0 || below(6) === 0) surge();
    const mood = MOODS[below(MOODS.length)];
    favourite = always();
    for (const until = performance.now() + 20 + below(400); performance.now() < until;) {
      if (!goesOn()) return;
      for (let i = 0; i < 20; i++) mood();
    }
  }
}

// The readers

function check(what, k, value, from, to) {
  if (value === undefined) {
    // A key that comes and goes is missing at even versions.
    if (k < ALWAYS || (from === to && (to & 1) === 1))
      fault(`${what}: '${keyOf(k)}' is missing, at ${from} to ${to}`);
    return undefined;
  }
  const version = versionOf(k, value);
  if (version === undefined) fault(`${what}: '${keyOf(k)}' is torn`);
  if (version < from) fault(`${what}: '${keyOf(k)}' is stale: ${version}, and ${from} had been written`);
  if (version > to) fault(`${what}: '${keyOf(k)}' is of ${version}, and only ${to} was about to be`);
  if (k >= ALWAYS && (version & 1) === 0)
    fault(`${what}: '${keyOf(k)}' has ${version}, at which it is not there`);
  return version;
}

function lookAt(what, k, get) {
  const from = Atomics.load(words, written(k));
  const value = get(keyOf(k));
  const version = check(what, k, value, from, Atomics.load(words, begun(k)));
  count(at.GETS);
  return version;
}

function reader() {
  const handles = [
    SharedDict.attach(name, { lockTimeout: 20_000 }),
    SharedDict.attach(name, { readOnly: true, lockTimeout: 5000 }),
  ];
  const anyKey = () => below(KEYS);
  const all = Array.from({ length: KEYS }, (_, k) => k);
  const versions = () => all.map((k) => Atomics.load(words, written(k)));

  /** Reads a key repeatedly. From the second time on the value may come from the cache. */
  function repeat(dict) {
    const k = below(3) === 0 ? anyKey() : below(ALWAYS);
    let last = -1;
    for (let looks = 2 + below(200); looks > 0; looks--) {
      const version = lookAt('get() again', k, (key) => dict.get(key)) ?? last;
      if (version < last) fault(`'${keyOf(k)}' went back from ${last} to ${version}`);
      if (version === last) count(at.REPEATS);
      last = version;
    }
  }

  function has(dict) {
    const k = anyKey();
    const from = Atomics.load(words, written(k));
    const found = dict.has(keyOf(k));
    const to = Atomics.load(words, begun(k));
    if (k < ALWAYS ? !found : from === to && found !== ((to & 1) === 1)) {
      fault(`has(): '${keyOf(k)}' is ${found ? 'there' : 'missing'}, at ${from} to ${to}`);
    }
    count(at.GETS);
  }

  /** Checks a listing of all entries, which began when the versions `from` were written. */
  function judge(what, entries, from) {
    const found = new Map(entries);
    if (found.size !== entries.length) fault(`${what}: ${entries.length - found.size} keys are there twice`);
    for (const k of all) {
      const value = found.get(keyOf(k));
      const to = Atomics.load(words, begun(k));
      check(what, k, value, from[k], to);
    }
    for (const [key, value] of found) {
      const [kind, number] = key.split(' ');
      if ((kind === 'many' || kind === 'passing') && value !== Number(number))
        fault(`${what}: '${key}' has ${value}`);
    }
    count(at.LISTINGS);
    return found;
  }

  /** Checks that the keys which are only written together have the same version. */
  function isOneMoment(what, get) {
    const seen = new Set(Array.from({ length: TOGETHER }, (_, k) => versionOf(k, get(keyOf(k)))));
    if (seen.size !== 1) fault(`${what}: what was written together is of ${[...seen].join(', ')}`);
  }

  /** A read-only txn. A read-only handle may have to give up. */
  function txn(dict, body) {
    count(at.TXNS);
    try {
      return dict.txnSync(body, { readOnly: true });
    } catch (error) {
      if (error.code !== 'ERR_SHM_BUSY') throw error;
      count(at.BUSY);
      return undefined;
    }
  }

  const LISTINGS = [
    (dict) => {
      const from = versions();
      const keys = [...dict.keys()];
      const found = new Set(keys);
      if (found.size !== keys.length) fault(`keys(): ${keys.length - found.size} are there twice`);
      for (const k of all) {
        const there = found.has(keyOf(k));
        const to = Atomics.load(words, begun(k));
        if (k < ALWAYS ? !there : from[k] === to && there !== ((to & 1) === 1)) {
          fault(`keys(): '${keyOf(k)}' is ${there ? 'there' : 'missing'}, at ${from[k]} to ${to}`);
        }
      }
      count(at.LISTINGS);
    },
    (dict) => {
      const from = versions();
      judge('entries()', [...dict.entries()], from);
    },
    (dict) => {
      const from = versions();
      const found = txn(dict, (own) => [own.size, [...own.entries()]]);
      if (found === undefined) return;
      const [size, entries] = found;
      if (size !== entries.length) fault(`a txn: size ${size}, and ${entries.length} entries`);
      const entry = judge('entries() in a txn', entries, from);
      isOneMoment('entries() in a txn', (key) => entry.get(key));
    },
  ];

  const several = (dict) => {
    const from = versions();
    const some = Array.from({ length: 1 + below(6) }, anyKey);
    const found = txn(dict, (own) => ({
      some: some.map((k) => own.get(keyOf(k))),
      group: Array.from({ length: TOGETHER }, (_, k) => own.get(keyOf(k))),
    }));
    if (found === undefined) return;
    some.forEach((k, index) => check('a txn', k, found.some[index], from[k], Atomics.load(words, begun(k))));
    isOneMoment('a txn', (key) => found.group[Number(key.split(' ')[1])]);
  };

  const fresh = () => {
    const dict = SharedDict.attach(name, { readOnly: below(2) === 0 });
    for (let looks = 1 + below(20); looks > 0; looks--)
      lookAt('a fresh handle', anyKey(), (key) => dict.get(key));
    has(dict);
    dict.close();
    count(at.HANDLES);
  };

  process.stdout.write('ready\n');
  while (goesOn()) {
    const dict = handles[below(handles.length)];
    for (let i = 0; i < 10; i++) lookAt('get()', anyKey(), (key) => dict.get(key));
    for (let i = 0; i < 5; i++) has(dict);
    repeat(dict);
    if (below(3) === 0) several(dict);
    if (below(20) === 0) LISTINGS[below(LISTINGS.length)](dict);
    if (below(10) === 0) fresh();
  }
}

process.on('uncaughtException', (error) => fault(error.stack));
if (id === '0') writer();
else reader();
