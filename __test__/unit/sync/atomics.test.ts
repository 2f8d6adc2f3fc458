/**
 * Locks are taken by `Atomics` on an ArrayBuffer that is not shared as far as JavaScript knows. That this is atomic
 * between processes is V8's behaviour and not the language's promise: here it is watched in each of V8's tiers.
 */
import { execFileSync } from 'node:child_process';

import test from 'ava';
import { SharedMemory } from 'shmkit';

import { Program } from '../../fixtures/program.js';
import { freshName } from '../../fixtures/segments.js';

const ROUNDS = 100_000;
const options = execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' });

const tiers: Record<string, string[]> = {
  interpreter: ['--no-opt', '--no-sparkplug', '--no-maglev'],
  baseline: ['--no-opt', '--always-sparkplug', '--no-maglev'],
  'middle tier': ['--no-opt', '--maglev'],
  'optimising compiler': [],
};

for (const [tier, flags] of Object.entries(tiers)) {
  const known = flags.filter((flag) => options.includes(`  ${flag.replace('--no-', '--')} `));
  test(`Atomics on a segment are atomic between processes: ${tier}`, async (t) => {
    using shm = SharedMemory.create(64, { name: freshName(t) });
    const words = new Int32Array(shm.buffer);
    const code = `const words = new Int32Array(SharedMemory.attach('${shm.name}').buffer);
      const ring = (at, me) => {
        while (Atomics.compareExchange(words, at, 0, me) !== 0);
        words[1]++;
        Atomics.exchange(words, at, 0);
        for (let seen = Atomics.load(words, 2); ; ) {
          const was = Atomics.compareExchange(words, 2, seen, seen + 1);
          if (was === seen) break;
          seen = was;
        }
        Atomics.add(words, 3, 1);
      };
      say('ready'); await told();
      for (let i = 0; i < ${ROUNDS}; i++) ring(0, 7);
      process.exit();`;
    const programs = [0, 1].map(() => Program.node(t, code, known));
    for (const program of programs) t.is(await program.says(), 'ready');
    programs.forEach((program) => program.tell('go'));
    for (const program of programs) t.is(await program.ends(), 0);
    t.deepEqual([...words.subarray(0, 4)], [0, 2 * ROUNDS, 2 * ROUNDS, 2 * ROUNDS]);
  });
}
