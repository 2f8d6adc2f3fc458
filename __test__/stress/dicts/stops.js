/**
 * `stops.js [SECONDS]`: a reader is stopped at random moments, and continued when the table has moved away and come back to
 * the same place. It must not miss a key that is always there.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setImmediate as breathe } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { SharedDict, SharedMemory } from 'shmkit';

const [what = '30', name] = process.argv.slice(2);
const names = Array.from({ length: 40 }, (_, index) => `always ${index}`);
/** The number of other keys in the dict. */
const OTHERS = 80;
/** Where a dict's root is, in 64-bit words. It changes when the table moves. */
const ROOT = 16;

if (what === 'read') {
  const dict = SharedDict.attach(name);
  process.stdout.write('ready\n');
  for (;;) {
    for (const key of names) {
      if (dict.has(key)) continue;
      process.stderr.write(`'${key}' is missing; there now: ${dict.has(key)}\n`);
      process.exit(3);
    }
  }
}

const dict = SharedDict.create();
for (const key of names) dict.set(key, 1);
const raw = SharedMemory.attach(dict.name);
const words = new BigUint64Array(raw.buffer, 0, 512);
const reader = spawn(process.execPath, [fileURLToPath(import.meta.url), 'read', dict.name], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
await once(reader.stdout, 'data');
let stops = 0;
let last = 0;
const end = performance.now() + Number(what) * 1000;
while (performance.now() < end && reader.exitCode === null) {
  reader.kill('SIGSTOP');
  stops++;
  const root = words[ROOT];
  let moved = false;
  for (let i = 0; i < 3000 && !(moved && words[ROOT] === root); i++, last++) {
    dict.set(`other ${last}`, 1);
    dict.delete(`other ${last - OTHERS}`);
    moved ||= words[ROOT] !== root;
  }
  reader.kill('SIGCONT');
  for (const until = performance.now() + 0.02; performance.now() < until;);
  if (stops % 100 === 0) await breathe();
}
process.exitCode = reader.exitCode === null ? 0 : 1;
console.log(
  `${stops} stops, ${last} keys; the reader ${reader.exitCode === null ? 'missed none' : 'missed one'}`,
);
if (reader.exitCode === null) {
  reader.kill('SIGKILL');
  await once(reader, 'exit');
}
raw.close();
dict.close();
dict.unlink();
