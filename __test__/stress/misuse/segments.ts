/** Misuses of segments: sizes, names, options, files that are not segments, and reads and writes. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';

import { attach, ShareableList, SharedMemory } from 'shmkit';
import type { Descriptor } from 'shmkit';

import { random, isRoot, wrong, refused, segment, list, file, attempts } from './tools.js';
import type { Misuses } from './tools.js';

export const segments: Misuses = {
  'bad sizes': () => {
    for (const size of [0, -1, NaN, 1.5, Infinity, 2 ** 53, -0, '5', null, undefined, 10n, {}]) {
      refused(() => SharedMemory.create(wrong(size)), 'ERR_OUT_OF_RANGE', 'ERR_INVALID_ARG_TYPE');
    }
    refused(() => SharedMemory.create(2 ** 52, { reserve: random.below(2) === 0 }));
  },
  'bad names': () => {
    for (const name of ['', '.', '..', '/', 'a/b', 'a\0b', 'n'.repeat(256), '\ud800']) {
      refused(() => SharedMemory.create(10, { name }), 'ERR_SHM_NAME');
      refused(() => SharedMemory.attach(name), 'ERR_SHM_NAME');
      refused(() => SharedMemory.createOrAttach(name, 10), 'ERR_SHM_NAME');
    }
    for (const name of [5, null, {}, Symbol('name')]) {
      refused(() => SharedMemory.attach(wrong(name)), 'ERR_INVALID_ARG_TYPE');
    }
    refused(() => SharedMemory.attach('missing'), 'ENOENT');
  },
  'a name that exists': () =>
    segment((shm) => {
      refused(() => SharedMemory.create(10, { name: shm.name }), 'EEXIST');
      refused(() => SharedMemory.createOrAttach(shm.name, shm.size + 1), 'ERR_SHM_SIZE');
      SharedMemory.createOrAttach(shm.name, shm.size).close();
    }),
  'bad options': () => {
    for (const options of [
      5,
      null,
      'x',
      { mode: 0o1000 },
      { mode: '7' },
      { reserve: 1 },
      { populate: 'no' },
      { track: 1 },
      { tracked: true },
    ]) {
      refused(() => SharedMemory.create(10, wrong(options)));
    }
    segment((shm) =>
      refused(() => SharedMemory.attach(shm.name, wrong({ readOnly: 1 })), 'ERR_INVALID_ARG_TYPE'),
    );
  },
  'bad descriptors': () => {
    for (const descriptor of [
      null,
      5,
      {},
      { kind: 'memory' },
      { kind: 5, name: 'x' },
      { kind: 'x', name: 'y' },
    ]) {
      refused(() => attach(wrong<Descriptor>(descriptor)));
    }
    segment((shm) => {
      refused(() => ShareableList.attach(shm.toJSON()), 'ERR_SHM_KIND');
      refused(() => attach({ ...shm.toJSON(), id: '1:2' }), 'ERR_SHM_UNLINKED');
      refused(() => attach({ ...shm.toJSON(), id: 'x' }));
    });
  },
  'a segment that another handle unlinked, and its name reused': () =>
    segment((shm) => {
      SharedMemory.attach(shm.name).unlink();
      refused(() => shm.unlink(), 'ENOENT');
      const other = SharedMemory.create(64, { name: shm.name });
      refused(() => shm.unlink(), 'ENOENT');
      refused(() => attach(shm.toJSON()), 'ERR_SHM_UNLINKED');
      other.close();
      other.unlink();
    }),
  'a name of something that is not a segment': () => {
    for (const attempt of attempts('no-such')) refused(attempt, 'ENOENT');
    file(
      (path) => fs.symlinkSync('/etc/passwd', path),
      (name) => attempts(name).forEach((use) => refused(use, 'ELOOP')),
    );
    file(
      (path) => fs.mkdirSync(path),
      (name) => attempts(name).forEach((use) => refused(use)),
    );
  },
  'a fifo under a name': () =>
    file(
      (path) => execFileSync('mkfifo', [path]),
      (name) => attempts(name).forEach((use) => refused(use, 'ERR_SHM_NOT_A_SEGMENT')),
    ),
  'a segment without bytes': () =>
    file(
      (path) => fs.writeFileSync(path, ''),
      (name) => refused(random.pick(attempts(name)), 'ERR_SHM_EMPTY'),
    ),
  "another user's segment": () => {
    if (!isRoot) return;
    file(
      (path) => {
        fs.writeFileSync(path, 'x'.repeat(100));
        fs.chownSync(path, 65534, 65534);
      },
      (name) => {
        for (const attempt of attempts(name)) refused(attempt, 'ERR_SHM_FOREIGN');
        SharedMemory.attach(name, { foreign: true }).close();
      },
    );
  },
  'reads and writes outside': () =>
    segment((shm) => {
      for (const [offset, length] of [
        [-1, 1],
        [4097, 0],
        [0, 4097],
        [4096, 1],
        [NaN, 1],
        [1.5, 1],
        [2 ** 60, 1],
      ] as const) {
        refused(() => shm.read(offset, length), 'ERR_OUT_OF_RANGE');
        refused(() => shm.write(new Uint8Array(length === 0 ? 1 : length), offset), 'ERR_OUT_OF_RANGE');
      }
      refused(() => shm.write(wrong('text')), 'ERR_INVALID_ARG_TYPE');
      refused(() => shm.write(wrong(new Float32Array(1))), 'ERR_INVALID_ARG_TYPE');
      shm.write(shm.buf); // onto itself
      shm.write(shm.buf.subarray(0, 100), random.below(3900));
      assert.equal(shm.read(random.below(4096)).length > 0, true);
      assert.equal(shm.buf[5000], undefined);
    }),
  'writes to a read-only handle': () =>
    segment((shm) => {
      const reader = SharedMemory.attach(shm.name, { readOnly: true });
      refused(() => reader.write(new Uint8Array(1)), 'ERR_SHM_READ_ONLY');
      reader.buf.fill(1);
      reader.read();
      reader.close();
    }),
  'use after close': () => {
    const shm = segment((open) => {
      assert.equal(open.buf.length, 4096);
      return open;
    });
    for (const use of [
      () => shm.buf,
      () => shm.buffer,
      () => shm.read(),
      () => shm.write(new Uint8Array(0)),
    ]) {
      refused(use, 'ERR_SHM_CLOSED');
    }
    refused(() => shm.sharedBuffer(), 'ERR_SHM_CLOSED');
    shm.close();
    list((items) => {
      items.close();
      for (const use of [
        () => items.get(0),
        () => items.set(0, 1),
        () => items.set(0, 'a'),
        () => [...items],
      ]) {
        refused(use, 'ERR_SHM_CLOSED');
      }
    });
  },
  'a full filesystem': () => {
    refused(() => SharedMemory.create(600 << 20), 'ENOSPC', 'ENOMEM');
    refused(() => SharedMemory.create(600 << 20, { name: 'full' }), 'ENOSPC', 'ENOMEM');
    refused(() => SharedMemory.attach('full'), 'ENOENT');
  },
  '64 MB at a time': () => {
    segment((shm) => void shm.buf.fill(1), 64 << 20);
  },
};
