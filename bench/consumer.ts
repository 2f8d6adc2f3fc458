// The other process of the handover rows: gets numbers in the way that its first argument says, answers sums.
import { Socket } from 'node:net';

import { SharedMemory } from 'shmkit';

const [, , role, detail = ''] = process.argv;

/** Where `fork` put the socket. */
const SOCKET = 4;

// Ctrl-C reaches the whole process group; the end of the channel says when to go.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit());

function sum(values: Float64Array): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total;
}

function sumPlain(values: readonly number[]): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total;
}

const roles: Record<string, () => void> = {
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
    const answer = Buffer.alloc(8);
    let filled = 0;
    const socket = new Socket({ fd: SOCKET, readable: true, writable: true });
    socket.on('data', (chunk) => {
      filled += chunk.copy(bytes, filled);
      if (filled < bytes.length) return;
      filled = 0;
      answer.writeDoubleLE(sum(values));
      socket.write(answer);
    });
  },

  /** They come in the message itself, as structured clone has it. */
  advanced() {
    process.on('message', (values: Float64Array) => process.send?.(sum(values)));
  },

  /** They come in the message itself, as JSON. */
  json() {
    process.on('message', (values: number[]) => process.send?.(sumPlain(values)));
  },
};

roles[role ?? '']?.();
process.send?.('ready');
