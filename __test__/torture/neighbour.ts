/**
 * The bad neighbour: writes random bytes into whatever segments there are, until its input ends.
 * `neighbour.ts SEED`, in a `/dev/shm` that it shares with ./misuse.ts.
 */
import fs from 'node:fs';

import { SharedMemory } from 'shmkit';

import { Random } from './random.js';

const random = new Random(Number(process.argv[2]));
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));

function scribble(): void {
  for (const name of fs.readdirSync('/dev/shm')) {
    try {
      using shm = SharedMemory.attach(name, { reserve: false, foreign: true });
      const words = Math.min(shm.size, 1 << 16);
      for (let i = 0; i < 64; i++) {
        // The first bytes most of all: a list has its header there.
        const at = random.below(random.below(2) === 0 ? Math.min(words, 128) : words);
        shm.buf[at] = random.below(256);
      }
    } catch (error) {
      if (typeof (error as { code?: unknown }).code !== 'string') throw error;
    }
  }
  setImmediate(scribble);
}

process.stdout.write('ready\n');
scribble();
