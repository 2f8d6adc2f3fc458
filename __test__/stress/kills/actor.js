/**
 * `actor.js SEED STEPS`: creates, attaches, adopts, closes and unlinks at random, until it is killed or has done that
 * many steps. It ends with code 3 and a message if a segment that it owns was unlinked, or if a step took ten seconds.
 */
import { closeSync, fstatSync, openSync } from 'node:fs';

import { ShareableList, SharedMemory } from 'shmkit';

import { random } from '../../fixtures/random.js';
import { contested, kept, strangersSize } from './names.js';

const [seed, steps] = process.argv.slice(2).map(Number);
const below = random(seed);
const pick = (items) => items[below(items.length)];
/** Milliseconds after which a step counts as hung. */
const HUNG = 10_000;

/** Open handles of contested and unnamed segments. */
const handles = [];
/** Descriptors of the kept segments that this process owns. */
const owned = new Map();

function fail(why) {
  process.stderr.write(`actor ${process.pid}: ${why}\n`);
  process.exit(3);
}

/** Does it. Another process may have been faster, which ends with one of the expected codes; any other error is a fault. */
function attempt(expected, action) {
  try {
    return action();
  } catch (error) {
    if (expected.includes(error.code)) return undefined;
    throw error;
  }
}

function checkOwned() {
  for (const [name, fd] of owned) {
    if (fstatSync(fd).nlink === 0) fail(`${name}, which it owns, was unlinked`);
  }
}

/** Owns a kept segment, and keeps a descriptor of it, whose link count tells whether it still has a name. */
function own(name) {
  if (owned.has(name)) return;
  const create = () =>
    below(2) === 0 ? SharedMemory.create(4096, { name }) : SharedMemory.createOrAttach(name, 4096);
  const handle = attempt(['EEXIST'], create);
  const made = handle ?? attempt(['ENOENT', 'ERR_SHM_EMPTY'], () => SharedMemory.attach(name));
  if (made === undefined) return;
  const adopted = attempt(['ERR_SHM_UNLINKED', 'ERR_SHM_BUSY'], () => (made.adopt(), true));
  if (adopted) {
    const fd = openSync(`/dev/shm/${name}`, 'r');
    // It owns this inode, so no other segment can have taken the name meanwhile.
    if (`${fstatSync(fd, { bigint: true }).ino}` !== made.toJSON().id.split(':')[1])
      fail(`${name}, which it owns, is another segment`);
    owned.set(name, fd);
  }
  made.close();
}

const actions = [
  () => {
    const handle = attempt(['EEXIST'], () => SharedMemory.create(1 + below(8192), { name: pick(contested) }));
    if (handle) handles.push(handle);
  },
  () => handles.push(SharedMemory.create(1 + below(8192))),
  () => handles.push(ShareableList.create([1, 'two', below(9)]).shm),
  () => {
    const gone = ['ENOENT', 'ERR_SHM_EMPTY'];
    const handle = attempt(gone, () => SharedMemory.attach(pick(contested)));
    // A stranger's is closed again: to adopt or to unlink it would end it.
    if (handle?.size === strangersSize) handle.close();
    else if (handle) handles.push(handle);
  },
  () => {
    const handle = pick(handles);
    if (handle && !handle.closed) attempt(['ERR_SHM_UNLINKED', 'ERR_SHM_BUSY'], () => handle.adopt());
  },
  () => pick(handles)?.close(),
  () => {
    const [handle] = handles.splice(below(handles.length), 1);
    if (!handle) return;
    handle.close();
    attempt(['ENOENT'], () => handle.unlink());
  },
  () => own(pick(kept)),
];

process.stdout.write('ready\n');
for (let step = 0; step < steps; step++) {
  const start = performance.now();
  pick(actions)();
  if (performance.now() - start > HUNG) fail('a step took ten seconds');
  if (handles.length > 40) for (const handle of handles.splice(0, 20)) handle.close();
  checkOwned();
}
for (const fd of owned.values()) closeSync(fd);
