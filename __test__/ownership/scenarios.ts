/**
 * Who owns what, and what goes when: real processes that end in every way there is, each scenario in a `/dev/shm` of
 * its own. `scenarios.ts NAME` ends with code 0, or with whatever went wrong. Run by ../ownership.test.ts.
 */
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { collectGarbage, segments, ShareableList, SharedMemory, unlink } from 'shmkit';

import { findPythons } from '../helpers/python.js';
import { trackers } from '../helpers/trackers.js';
import { Actor, exists, gone, node, until } from './process.js';

const LEDGERS = `/dev/shm/.shmkit-${process.geteuid!()}`;
const NO_TRACKER = { env: { ...process.env, SHMKIT_TRACKER: 'off' } };
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shmkit-ownership-'));
process.once('exit', () => fs.rmSync(folder, { recursive: true }));

/** A segment that only this process has a say in. */
function untracked(name: string): SharedMemory {
  return SharedMemory.create(64, { name, track: false });
}

/** A process that owns `name`, and is at it. */
async function owner(name: string, options: Parameters<typeof node>[1] = {}): Promise<Actor> {
  const actor = node(
    `SharedMemory.create(4096, { name: '${name}' }).buf[0] = 42; say('made'); hold();`,
    options,
  );
  assert.equal(await actor.line(), 'made');
  return actor;
}

async function oneTracker(): Promise<number> {
  await until(
    'there is one tracker, to be connected to',
    () => trackers().length === 1 && fs.existsSync(`${LEDGERS}/tracker`),
  );
  return trackers()[0]!;
}

/** A shared library that does this when Node loads it. */
function addon(name: string, code: string): string {
  const source = path.join(folder, `${name}.c`);
  const library = path.join(folder, `${name}.node`);
  const include =
    '#define _GNU_SOURCE\n#include <unistd.h>\n#include <signal.h>\n#include <stdlib.h>\n#include <sched.h>\n';
  fs.writeFileSync(source, `${include}__attribute__((constructor)) static void loaded(void) { ${code} }\n`);
  execFileSync('gcc', ['-shared', '-fPIC', '-o', library, source]);
  return library;
}

