/** Processes that end in every way there is. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';

import { segments, SharedMemory, unlink } from 'shmkit';

import { findPythons } from '../../fixtures/python.js';
import { until } from '../../fixtures/wait.js';
import { addon, ledgers, LEDGERS, NO_TRACKER, oneTracker, owner, untracked } from './common.js';
import type { Scenarios } from './common.js';
import { exists, gone, node } from './process.js';

/** Ends by themselves, by a signal or by a fault: how, and with what code or signal. */
const ends: Record<string, [code: string, ended: number | string]> = {
  'the end of its work': ['', 0],
  'process.exit()': ['process.exit(3)', 3],
  'an exception that nobody catches': ["throw new Error('on purpose')", 1],
  'a promise that nobody catches': ["Promise.reject(new Error('on purpose')); hold();", 1],
  'process.exit() in a callback': ['setTimeout(() => process.exit(0), 1); hold();', 0],
  'process.abort()': ['process.abort()', 'SIGABRT'],
  'process.exit() while a worker creates': [
    `const { Worker } = await import('node:worker_threads');
     const code = "import('shmkit').then(async ({ SharedMemory }) => { const { parentPort } = await import('node:worker_threads'); const made = []; for (;;) { made.push(SharedMemory.create(64)); if (made.length === 50) parentPort.postMessage(0); if (made.length > 50) { const oldest = made.shift(); oldest.close(); oldest.unlink(); } } });";
     new Worker(code, { eval: true, execArgv: [] }).once('message', () => process.exit(0));`,
    0,
  ],
  ...Object.fromEntries(
    (['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGKILL', 'SIGSEGV', 'SIGBUS'] as const).map(
      (signal) => [signal, [`process.kill(process.pid, '${signal}'); hold();`, signal]],
    ),
  ),
};

export const exits: Scenarios = {
  ...Object.fromEntries(
    Object.entries(ends).map(([how, [code, ended]]) => [
      `what a process owned goes with it, and what it had attached stays: ${how}`,
      async () => {
        const other = untracked('others');
        const actor = node(`
          SharedMemory.create(4096, { name: 'own' });
          const list = ShareableList.create([1], { name: 'own-list' });
          SharedMemory.create(10).close();
          SharedMemory.attach('others').buf[0] = 7;
          say('made');
          ${code}`);
        assert.equal(await actor.line(), 'made');
        assert.equal(await actor.end(), ended, actor.stderr);
        await until('all of it is gone', () => segments().length === 1);
        assert.equal(other.buf[0], 7);
        assert.ok(exists('others'));
        if (ended === 0 || ended === 3) assert.ok(!/Warning/.test(actor.stderr), actor.stderr);
      },
    ]),
  ),

  async 'what a process owned goes with it, and what it had attached stays: a crash in an addon'() {
    untracked('others');
    const library = addon('crash', '*(volatile int *)0 = 1;');
    const actor = node(`
      SharedMemory.create(4096, { name: 'own' });
      SharedMemory.attach('others');
      process.dlopen({ exports: {} }, '${library}');`);
    assert.equal(await actor.end(), 'SIGSEGV');
    await gone('own');
    assert.ok(exists('others'));
  },

  async 'a process that ends by itself leaves nothing behind at that very moment, with a tracker and without'() {
    for (const options of [{}, NO_TRACKER]) {
      const actor = node("SharedMemory.create(10, { name: 'own' }); ShareableList.create([1]);", options);
      assert.equal(await actor.end(), 0);
      assert.deepEqual(segments(), []);
    }
  },

  async 'the survivors’ views of a segment work when its creator was killed'() {
    const creator = await owner('own');
    const mine = SharedMemory.attach('own');
    creator.kill('SIGKILL');
    await gone('own');
    assert.equal(mine.buf[0], 42);
    mine.buf.fill(5);
    assert.ok(mine.read().every((byte) => byte === 5));
    assert.throws(() => mine.adopt(), { code: 'ERR_SHM_UNLINKED' });
  },

  async 'worker.terminate() takes nothing away that its process owns'() {
    const actor = node(`
      const { Worker } = await import('node:worker_threads');
      const code = "import('shmkit').then(async ({ SharedMemory }) => { SharedMemory.create(64, { name: 'by-worker' }); (await import('node:worker_threads')).parentPort.postMessage(0); }); setInterval(() => 0, 1e6);";
      const worker = new Worker(code, { eval: true, execArgv: [] });
      worker.once('message', async () => { await worker.terminate(); say(String(fs.existsSync('/dev/shm/by-worker'))); hold(); });`);
    assert.equal(await actor.line(), 'true');
    actor.kill('SIGKILL');
    await gone('by-worker');
  },

  async 'who adopts a segment keeps it, and the last owner’s death ends it'() {
    const creator = await owner('own');
    const adopter = node(
      "const it = SharedMemory.attach('own'); it.adopt(); it.adopt(); it.close(); say('adopted'); hold();",
    );
    assert.equal(await adopter.line(), 'adopted');
    assert.deepEqual(
      segments()[0]!.owners,
      [creator.pid, adopter.pid].sort((a, b) => a - b),
    );
    const pid = await oneTracker();
    creator.kill('SIGKILL');
    await creator.end();
    await until('the creator’s ledger is gone', () => ledgers().length === 1);
    assert.ok(exists('own'));
    assert.deepEqual(segments()[0]!.owners, [adopter.pid]);
    assert.equal(await oneTracker(), pid);
    adopter.kill('SIGKILL');
    await gone('own');
  },

  async 'an untracked segment, and one that was only attached, outlive everybody'() {
    const actor = node(`
      SharedMemory.create(10, { name: 'kept', track: false });
      SharedMemory.createOrAttach('kept', 10).close();
      SharedMemory.createOrAttach('new', 10).close();
      SharedMemory.create(10, { name: 'own' });`);
    assert.equal(await actor.end(), 0);
    assert.deepEqual(
      segments().map(({ name }) => name),
      ['kept'],
    );
  },

  async 'a segment that took over the name of one that was owned stays'() {
    const creator = await owner('own');
    unlink('own');
    untracked('own');
    creator.kill('SIGKILL');
    await creator.end();
    await until('the ledger is gone', () => !fs.existsSync(LEDGERS) || ledgers().length === 0);
    assert.ok(exists('own'));
  },

  async 'a Python that attached by the book and ends leaves the segment, with every version'() {
    const book = fs.readFileSync(new URL('../../../docs/python.md', import.meta.url), 'utf8');
    const attach = /^def attach[\s\S]*?^ {4}return shared$/m.exec(book);
    assert.ok(attach, 'docs/python.md has the function');
    const creator = await owner('own');
    for (const { path: python, version } of await findPythons()) {
      const program: string = `
import sys
from multiprocessing import resource_tracker, shared_memory
${attach[0]}
shm = attach(shared_memory.SharedMemory, "own")
assert shm.buf[0] == 42
shm.close()`;
      const run = spawnSync(python, ['-c', program], { encoding: 'utf8' });
      const { stderr, status } = run;
      assert.deepEqual({ stderr, status }, { stderr: '', status: 0 }, version);
      assert.ok(exists('own'), version);
    }
    creator.kill('SIGKILL');
    await gone('own');
  },
};
