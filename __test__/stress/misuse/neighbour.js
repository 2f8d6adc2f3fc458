/**
 * `neighbour.js SEED`: writes random bytes into every segment in `/dev/shm`, which it shares with ./misuse.ts, until its
 * input ends.
 */
import fs from 'node:fs';

import { SharedMemory } from 'shmkit';

import { Random } from '../../fixtures/random.js';

const random = new Random(Number(process.argv[2]));
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));

function spoil(name) {
  const shm = SharedMemory.attach(name, { reserve: false, foreign: true });
  try {
    const end = Math.min(shm.size, 1 << 16);
    for (let i = 0; i < 64; i++) {
      // Half of them go to the first bytes, where a list has its header.
      const at = random.below(random.below(2) === 0 ? Math.min(end, 128) : end);
      shm.buf[at] = random.below(256);
    }
  } finally {
    shm.close();
  }
}

function scribble() {
  for (const name of fs.readdirSync('/dev/shm')) {
    try {
      spoil(name);
    } catch (error) {
      if (typeof error.code !== 'string') throw error;
    }
  }
  setImmediate(scribble);
}

process.stdout.write('ready\n');
scribble();
