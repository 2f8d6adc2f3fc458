// One of the two processes of a row in which one sets the keys of a dict and the other gets them. It does so for as long as
// it is told, and says how often that was. Plain JavaScript, as partner.js.
import { once } from 'node:events';

import { SharedDict, SharedMemory } from 'shmkit';

const { sort, target, words: name } = JSON.parse(process.argv[2] ?? '{}');

/** A wait in which nothing happens any more. */
const WITHIN = 10_000;
/** The clock is looked at after so many accesses, less one. */
const OFTEN = 63;

// Ctrl-C reaches the whole process group; the end of the channel says when to go.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit());

/** How each of the two is reached. */
const stores = {
  shmkit() {
    const dict = SharedDict.attach(target);
    return {
      get: (key) => dict.get(key),
      set: (key, value) => dict.set(key, value),
      refresh() {}, // each get has the value of now
    };
  },

  async lmdb() {
    const { open } = await import('lmdb');
    const db = open({ path: target, noSync: true });
    return {
      get: (key) => db.get(key),
      set: (key, value) => db.putSync(key, value),
      // Without it all gets of one turn of the event loop see the same snapshot.
      refresh: () => db.resetReadTxn(),
    };
  },
};

const shm = SharedMemory.attach(name);
const words = new Int32Array(shm.buffer);

/** Goes on when the other one is here, too. */
function meet() {
  const until = performance.now() + WITHIN;
  Atomics.add(words, 0, 1);
  while (Atomics.load(words, 0) < 2) if (performance.now() > until) throw new Error('nobody answers');
}

/** The first values of a pass are those of `round`; the next pass has the next. */
function write(store, keys, order, round, until) {
  let sets = 0;
  for (let pass = round; ; pass++) {
    for (let at = 0; at < order.length; at++) {
      const i = order[at];
      store.set(keys[i], pass * keys.length + i);
      if ((++sets & OFTEN) === 0 && performance.now() > until) return { ops: sets, newest: pass };
    }
  }
}

/** Sees that each value is one of its key, and goes on until it has met one that was written meanwhile. */
function read(store, keys, order, round, until) {
  let gets = 0;
  let newest = 0;
  for (;;) {
    store.refresh();
    for (let at = 0; at < order.length; at++) {
      const i = order[at];
      const value = store.get(keys[i]);
      if (value % keys.length !== i) throw new Error(`'${keys[i]}' has ${value}`);
      if (value > newest) newest = value;
      if ((++gets & OFTEN) === 0 && performance.now() > until) {
        if (Math.floor(newest / keys.length) >= round) return { ops: gets };
        if (performance.now() > until + WITHIN) throw new Error('what is written is not seen');
      }
    }
  }
}

const [{ keys, order, writes }] = await once(process, 'message');
const store = await stores[sort]();
const work = writes ? write : read;
process.on('message', ({ round, milliseconds }) => {
  meet();
  const begin = performance.now();
  const done = work(store, keys, order, round, begin + milliseconds);
  process.send({ ...done, time: (performance.now() - begin) * 1e6 });
});
process.send('ready');