function ledgers(): string[] {
  return fs.readdirSync(LEDGERS).filter((file) => file.endsWith('.ledger'));
}

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
     const code = "import('shmkit').then(({ SharedMemory }) => { const made = []; for (;;) { made.push(SharedMemory.create(64)); if (made.length > 50) { const oldest = made.shift(); oldest.close(); oldest.unlink(); } } });";
     new Worker(code, { eval: true }).once('online', () => setTimeout(() => process.exit(0), 300));`,
    0,
  ],
  ...Object.fromEntries(
    (['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGKILL', 'SIGSEGV', 'SIGBUS'] as const).map(
      (signal) => [signal, [`process.kill(process.pid, '${signal}'); hold();`, signal]],
    ),
  ),
};

const scenarios: Record<string, () => Promise<void>> = {
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
      const worker = new Worker(code, { eval: true });
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
    const book = fs.readFileSync(new URL('../../docs/python.md', import.meta.url), 'utf8');
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

  // ---------- the tracker ----------

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
    const script = `import('shmkit').then(({ SharedMemory }) => { SharedMemory.create(10); setTimeout(() => process.exit(), 300); })`;
    // Resolves when the pipes are closed, by everybody.
    await promisify(execFile)(process.execPath, ['-e', script], { timeout: 20_000 });
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

  // ---------- what is in the way ----------

  async 'a ledger directory that others can write to is not believed, and one warning says so'() {
    fs.mkdirSync(LEDGERS);
    fs.chmodSync(LEDGERS, 0o777);
    const actor = node(
      `process.on('warning', ({ message }) => say(message));
       const shm = SharedMemory.create(64, { name: 'own' });
       SharedMemory.create(64).unlink();
       try { shm.adopt(); } catch ({ code }) { say(code); }
       hold();`,
    );
    assert.equal(await actor.line(), 'ERR_SHM_UNSAFE_LEDGERS');
    assert.match(await actor.line(), /others can write to it/);
    assert.deepEqual(fs.readdirSync(LEDGERS), []);
    actor.kill('SIGKILL');
    await actor.end();
    assert.ok(exists('own'));
    assert.throws(() => collectGarbage(), { code: 'ERR_SHM_UNSAFE_LEDGERS' });
    assert.equal(segments().length, 1);
    unlink('own');
    // Said also by a process that has nothing else to do.
    const brief = node("SharedMemory.create(64, { name: 'own' });");
    assert.equal(await brief.end(), 0);
    assert.match(brief.stderr, /SHMKIT_TRACKING/);
    unlink('own');
  },

  async 'a symbolic link in place of the ledger directory is not followed'() {
    const target = path.join(folder, 'target');
    fs.mkdirSync(target);
    fs.symlinkSync(target, LEDGERS);
    const actor = node(
      "process.on('warning', () => say('warned')); SharedMemory.create(64, { name: 'own' }).unlink(); hold();",
    );
    assert.equal(await actor.line(), 'warned');
    assert.deepEqual(fs.readdirSync(target), []);
    actor.kill('SIGKILL');
  },

  async 'whatever is in the place of the tracker’s files is replaced'() {
    fs.mkdirSync(LEDGERS, 0o700);
    const outside = path.join(folder, 'outside');
    fs.writeFileSync(outside, 'precious');
    const obstacles: [string, () => void][] = [
      ['a link for a lock', () => fs.symlinkSync(outside, `${LEDGERS}/tracker.lock`)],
      ['a fifo for a lock', () => execFileSync('mkfifo', [`${LEDGERS}/tracker.lock`])],
      ['a folder for a lock', () => fs.mkdirSync(`${LEDGERS}/tracker.lock`)],
      ['a link for a socket', () => fs.symlinkSync(outside, `${LEDGERS}/tracker`)],
      ['a fifo for a socket', () => execFileSync('mkfifo', [`${LEDGERS}/tracker`])],
      ['a file for a socket', () => fs.writeFileSync(`${LEDGERS}/tracker`, '')],
      ['a folder for a socket', () => fs.mkdirSync(`${LEDGERS}/tracker`)],
    ];
    for (const [what, put] of obstacles) {
      fs.mkdirSync(LEDGERS, { mode: 0o700, recursive: true });
      put();
      const actor = await owner('own');
      await oneTracker();
      actor.kill('SIGKILL');
      await gone('own');
      assert.ok(!/Warning/.test(actor.stderr), `${what}: ${actor.stderr}`);
      await until('the tracker has gone', () => trackers().length === 0);
      assert.deepEqual(fs.readdirSync('/dev/shm'), [], what);
    }
    assert.equal(fs.readFileSync(outside, 'utf8'), 'precious');
  },

  async 'a dead tracker’s socket, and a socket of something that is no tracker, are taken over'() {
    for (const answer of ['', 'HTTP/1.1 400 Bad Request\r\n\r\n', undefined]) {
      fs.mkdirSync(LEDGERS, { mode: 0o700, recursive: true });
      const server = net.createServer((socket) => {
        socket.on('error', () => undefined);
        if (answer === undefined) socket.end();
        else socket.write(answer);
      });
      await new Promise<void>((resolve) => server.listen(`${LEDGERS}/tracker`, resolve));
      const actor = await owner('own');
      await oneTracker();
      await until(
        'it is the tracker’s',
        () => fs.readFileSync('/proc/net/unix', 'utf8').split(`${LEDGERS}/tracker\n`).length > 2,
      );
      actor.kill('SIGKILL');
      await gone('own');
      server.close();
      await until('the tracker has gone', () => trackers().length === 0);
    }
  },

  async 'links, fifos and folders among the ledgers are never followed, opened or waited for'() {
    const outside = path.join(folder, 'precious');
    const victim = untracked('victim');
    const actor = await owner('own', NO_TRACKER);
    const [ledger] = ledgers();
    // Were it followed, it would be a dead ledger that owns the victim.
    const forged = fs.readFileSync(`${LEDGERS}/${ledger}`);
    const { dev, ino } = fs.statSync('/dev/shm/victim', { bigint: true });
    forged.fill(0, 4096 + 24, 4096 + 280).write('victim', 4096 + 24);
    forged.writeUInt32LE(6, 4096 + 4);
    forged.writeBigUInt64LE(dev, 4096 + 8);
    forged.writeBigUInt64LE(ino, 4096 + 16);
    fs.writeFileSync(outside, forged);
    const name = (digit: string): string => `${LEDGERS}/${digit.repeat(32)}.ledger`;
    fs.symlinkSync(outside, name('1'));
    execFileSync('mkfifo', [name('2')]);
    fs.mkdirSync(name('3'));
    fs.symlinkSync('/nowhere', name('4'));
    fs.writeFileSync(`${LEDGERS}/0.ledger`, forged);
    fs.writeFileSync(`${LEDGERS}/${'A'.repeat(32)}.ledger`, forged);
    assert.deepEqual(collectGarbage(), []);
    assert.ok(exists('victim'));
    assert.deepEqual(fs.readFileSync(outside), forged);
    // And as a file of ours it is one.
    fs.writeFileSync(name('5'), forged);
    assert.deepEqual(collectGarbage({ dryRun: true }), ['victim']);
    assert.deepEqual(collectGarbage(), ['victim']);
    assert.equal(victim.buf[0], 0);
    actor.kill('SIGKILL');
    await actor.end();
    assert.deepEqual(collectGarbage(), ['own']);
  },

  async 'ledgers that name paths, are cut short, garbled or newer take nothing away'() {
    const actor = await owner('own', NO_TRACKER);
    const [ledger] = ledgers();
    const good = fs.readFileSync(`${LEDGERS}/${ledger}`);
    const file = (digit: string): string => `${LEDGERS}/${digit.repeat(32)}.ledger`;
    const outside = path.join(folder, 'outside');
    fs.writeFileSync(outside, '');
    const evil = Buffer.from(good);
    const stat = fs.statSync(outside, { bigint: true });
    const target = `../..${outside}`;
    evil.fill(0, 4096 + 24, 4096 + 280).write(target, 4096 + 24);
    evil.writeUInt32LE(target.length, 4096 + 4);
    evil.writeBigUInt64LE(stat.dev, 4096 + 8);
    evil.writeBigUInt64LE(stat.ino, 4096 + 16);
    fs.writeFileSync(file('1'), evil);
    fs.writeFileSync(file('2'), good.subarray(0, 4096 + 100));
    fs.writeFileSync(file('3'), good.subarray(0, 20));
    fs.writeFileSync(file('4'), '');
    fs.writeFileSync(file('5'), Buffer.alloc(8192, 0xff));
    const newer = Buffer.from(good);
    newer.writeUInt32LE(99, 12);
    fs.writeFileSync(file('6'), newer);
    assert.deepEqual(collectGarbage(), []);
    assert.ok(fs.existsSync(outside));
    assert.ok(exists('own'), 'it has a live owner');
    assert.deepEqual(
      ledgers().sort(),
      [ledger, `${'6'.repeat(32)}.ledger`].sort(),
      'the newer one is for newer readers',
    );
    actor.kill('SIGKILL');
    await actor.end();
    assert.deepEqual(collectGarbage(), ['own']);
  },

  async 'while a live ledger cannot be read nothing is taken that it might own'() {
    const actor = await owner('own', NO_TRACKER);
    const other = await owner('other', NO_TRACKER);
    const mine = ledgers().find(
      (name) => fs.readFileSync(`${LEDGERS}/${name}`).readUInt32LE(16) === other.pid,
    );
    const header = fs.openSync(`${LEDGERS}/${mine}`, 'r+');
    fs.writeSync(header, Buffer.from([99, 0, 0, 0]), 0, 4, 12);
    actor.kill('SIGKILL');
    await actor.end();
    assert.deepEqual(collectGarbage(), []);
    fs.writeSync(header, Buffer.from([1, 0, 0, 0]), 0, 4, 12);
    assert.deepEqual(collectGarbage(), ['own']);
    other.kill('SIGKILL');
    await other.end();
    assert.deepEqual(collectGarbage(), ['other']);
  },

  async 'thousands of ledgers of the dead are cleaned up in one go'() {
    const actor = await owner('own', NO_TRACKER);
    const [ledger] = ledgers();
    const bytes = fs.readFileSync(`${LEDGERS}/${ledger}`);
    for (let i = 0; i < 3000; i++) {
      const name = `of-the-dead-${i}`;
      fs.writeFileSync(`/dev/shm/${name}`, 'x');
      const { dev, ino } = fs.statSync(`/dev/shm/${name}`, { bigint: true });
      bytes.fill(0, 4096 + 24, 4096 + 280).write(name, 4096 + 24);
      bytes.writeUInt32LE(name.length, 4096 + 4);
      bytes.writeBigUInt64LE(dev, 4096 + 8);
      bytes.writeBigUInt64LE(ino, 4096 + 16);
      fs.writeFileSync(`${LEDGERS}/${i.toString(16).padStart(32, '0')}.ledger`, bytes);
    }
    assert.equal(collectGarbage().length, 3000);
    assert.deepEqual(
      segments().map(({ name }) => name),
      ['own'],
    );
    actor.kill('SIGKILL');
  },

  async 'what a reaper was in the middle of when it was killed is put right'() {
    const actor = await owner('own', NO_TRACKER);
    const put = (name: string): string => {
      fs.mkdirSync(`${LEDGERS}/moved`, { recursive: true });
      return `${LEDGERS}/moved/${name}`;
    };
    // Looked at, and a directory in its place: it goes back.
    fs.renameSync('/dev/shm/own', put('own'));
    fs.mkdirSync('/dev/shm/own');
    // Found to be the one, and its name removed already: it goes.
    fs.writeFileSync(put('condemned'), '');
    // Not moved yet, or back again: the directory goes.
    untracked('whole');
    fs.mkdirSync(put('whole'));
    assert.deepEqual(collectGarbage(), []);
    assert.deepEqual(
      segments().map(({ name }) => name),
      ['own', 'whole'],
    );
    assert.ok(!fs.existsSync(`${LEDGERS}/moved`));
    assert.equal(SharedMemory.attach('own').buf[0], 42);
    actor.kill('SIGKILL');
    await actor.end();
    assert.deepEqual(collectGarbage(), ['own']);
  },

  async 'an unlink goes on where a killed one stopped, and its owner forgets nothing'() {
    const owned = SharedMemory.create(64, { name: 'own' });
    fs.mkdirSync(`${LEDGERS}/moved`, { recursive: true });
    fs.renameSync('/dev/shm/own', `${LEDGERS}/moved/own`);
    fs.mkdirSync('/dev/shm/own');
    owned.unlink();
    assert.deepEqual(segments(), []);
    assert.ok(!exists('own'));

    const other = SharedMemory.create(64, { name: 'own' });
    fs.mkdirSync(`${LEDGERS}/moved`, { recursive: true });
    fs.renameSync('/dev/shm/own', `${LEDGERS}/moved/own`);
    fs.mkdirSync('/dev/shm/own');
    const adopter = node(`
      const [name] = fs.readdirSync('${LEDGERS}/moved');
      setTimeout(() => { SharedMemory.attach(name).adopt(); say('adopted'); hold(); }, 1);
      shmkit.collectGarbage();`);
    assert.equal(await adopter.line(), 'adopted');
    assert.deepEqual(
      segments()[0]!.owners,
      [process.pid, adopter.pid].sort((a, b) => a - b),
    );
    other.unlink();
    adopter.kill('SIGKILL');
  },

  async 'unlink() by name goes on where a killed unlink stopped, and where others make the name anew'() {
    fs.mkdirSync(`${LEDGERS}/moved`, { recursive: true, mode: 0o700 });
    fs.writeFileSync(`${LEDGERS}/moved/frames`, 'x');
    fs.mkdirSync('/dev/shm/frames');
    unlink('frames');
    assert.deepEqual(fs.readdirSync('/dev/shm'), []);
    assert.throws(() => unlink('frames'), { code: 'ENOENT' });

    const maker = node(`
      say('ready');
      process.stdin.on('end', () => process.exit()).resume();
      for (;;) {
        for (let i = 0; i < 50; i++) try { SharedMemory.create(10, { name: 'frames' }).unlink(); } catch ({ code }) { if (code !== 'EEXIST' && code !== 'ENOENT') throw code; }
        await new Promise(setImmediate);
      }`);
    await maker.line();
    let removed = 0;
    for (let i = 0; i < 3000; i++) {
      try {
        unlink('frames');
        removed++;
      } catch (error) {
        assert.equal((error as { code: string }).code, 'ENOENT');
      }
    }
    assert.ok(removed > 0);
    maker.child.stdin!.end();
    assert.equal(await maker.end(), 0, maker.stderr);
    // A folder that is somebody's is left alone.
    fs.mkdirSync('/dev/shm/folder');
    fs.writeFileSync('/dev/shm/folder/file', '');
    assert.throws(() => unlink('folder'), { code: 'ERR_SHM_NOT_A_SEGMENT' });
  },

  async 'a dead ledger that is for newer versions keeps no tracker'() {
    const actor = await owner('own');
    await oneTracker();
    const [ledger] = ledgers();
    const newer = Buffer.from(fs.readFileSync(`${LEDGERS}/${ledger}`));
    newer.writeUInt32LE(99, 12);
    fs.writeFileSync(`${LEDGERS}/${'6'.repeat(32)}.ledger`, newer);
    actor.kill('SIGKILL');
    await gone('own');
    await until('the tracker has gone', () => trackers().length === 0);
    assert.deepEqual(fs.readdirSync(LEDGERS), [`${'6'.repeat(32)}.ledger`]);
  },

  // ---------- the world around ----------

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

export const names = Object.keys(scenarios);

const scenario = scenarios[process.argv[2] ?? ''];
if (scenario !== undefined) {
  await scenario();
  process.exit(); // whatever else it has started
}
