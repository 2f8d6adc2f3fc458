/**
 * `stranger.js SEED NAME`: removes whatever has the name and makes a segment of its own there, as a program does that
 * knows nothing of shmkit. Ends with code 3 when somebody else unlinked it; ends well when its standard input does.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, statSync, unlinkSync } from 'node:fs';

import { random } from '../helpers/random.js';
import { strangersSize } from './names.js';

const [seed, name] = [Number(process.argv[2]), process.argv[3]];
const below = random(seed);
const path = `/dev/shm/${name}`;
const { O_CREAT, O_EXCL, O_RDWR } = constants;

/** Does it, unless others were quicker. A directory is in the name's place for a moment while it is made sure of. */
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
    // Only its own: moved aside for a moment it is not to be seen, and another's is another's.
    if (attempt(() => statSync(path))?.ino === ino) attempt(() => unlinkSync(path));
    closeSync(fd);
  }
  await new Promise(setImmediate);
}
process.stdout.write(`${made}\n`);
