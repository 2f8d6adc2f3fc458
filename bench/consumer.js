// The other process of the handover rows: gets numbers in the way that its first argument says, answers sums.
import { Socket } from 'node:net';

import { SharedMemory } from 'shmkit';

const [, , role, detail = ''] = process.argv;

/** Where `fork` put the socket. */
const SOCKET = 4;

// Ctrl-C reaches the whole process group; the end of the channel says when to go.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit());

/**
 * Four sums at once: one alone would wait for the processor's adder at each step, three times as long as the
 * memory takes, and the row would measure that.
 */
function sum(values) {
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = 0; i < values.length; i += 4) {
    a += values[i];
    b += values[i + 1];
    c += values[i + 2];
    d += values[i + 3];
  }
  return a + b + c + d;
}

function open() {
  return new Socket({ fd: SOCKET, readable: true, writable: true });
}

function answer(values) {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(sum(values));
  return bytes;
}

const roles = {
  /** They lie in a segment that this process attached to once: a message says that they are there. */
  shared() {
    const shm = SharedMemory.attach(detail);
    const values = new Float64Array(shm.buffer);
    process.on('message', () => process.send?.(sum(values)));
  },

  /** They come as bytes through a unix socket, into memory that is made once. */
  socket() {
    const bytes = Buffer.alloc(Number(detail));
    const values = new Float64Array(bytes.buffer);
    let filled = 0;
    const socket = open();
    socket.on('data', (chunk) => {
      filled += chunk.copy(bytes, filled);
      if (filled < bytes.length) return;
      filled = 0;
      socket.write(answer(values));
    });
  },

  /** The same as most programs have it: the chunks are kept and joined. */
  joined() {
    const size = Number(detail);
    let chunks = [];
    let received = 0;
    const socket = open();
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      received += chunk.length;
      if (received < size) return;
      const { buffer, byteOffset } = Buffer.concat(chunks);
      chunks = [];
      received = 0;
      socket.write(answer(new Float64Array(buffer, byteOffset, size / 8)));
    });
  },

  /** They come in the message itself, as structured clone has it. */
  advanced() {
    process.on('message', (values) => process.send?.(sum(values)));
  },

  /** They come in the message itself, as JSON. */
  json() {
    process.on('message', (values) => process.send?.(sum(values)));
  },
};

roles[role ?? '']?.();
process.send?.('ready');
