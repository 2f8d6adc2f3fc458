// One of the two processes of a row in which two take turns or contend. It does its side of the work as often as it is
// told, and says when it began and ended. Plain JavaScript: it is started for every contender, and a loader for
// TypeScript would share the processors with what is timed.
import { once } from 'node:events';
import { openSync, readSync, writeSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';

import { SharedEvent, SharedMemory, SharedMutex } from 'shmkit';

import { queueRoles } from './queue-partner.js';

const { role, side, name, spin, path } = JSON.parse(process.argv[2] ?? '{}');
const first = side === 0;

/** A wait in which nothing happens any more; the one who started this one gives up earlier. */
const WITHIN = 60_000;
/** Words of the segment, each in a cache line of its own. */
const [READY, TURN, COUNT] = [0, 16, 32];
/** Whose turn it is when the time is over. */
const OVER = 2;
const BYTE = Buffer.alloc(1, 1);

// Ctrl-C reaches the whole process group; the end of the channel says when to go.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit());

const shm = SharedMemory.attach(name);
const words = new Int32Array(shm.buffer);

/** Counts looks, and now and then sees whether it is time to give up. */
function patience() {
  const until = performance.now() + WITHIN;
  let looks = 0;
  return () => {
    if ((++looks & 0xffff) === 0 && performance.now() > until) throw new Error('nobody answers');
  };
}

/** Goes on when the other one is here, too. */
function meet() {
  const look = patience();
  Atomics.add(words, READY, 1);
  while (Atomics.load(words, READY) < 2) look();
}

/**
 * Each makes the side of one process: a function that does it `n` times, and notes when, if it is given `laps`. One that
 * may take very long says how often it did it until then.
 */
const roles = {
  /** Takes the lock, sees whether it is its turn, and gives the turn. */
  turns() {
    const mutex = SharedMutex.attach(name + '-m');
    return (n, laps, until) => {
      const look = patience();
      let turns = 0;
      for (let going = true; going;) {
        const guard = mutex.lockSync();
        const turn = words[TURN];
        if (turn === side) {
          if (laps !== undefined) laps[turns] = performance.now();
          words[COUNT]++;
          turns++;
          // Where another program has a processor, each turn may take as long as the system lets that go on.
          const over = first && (turns & 15) === 0 && performance.now() > until;
          words[TURN] = over ? OVER : 1 - side;
          going = turns < n && !over;
        } else if (turn === OVER) {
          going = false;
        } else {
          look();
        }
        guard.unlock();
      }
      return turns;
    };
  },

  /** Counts under the lock, until both together have counted to twice `n`. */
  increments() {
    const mutex = SharedMutex.attach(name + '-m');
    return (n) => {
      for (let going = true; going;) {
        const guard = mutex.lockSync();
        if (words[COUNT] < 2 * n) words[COUNT]++;
        else going = false;
        guard.unlock();
      }
    };
  },

  /** Sets the other's event, and blocks until its own is set. */
  events() {
    const [mine, theirs] = events();
    const options = { timeout: WITHIN, ...(spin !== undefined && { spin }) };
    return (n, laps) => {
      for (let i = 0; i < n; i++) {
        if (first) theirs.set();
        mine.waitSync(options);
        mine.clear();
        if (!first) theirs.set();
        if (laps !== undefined) laps[i] = performance.now();
      }
    };
  },

  /** The same with the event loop. */
  promises() {
    const [mine, theirs] = events();
    return async (n, laps) => {
      for (let i = 0; i < n; i++) {
        if (first) theirs.set();
        await mine.wait();
        mine.clear();
        if (!first) theirs.set();
        if (laps !== undefined) laps[i] = performance.now();
      }
    };
  },

  /** The physical limit: a word that both look at all the time. */
  flag() {
    return (n, laps) => {
      const look = patience();
      for (let i = 0; i < n; i++) {
        while (Atomics.load(words, TURN) !== side) look();
        words[COUNT]++;
        Atomics.store(words, TURN, 1 - side);
        if (laps !== undefined) laps[i] = performance.now();
      }
    };
  },

  /** A byte there and a byte back, through a unix socket. */
  async socket() {
    let onByte;
    const socket = first ? await accepted() : await connected(() => onByte());
    if (first) socket.on('data', () => onByte());
    return async (n, laps) => {
      let done = 0;
      const all = new Promise((resolve) => {
        onByte = () => {
          if (laps !== undefined) laps[done] = performance.now();
          done++;
          if (!first || done < n) socket.write(BYTE);
          if (done === n) resolve();
        };
      });
      if (first) socket.write(BYTE);
      await all;
    };
  },

  /** A byte there and a byte back, through two pipes, with calls that block. */
  pipes() {
    // To open one end waits for the other: both begin with the same pipe. When one dies the other sees its end.
    const ends = [1, 0].map((end) => openSync(`${path}.${end}`, end === side ? 'r' : 'w'));
    const [mine, theirs] = first ? ends.toReversed() : ends;
    const byte = Buffer.alloc(1, 1);
    return (n, laps) => {
      for (let i = 0; i < n; i++) {
        if (first) writeSync(theirs, byte, 0, 1);
        if (readSync(mine, byte, 0, 1) === 0) throw new Error('the other one is gone');
        if (!first) writeSync(theirs, byte, 0, 1);
        if (laps !== undefined) laps[i] = performance.now();
      }
    };
  },

  ...queueRoles({ name, first, accepted, connected }),

  /** There is nothing to repeat: from now on somebody has read. */
  read() {
    shm.txnSync((txn) => txn.get(0), { readOnly: true });
  },
};

async function accepted() {
  const server = createServer().listen(path);
  const [socket] = await once(server, 'connection');
  server.close();
  return socket;
}

async function connected(callback) {
  const until = performance.now() + WITHIN;
  for (;;) {
    // With a buffer of its own the socket makes none for each byte; a server's socket cannot have one.
    const socket = connect({ path, onread: { buffer: Buffer.alloc(64), callback } });
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      if (performance.now() > until) throw error;
      await setTimeout(5); // the other one does not listen yet
    }
  }
}

function events() {
  return [side, 1 - side].map((end) => SharedEvent.attach(`${name}-e${end}`));
}

/** The time from one to the next of which so many are shorter, in nanoseconds. */
function quantile(laps, q) {
  const times = laps.subarray(1).map((time, i) => time - laps[i]);
  times.sort();
  return times[Math.min(times.length - 1, Math.floor(q * times.length))] * 1e6;
}

const work = await roles[role]();
process.on('message', async ({ n, q, limit }) => {
  const laps = q === undefined ? undefined : new Float64Array(n);
  meet();
  const begin = process.hrtime.bigint();
  const done = (await work(n, laps, performance.now() + limit)) ?? n;
  const end = process.hrtime.bigint();
  process.send({ begin: Number(begin), end: Number(end), lap: laps && quantile(laps.subarray(0, done), q) });
});
process.send('ready');
