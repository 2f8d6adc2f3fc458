import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';

import test from 'ava';

import { joinPythonTracker, SharedMemory } from 'shmkit';

import { findPythons } from '../fixtures/python.js';
import { exists, freshName } from '../fixtures/segments.js';

const parent = fileURLToPath(new URL('python-tracker/joined.py', import.meta.url));

/** What the child does, by the case. */
const program = `
  import { once } from 'node:events';
  import { joinPythonTracker, SharedMemory } from 'shmkit';
  const [fd, name, how] = process.argv.slice(1);
  if (how !== 'not joined') joinPythonTracker({ fd: Number(fd) });
  const shm = how === 'python creates' ? SharedMemory.attach(name) : SharedMemory.create(10, { name });
  if (how === 'ends') SharedMemory.create(10); // and of this Python knows nothing but by the tracker
  console.log('ready');
  await once(process.stdin, 'data');
  if (how !== 'ends') shm.unlink();
  process.exit();
`;

const pythons = await findPythons();
for (const { path, version, minor } of pythons) {
  const run = (name: string, how: string, env = {}) => {
    const args = [parent, process.execPath, program, name, how];
    return spawnSync(path, args, { encoding: 'utf8', timeout: 60_000, env: { ...process.env, ...env } });
  };

  for (const how of ['unlinks', 'ends', 'python creates']) {
    test(`Python ${version} and a Node child that joined its tracker agree on what is left: ${how}`, (t) => {
      const name = freshName(t);
      const { status, stderr } = run(name, how);
      t.deepEqual({ status, stderr }, { status: 0, stderr: '' });
      t.false(exists(name));
    });
  }

  test(`Python ${version}'s tracker removes what a killed Node child left, where ours is switched off`, (t) => {
    const name = freshName(t);
    const { status, stderr } = run(name, 'killed', { SHMKIT_TRACKER: 'off' });
    t.is(status, 0, stderr);
    t.regex(stderr, /leaked shared_memory/);
    t.false(exists(name));
  });

  if (minor < 13) {
    test(`Python ${version} complains where nobody joined its tracker: what joining is for`, (t) => {
      const { stderr } = run(freshName(t), 'not joined');
      t.regex(stderr, /leaked shared_memory/);
    });
  }

  test(`Python ${version} reads the JSON format, for any name`, (t) => {
    const name = freshName(t, ':ü\n"');
    const script = `
import base64, json, os, subprocess, sys
from multiprocessing import resource_tracker
read, write = os.pipe()
code = '''
  import { joinPythonTracker, SharedMemory } from 'shmkit';
  joinPythonTracker({ fd: Number(process.argv[1]), format: 'json' });
  const shm = SharedMemory.create(10, { name: process.argv[2] });
  shm.unlink();
'''
subprocess.run([sys.argv[1], "--input-type=module", "-e", code, str(write), sys.argv[2]], pass_fds=[write], check=True)
os.close(write)
def decode(line):
    fields = json.loads(line)
    return fields["cmd"], fields["rtype"], base64.urlsafe_b64decode(fields["base64_name"]).decode()
decode = getattr(resource_tracker, "_decode_message", decode)
lines = [decode(line) for line in os.read(read, 9999).splitlines()]
expected = [(cmd, "shared_memory", "/" + sys.argv[2]) for cmd in ("REGISTER", "REGISTER", "UNREGISTER")]
assert lines == expected, lines
`;
    const { status, stderr } = spawnSync(path, ['-X', 'utf8', '-c', script, process.execPath, name], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    t.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  });
}

test('what is no tracker’s pipe is refused', (t) => {
  const file = fs.openSync(fileURLToPath(import.meta.url), 'r');
  t.teardown(() => fs.closeSync(file));
  const join = (fd: unknown, options?: object) => () => joinPythonTracker({ fd: fd as number, ...options });
  t.throws(join(file), { code: 'ERR_INVALID_ARG_VALUE', message: /no pipe/ });
  t.throws(join(100_000), { code: 'EBADF' });
  for (const bad of [-1, 1.5, NaN, 2 ** 31]) t.throws(join(bad), { code: 'ERR_OUT_OF_RANGE' });
  for (const bad of ['3', null, undefined]) t.throws(join(bad), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(join(file, { format: 'xml' }), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(join(file, { form: 'json' }), { code: 'ERR_INVALID_ARG_TYPE' });
});

test('a name that the colon format cannot say is refused before anything is made', (t) => {
  const fifo = `/tmp/${freshName(t)}`;
  t.is(spawnSync('mkfifo', [fifo]).status, 0);
  t.teardown(() => fs.rmSync(fifo));
  const both = fs.openSync(fifo, 'r+');
  t.teardown(() => fs.closeSync(both));
  const code = `
    import { joinPythonTracker, SharedMemory } from 'shmkit';
    joinPythonTracker({ fd: Number(process.argv[1]) });
    try { SharedMemory.create(10, { name: process.argv[2] }); } catch ({ code }) { console.log(code); }
    SharedMemory.create(10, { name: process.argv[2], track: false }).unlink();
  `;
  const name = freshName(t, ':');
  const stdio = ['ignore', 'pipe', 'pipe', both] as const;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code, '3', name], {
    encoding: 'utf8',
    stdio: [...stdio],
  });
  t.deepEqual({ stdout, stderr }, { stdout: 'ERR_SHM_PYTHON_TRACKER\n', stderr: '' });
  t.false(exists(name));
});

test('a tracker that has gone is no reason for a creation to fail', (t) => {
  const script = `
import os, subprocess, sys
read, write = os.pipe()
os.set_inheritable(write, True)
code = '''
  import { joinPythonTracker, SharedMemory } from 'shmkit';
  joinPythonTracker({ fd: Number(process.argv[1]) });
  process.stdin.once('data', () => {
    const shm = SharedMemory.create(10);
    shm.unlink();
    console.log('made');
    process.exit();
  });
  console.log('joined');
'''
child = subprocess.Popen([sys.argv[1], "--input-type=module", "-e", code, str(write)], pass_fds=[write], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
assert child.stdout.readline() == "joined\\n"
os.close(read)
child.stdin.write("go on\\n")
child.stdin.flush()
assert child.stdout.readline() == "made\\n"
`;
  const { status, stderr } = spawnSync(pythons[0]!.path, ['-c', script, process.execPath], {
    encoding: 'utf8',
  });
  t.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  t.notThrows(() => SharedMemory.create(1).unlink());
});
