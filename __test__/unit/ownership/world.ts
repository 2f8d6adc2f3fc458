/** The world around: users, namespaces, forks, full filesystems, Python. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { collectGarbage, segments, SharedMemory } from 'shmkit';

import { findPythons } from '../../fixtures/python.js';
import { trackers } from '../../fixtures/trackers.js';
import { until } from '../../fixtures/wait.js';
import { addon, folder, ledgers, LEDGERS, NO_TRACKER, oneTracker, owner } from './common.js';
import type { Scenarios } from './common.js';
import { Actor, exists, gone, node } from './process.js';

export const world: Scenarios = {
  async 'another user’s segment is not adopted, and a process that changes its user owns on'() {
    if (process.geteuid!() !== 0 || !fs.readFileSync('/proc/self/uid_map', 'utf8').includes('4294967295')) {
      console.log('needs root');
      return;
    }
    const nobody = 65534;
    const actor = node(`
      SharedMemory.create(64, { name: 'as-root' });
      process.setgid(${nobody});
      process.setuid(${nobody});
      SharedMemory.create(64, { name: 'as-nobody' });
      say('made');
      hold();`);
    assert.equal(await actor.line(), 'made');
    const theirs = SharedMemory.attach('as-nobody', { foreign: true });
    assert.throws(() => theirs.adopt(), { code: 'EPERM' });
    assert.deepEqual(fs.readdirSync('/dev/shm').filter((name) => name.startsWith('.')).length, 2);
    actor.kill('SIGKILL');
    await gone('as-root');
    await gone('as-nobody');
  },

  async 'a session manager that removes all files of a user does no harm to what comes after'() {
    const actor = node(`
      SharedMemory.create(64, { name: 'before' });
      const kept = SharedMemory.create(64, { name: 'kept' });
      say('made');
      process.stdin.on('data', () => { SharedMemory.create(64, { name: 'after' }); say('again'); });`);
    await actor.line();
    const first = await oneTracker();
    fs.rmSync(LEDGERS, { recursive: true });
    fs.rmSync('/dev/shm/before');
    actor.tell('go on');
    assert.equal(await actor.line(), 'again');
    await until('there is another tracker', () => trackers().length === 1 && trackers()[0] !== first);
    await oneTracker();
    assert.deepEqual(
      segments().map(({ name, owners }) => [name, owners]),
      [
        ['after', [actor.pid]],
        ['kept', [actor.pid]],
      ],
    );
    actor.kill('SIGKILL');
    await gone('after');
    await gone('kept');
  },

  async 'a program that closes descriptors that are not its own harms no file'() {
    const precious = path.join(folder, 'precious-file');
    const actor = node(`
      SharedMemory.create(64, { name: 'first' });
      for (let fd = 3; fd < 100; fd++) {
        if (/shmkit-/.test((() => { try { return fs.readlinkSync('/proc/self/fd/' + fd) } catch { return '' } })())) fs.closeSync(fd);
      }
      const fd = fs.openSync('${precious}', 'w');
      fs.writeSync(fd, 'precious');
      SharedMemory.create(64, { name: 'second' });
      SharedMemory.create(64).unlink();
      say(fs.readFileSync('${precious}', 'utf8'));
      for (let fd = 3; fd < 100; fd++) {
        if (/\\.ledger/.test((() => { try { return fs.readlinkSync('/proc/self/fd/' + fd) } catch { return '' } })())) fs.closeSync(fd);
      }
      const unlinked = fs.openSync('${precious}-2', 'w+');
      fs.unlinkSync('${precious}-2');
      fs.writeSync(unlinked, 'precious too');
      SharedMemory.create(64, { name: 'third' });
      say(fs.readSync(unlinked, Buffer.alloc(100), 0, 100, 0) + ' bytes');
      hold();`);
    assert.equal(await actor.line(), 'precious');
    assert.equal(fs.statSync(precious).size, 8);
    assert.equal(await actor.line(), '12 bytes');
    actor.kill('SIGKILL');
    await gone('third');
    await gone('second');
    await gone('first');
  },

  async 'owners in other PID namespaces are seen to live, and to die'() {
    const unshare =
      spawnSync('unshare', ['-p', '-f', 'true']).status === 0 ? ['-p', '-f'] : ['-r', '-p', '-f'];
    const code =
      "import { SharedMemory } from 'shmkit'; SharedMemory.create(64, { name: 'elsewhere' }); console.log(process.pid); setInterval(() => 0, 1e6);";
    const elsewhere = new Actor(
      'unshare',
      [...unshare, '--kill-child', process.execPath, '--input-type=module', '-e', code],
      NO_TRACKER,
    );
    assert.equal(await elsewhere.line(), '1');
    const here = await owner('here');
    await oneTracker();
    assert.deepEqual(collectGarbage(), []);
    assert.deepEqual(
      segments().map(({ name, owners, leaked }) => [name, owners, leaked]),
      [
        ['elsewhere', [0], false],
        ['here', [here.pid], false],
      ],
    );
    elsewhere.kill('SIGKILL');
    await gone('elsewhere');
    assert.ok(exists('here'));
    here.kill('SIGKILL');
    await gone('here');
  },

  async 'a child that was forked without exec keeps nothing of its parent alive'() {
    const library = addon('fork', 'if (fork() == 0) { for (;;) pause(); }');
    const actor = node(`
      SharedMemory.create(64, { name: 'own' });
      say('made');
      process.stdin.once('data', () => {
        try { process.dlopen({ exports: {} }, '${library}'); } catch {}
        const children = fs.readdirSync('/proc/self/task').flatMap((task) => fs.readFileSync('/proc/self/task/' + task + '/children', 'utf8').trim().split(' '));
        say(children.find((pid) => pid && fs.readlinkSync('/proc/' + pid + '/exe') === process.execPath));
      });
      hold();`);
    await actor.line();
    await oneTracker();
    actor.tell('fork');
    const child = Number(await actor.line());
    actor.kill('SIGKILL');
    await gone('own');
    process.kill(child, 'SIGKILL'); // it was alive all the time
  },

  async 'a ledger does not grow with segments that others unlinked'() {
    const actor = node(`
      for (let round = 0; round < 40; round++) {
        const made = Array.from({ length: 100 }, () => SharedMemory.create(10));
        for (const shm of made) { fs.unlinkSync('/dev/shm/' + shm.name); shm.close(); }
      }
      say('made');
      hold();`);
    await actor.line();
    const [ledger] = ledgers();
    assert.ok(fs.statSync(`${LEDGERS}/${ledger}`).size < 300_000);
    actor.kill('SIGKILL');
  },

  async 'a full /dev/shm does not keep what dead owners left from being removed'() {
    const actor = await owner('own', NO_TRACKER);
    const filler = fs.openSync('/dev/shm/filler', 'w');
    assert.throws(
      () => {
        for (;;) fs.writeSync(filler, Buffer.alloc(1 << 20));
      },
      { code: 'ENOSPC' },
    );
    assert.throws(() => SharedMemory.create(1 << 20), { code: 'ENOSPC' });
    actor.kill('SIGKILL');
    await actor.end();
    assert.deepEqual(collectGarbage(), ['own']);
  },

  async 'Python’s segments are seen, and those that nobody has open any more'() {
    for (const { path: python, version } of await findPythons()) {
      const code = `
import sys
from multiprocessing import resource_tracker, shared_memory
shm = shared_memory.SharedMemory(create=True, size=100)
resource_tracker.unregister(shm._name, "shared_memory")
numbers = shared_memory.ShareableList([1, "two"], name="numbers")
print(shm.name, flush=True)
sys.stdin.readline()`;
      const actor = new Actor(python, ['-c', code]);
      const name = await actor.line();
      const [numbers, memory] = segments();
      assert.deepEqual(
        [numbers!.name, numbers!.kind, numbers!.attached, numbers!.leaked],
        ['numbers', 'list', [actor.pid], false],
        version,
      );
      assert.deepEqual(
        [memory!.name, memory!.size, memory!.kind, memory!.owners, memory!.attached, memory!.leaked],
        [name, 100, 'memory', [], [actor.pid], false],
      );
      actor.kill('SIGKILL');
      await actor.end();
      await gone('numbers'); // by Python's own tracker
      assert.deepEqual(
        segments().map((segment) => [segment.name, segment.leaked]),
        [[name, true]],
      );
      assert.deepEqual(collectGarbage(), []);
      assert.deepEqual(collectGarbage({ python: true, dryRun: true }), [name]);
      assert.deepEqual(collectGarbage({ python: true }), [name]);
      assert.deepEqual(segments(), []);
    }
  },
};
