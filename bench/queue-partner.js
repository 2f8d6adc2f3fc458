// What partner.js does in rows of queues: items of 64 bytes, from the first process to the second.
import { fork } from 'node:child_process';
import { once } from 'node:events';

import { SharedQueue } from 'shmkit';

const SIZE = 64;
const RECEIVER = new URL('receiver.js', import.meta.url);

export function queueRoles({ name, first, accepted, connected }) {
  /** This one pushes to its own, and takes from the other's. */
  const queues = () => [0, 1].map((end) => SharedQueue.attach(`${name}-q${first ? end : 1 - end}`));
  const item = new Uint8Array(SIZE).fill(1);

  const items = () => {
    const [mine, theirs] = queues();
    return (n) => {
      let sum = 0;
      for (let i = 0; i < n; i++) {
        if (first) mine.pushSync(item);
        else sum += theirs.popSync()[0];
      }
      if (!first && sum !== n) throw new Error(`${sum} of ${n} items`);
    };
  };

  const thereAndBack = () => {
    const [mine, theirs] = queues();
    const out = new Uint8Array(SIZE);
    const answer = () => {
      if (!theirs.tryPopInto(out)) out.set(theirs.popSync());
    };
    return (n, laps) => {
      for (let i = 0; i < n; i++) {
        if (first) mine.pushSync(item);
        answer();
        if (!first) mine.pushSync(item);
        if (laps !== undefined) laps[i] = performance.now();
      }
    };
  };

  return {
    items,
    'spsc-items': items,
    'there-and-back': thereAndBack,
    'spsc-there-and-back': thereAndBack,

    /** The second one takes them with the event loop. */
    batches() {
      const [mine, theirs] = queues();
      if (first) {
        return (n) => {
          for (let i = 0; i < n; i++) mine.pushSync(item);
        };
      }
      const batches = theirs.batches();
      return async (n) => {
        for (let left = n; left > 0;) left -= (await batches.next()).value.length;
      };
    },

    /** A write for each, through a unix socket; the second one cuts what comes into items. */
    async stream() {
      let left = 0;
      let onAll;
      let rest = 0;
      let sum = 0;
      const take = (chunk) => {
        // Of an item that is not whole yet nothing is looked at.
        for (let at = SIZE - rest; at <= chunk.length; at += SIZE) {
          sum += chunk[at - 1];
          left--;
        }
        rest = (rest + chunk.length) % SIZE;
        if (left === 0 && onAll !== undefined) onAll();
      };
      const socket = first ? await connected(() => {}) : await accepted();
      if (!first) socket.on('data', take);
      return async (n) => {
        if (first) {
          for (let i = 0; i < n; i++) if (!socket.write(item)) await once(socket, 'drain');
          return;
        }
        left += n;
        if (left > 0) await new Promise((resolve) => (onAll = resolve));
        onAll = undefined;
        if (sum === 0) throw new Error('nothing came');
      };
    },

    /** `process.send` to a process of its own, of 64 characters. */
    messages() {
      if (!first) return () => {};
      const child = fork(RECEIVER, [], { execArgv: [] });
      const text = 'x'.repeat(SIZE);
      return async (n) => {
        const done = once(child, 'message');
        child.send(n);
        for (let i = 0; i < n; i++)
          if (!child.send(text)) await new Promise((resolve) => setImmediate(resolve));
        await done;
      };
    },
  };
}
