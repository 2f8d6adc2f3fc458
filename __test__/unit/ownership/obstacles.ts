/** What may be in the way: in the ledgers' directory, and in the place of the tracker's files. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';

import { collectGarbage, segments, SharedMemory, unlink } from 'shmkit';

import { trackers } from '../../fixtures/trackers.js';
import { until } from '../../fixtures/wait.js';
import { folder, ledgers, LEDGERS, NO_TRACKER, oneTracker, owner, untracked } from './common.js';
import type { Scenarios } from './common.js';
import { exists, gone, node } from './process.js';

/** Has a ledger's first record say that it owns what is at this path from `/dev/shm`. */
function forge(ledger: Buffer, name: string): void {
  const { dev, ino } = fs.statSync(`/dev/shm/${name}`, { bigint: true });
  ledger.fill(0, 4096 + 24, 4096 + 280).write(name, 4096 + 24);
  ledger.writeUInt32LE(name.length, 4096 + 4);
  ledger.writeBigUInt64LE(dev, 4096 + 8);
  ledger.writeBigUInt64LE(ino, 4096 + 16);
}

export const obstacles: Scenarios = {
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
    const hindrances: [string, () => void][] = [
      ['a link for a lock', () => fs.symlinkSync(outside, `${LEDGERS}/tracker.lock`)],
      ['a fifo for a lock', () => execFileSync('mkfifo', [`${LEDGERS}/tracker.lock`])],
      ['a folder for a lock', () => fs.mkdirSync(`${LEDGERS}/tracker.lock`)],
      ['a link for a socket', () => fs.symlinkSync(outside, `${LEDGERS}/tracker`)],
      ['a fifo for a socket', () => execFileSync('mkfifo', [`${LEDGERS}/tracker`])],
      ['a file for a socket', () => fs.writeFileSync(`${LEDGERS}/tracker`, '')],
      ['a folder for a socket', () => fs.mkdirSync(`${LEDGERS}/tracker`)],
    ];
    for (const [what, put] of hindrances) {
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
    forge(forged, 'victim');
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
    forge(evil, `../..${outside}`);
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
      forge(bytes, name);
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
    process.env['SHMKIT_TRACKER'] = 'off'; // or it would put things right meanwhile
    const threads = (): number => fs.readdirSync('/proc/self/task').length;
    const before = threads();
    const owned = SharedMemory.create(64, { name: 'own' });
    await until('this process has looked at the ledgers', () => threads() <= before);
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
};
