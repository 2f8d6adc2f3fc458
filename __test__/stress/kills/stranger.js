/**
 * `stranger.js SEED NAME`: unlinks what has the name and creates a segment of its own, like a program that does not
 * know shmkit. It ends with code 3 if another process unlinked that one, and with code 0 when its input ends.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, statSync, unlinkSync } from 'node:fs';

import { random } from '../../fixtures/random.js';
import { strangersSize } from './names.js';

const [seed, name] = [Number(process.argv[2]), process.argv[3]];
const below = random(seed);
const path = `/dev/shm/${name}`;
const { O_CREAT, O_EXCL, O_RDWR } = constants;

/** Does it, unless another process was faster. During an unlink a directory has the name for a moment. */
const attempt = (action) => {
  try {
    return action();
  } catch (error) {
    if (!['ENOENT', 'EEXIST', 'EISDIR'].includes(error.code)) throw error;
  }
};

const end = new AbortController();
process.stdin.on('end', () => end.abort()).resume();
process.stdout.write('ready\n');
let made = 0;
while (!end.signal.aborted) {
  attempt(() => unlinkSync(path));
  const fd = attempt(() => openSync(path, O_CREAT | O_EXCL | O_RDWR, 0o600));
  if (fd !== undefined) {
    made++;
    ftruncateSync(fd, strangersSize);
    const { ino } = fstatSync(fd);
    for (let turns = below(200); turns > 0; turns--) {
      if (fstatSync(fd).nlink === 0) {
        process.stderr.write(`stranger ${process.pid}: its ${name} was unlinked\n`);
        process.exit(3);
      }
    }
    // Only its own. During an unlink by another process it has no name for a moment.
    if (attempt(() => statSync(path))?.ino === ino) attempt(() => unlinkSync(path));
    closeSync(fd);
  }
  await new Promise(setImmediate);
}
process.stdout.write(`${made}\n`);
