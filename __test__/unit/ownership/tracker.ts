/** The companion process. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

import { collectGarbage, segments, ShareableList, SharedMemory } from 'shmkit';

import { trackers } from '../../fixtures/trackers.js';
import { until } from '../../fixtures/wait.js';
import { folder, NO_TRACKER, oneTracker, owner, untracked } from './common.js';
import type { Scenarios } from './common.js';
import { Actor, exists, gone, node } from './process.js';

export const tracker: Scenarios = {
  async 'one tracker for all, which ends when the last process has gone, and leaves nothing'() {
    const actors = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => owner(name)));
    const pid = await oneTracker();
    for (const actor of actors.slice(1)) actor.kill('SIGKILL');
    await until('one segment is left', () => segments().length === 1);
    assert.deepEqual(trackers(), [pid]);
    actors[0]!.kill('SIGKILL');
    await until('the tracker has gone', () => trackers().length === 0);
    assert.deepEqual(fs.readdirSync('/dev/shm'), []);
  },

  async 'a tracker that was killed is replaced, and no zombie stays'() {
    const actor = await owner('own');
    for (let round = 0; round < 5; round++) {
      const pid = await oneTracker();
      process.kill(pid, 'SIGKILL');
      await until('there is another', () => trackers().some((it) => it !== pid));
    }
    await oneTracker();
    await until('no child is left of those', () => {
      const children = fs
        .readFileSync(`/proc/${actor.pid}/task/${actor.pid}/children`, 'utf8')
        .trim()
        .split(' ');
      const states = children.filter(Boolean).map((pid) => fs.readFileSync(`/proc/${pid}/stat`, 'utf8'));
      return !states.some((stat) => stat.includes(') Z '));
    });
    actor.kill('SIGKILL');
    await gone('own');
  },

  async 'a whole process group that is killed right after its first segment leaves nothing'() {
    for (let round = 0; round < 5; round++) {
      const actor = node("SharedMemory.create(64, { name: 'own' }); process.kill(-process.pid, 'SIGKILL');", {
        detached: true,
      });
      assert.equal(await actor.end(), 'SIGKILL');
      await gone('own');
      await until('the tracker has gone', () => trackers().length === 0);
    }
  },

  async 'what dies while there is no tracker is seen to by the next'() {
    const first = await owner('first');
    const second = await owner('second');
    const stopped = await oneTracker();
    process.kill(stopped, 'SIGSTOP');
    first.kill('SIGKILL');
    await first.end();
    process.kill(stopped, 'SIGKILL');
    await gone('first');
    assert.ok(exists('second'));
    second.kill('SIGKILL');
    await gone('second');
  },

  async 'a tracker ignores Ctrl-C, and leaves at SIGTERM to another'() {
    const actor = await owner('own');
    const pid = await oneTracker();
    for (const signal of ['SIGINT', 'SIGHUP', 'SIGQUIT'] as const) process.kill(pid, signal);
    const witness = await owner('witness');
    witness.kill('SIGKILL');
    await gone('witness');
    assert.equal(await oneTracker(), pid);
    process.kill(pid, 'SIGTERM');
    await until('there is another', () => trackers().length === 1 && trackers()[0] !== pid);
    await oneTracker();
    actor.kill('SIGKILL');
    await gone('own');
  },

  async 'a tracker holds nothing of who started it: no exec() waits for it'() {
    const file = fs.openSync(path.join(folder, 'open'), 'w');
    const script = `import('shmkit').then(({ SharedMemory }) => { SharedMemory.create(10); process.stdin.on('end', () => process.exit()).resume(); })`;
    // Resolves when every process has closed the pipes.
    const ended = promisify(execFile)(process.execPath, ['-e', script], { timeout: 20_000 });
    await until('a tracker has started', () => trackers().length === 1);
    ended.child.stdin!.end();
    await ended;
    fs.closeSync(file);

    const actor = node("SharedMemory.create(10); say('made'); hold();", {
      stdio: ['pipe', 'pipe', 'pipe', fs.openSync(path.join(folder, 'open'), 'w')],
      cwd: process.cwd(),
    });
    await actor.line();
    const pid = await oneTracker();
    const links = fs.readdirSync(`/proc/${pid}/fd`).map((fd) => fs.readlinkSync(`/proc/${pid}/fd/${fd}`));
    const own =
      /^(\/dev\/null|socket:|anon_inode:\[(eventpoll|signalfd)\]|\/dev\/shm\/\.shmkit-\d+\/tracker\.lock)/;
    assert.deepEqual(
      links.filter((link) => !own.test(link)),
      [],
    );
    assert.equal(fs.readlinkSync(`/proc/${pid}/cwd`), '/');
    const [, , , session, tty] = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/.*\) /, '').split(' ');
    assert.equal(Number(session), pid, 'its own session');
    assert.equal(tty, '0', 'no terminal');
    assert.equal(fs.readFileSync(`/proc/${pid}/environ`, 'utf8'), '', 'no secrets of its starter');
    actor.kill('SIGKILL');
  },

  async 'where no tracker can be started everything else works, and one warning says what is lost'() {
    const lame = path.join(folder, 'lame');
    fs.writeFileSync(lame, '#!/bin/sh\n', { mode: 0o644 });
    for (const program of ['/nowhere/shmkitd', lame, '/bin/false']) {
      const env = { ...process.env, SHMKIT_TRACKER: program };
      const actor = node(
        `process.on('warning', ({ name, code, message }) => say(JSON.stringify({ name, code, message })));
         SharedMemory.create(64, { name: 'own' }).buf[0] = 1;
         for (let i = 0; i < 10; i++) SharedMemory.create(64);
         hold();`,
        { env },
      );
      const warning = JSON.parse(await actor.line()) as Record<string, string>;
      assert.equal(warning['name'], 'ShmkitWarning');
      assert.equal(warning['code'], 'SHMKIT_TRACKING');
      assert.match(warning['message']!, /collectGarbage/);
      assert.ok(warning['message']!.includes(program), warning['message']);
      actor.kill('SIGKILL');
      await actor.end();
      assert.equal(actor.stderr.match(/\[SHMKIT_TRACKING\]/g)?.length, 1, actor.stderr);
      assert.ok(exists('own'));
      assert.equal(segments().filter(({ leaked }) => leaked).length, 11);
      assert.deepEqual(collectGarbage({ dryRun: true }).length, 11);
      assert.ok(exists('own'));
      assert.equal(collectGarbage().length, 11);
      assert.deepEqual(segments(), []);
    }
  },

  async 'with no tracker the next process that starts cleans up'() {
    const actor = await owner('own', NO_TRACKER);
    actor.kill('SIGKILL');
    await actor.end();
    assert.ok(exists('own'));
    const next = await owner('next', NO_TRACKER);
    await gone('own');
    next.kill('SIGKILL');
    await next.end();
    assert.deepEqual(collectGarbage(), ['next']);
  },

  async 'who wants the name of a dead owner’s segment gets a fresh one, with no tracker too'() {
    for (const how of [
      "SharedMemory.create(64, { name: 'svc' })",
      "SharedMemory.createOrAttach('svc', 64)",
    ]) {
      for (let start = 0; start < 4; start++) {
        const service = node(
          `const shm = ${how}; say(shm.created + ' ' + shm.buf[0]); shm.buf[0] = 99; hold();`,
          NO_TRACKER,
        );
        assert.equal(await service.line(), 'true 0', how);
        service.kill('SIGKILL');
        await service.end();
      }
      assert.equal(collectGarbage().at(-1), 'svc');
    }
    // A list too, and one whose other owner lives is in use.
    const dead = node("ShareableList.create([1], { name: 'svc' }); say('made'); hold();", NO_TRACKER);
    await dead.line();
    dead.kill('SIGKILL');
    await dead.end();
    const list = ShareableList.create([2], { name: 'svc' });
    const other = node("ShareableList.attach('svc').adopt(); say('adopted'); hold();", NO_TRACKER);
    await other.line();
    other.kill('SIGKILL');
    await other.end();
    assert.throws(() => SharedMemory.create(64, { name: 'svc' }), { code: 'EEXIST' });
    assert.equal(list.get(0), 2);
    list.unlink();
  },

  async 'workers that come and go and call createOrAttach share one segment as long as one of them lives'() {
    const worker = (): Actor =>
      node(
        "const shm = SharedMemory.createOrAttach('state', 64); say(shm.created + ' ' + ++shm.buf[0]); hold();",
      );
    let [older, younger] = [worker(), worker()];
    assert.deepEqual([await older.line(), await younger.line()].map((line) => line.split(' ')[1]).sort(), [
      '1',
      '2',
    ]);
    for (let restart = 3; restart < 8; restart++) {
      older.kill('SIGKILL');
      await older.end();
      [older, younger] = [younger, worker()];
      assert.equal(await younger.line(), `false ${restart}`);
    }
    older.kill('SIGKILL');
    younger.kill('SIGKILL');
    await gone('state');
    const alone = untracked('alone');
    const passing = node("SharedMemory.createOrAttach('alone', 64);");
    assert.equal(await passing.end(), 0);
    assert.ok(exists('alone'), 'nobody owned it');
    alone.unlink();
  },
};
