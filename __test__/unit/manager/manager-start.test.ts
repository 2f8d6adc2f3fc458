/** How a manager starts: who makes its socket, and what stays of one that does not come to serve. */
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import { collectGarbage, SharedMemoryManager } from 'shmkit';
import type { ManagerOptions } from 'shmkit';

import { managerOf, managersOf, socketPath } from '../../fixtures/managers.js';
import { Program } from '../../fixtures/program.js';
import { until } from '../../fixtures/wait.js';

/** Something that can be run, in shmkitd's place. */
function impostor(t: ExecutionContext, script: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'shmkit-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, 'impostor');
  writeFileSync(program, `#!/bin/sh\n${script}\n`);
  chmodSync(program, 0o700);
  return program;
}

/** A process that starts a manager by this program, and does something then. */
const starting = (t: ExecutionContext, program: string, code: string, options = '{}'): Program =>
  Program.node(
    t,
    `process.env.SHMKIT_TRACKER = ${JSON.stringify(program)};
     const manager = new SharedMemoryManager(${options});
     const failed = ({ code, message }) => code + (message.includes(process.env.SHMKIT_TRACKER) ? '' : message);
     process.on('unhandledRejection', () => say('unhandled'));
     ${code}`,
  );

/** The processes that a process has started, whatever they run. */
function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        const [, ppid] = /\) \S (\d+) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
        return Number(ppid) === parent;
      } catch {
        return false; // gone meanwhile
      }
    })
    .map(Number);
}

const isThere = (file: string): boolean => statSync(file, { throwIfNoEntry: false }) !== undefined;
/** The ledger beside a manager's own socket. */
const ledgerOf = (socket: string): string => socket.replace(/\.manager$/, '.ledger');

for (const program of ['/no/such/program', '/proc/self/stat']) {
  test(`a process that cannot be started is an error: ${program}`, async (t) => {
    const address = socketPath(t);
    const code = `await manager.start().catch((error) => say(failed(error)));`;
    const started = starting(t, program, code, JSON.stringify({ address }));
    t.is(await started.says(), 'ERR_SHM_START');
    t.false(isThere(address));
  });
}

const impostors: [string, string, string][] = [
  ['ends at once', 'exit 0', 'ERR_SHM_START'],
  ['fails', 'exit 1', 'ERR_SHM_START'],
  ['is killed', 'kill -9 $$', 'ERR_SHM_START'],
  ['lets go of all that it has', 'exec sleep 60 0<&- 1>&- 3<&- 4<&-', 'ERR_SHM_START'],
  ['says something else', 'echo GET / HTTP/1.1; exec sleep 60', 'ERR_SHM_START'],
  ['says something of the same form', 'printf "\\000\\000\\000\\002N."; exec sleep 60', 'ERR_SHM_PROTOCOL'],
  ['repeats what it is told', 'exec cat', 'ERR_SHM_PROTOCOL'],
];
for (const [what, script, expected] of impostors) {
  for (const own of [false, true]) {
    test(`a server that ${what}: each request says so, with ${own ? 'a path' : 'no address'}`, async (t) => {
      const code = `
        await manager.start();
        const path = manager.address;
        const requests = [manager.sharedMemory(8), manager.names(), manager.dict()];
        for (const one of await Promise.allSettled(requests)) say(one.reason.code);
        say(await manager.names().catch(({ code }) => code));
        say(path);
        await manager.shutdown();
        say('shut down');
        await told();
        process.exit();`;
      const options = own ? JSON.stringify({ address: socketPath(t), authkey: 'key' }) : '{}';
      const program = starting(t, impostor(t, script), code, options);
      for (let i = 0; i < 4; i++) t.is(await program.says(), expected);
      const address = (await program.says())!;
      t.false(isThere(address), 'nobody else finds its socket');
      t.false(isThere(ledgerOf(address)) && !own);
      t.is(await program.says(), 'shut down');
      t.deepEqual(managersOf(program.pid), [], 'no zombie is left');
      program.tell('end');
      t.is(await program.ends(), 0);
    });
  }
}

test('a server that does not come to serve is an error after the timeout', async (t) => {
  const code = `await manager.start();
    say(await manager.names().catch(({ code }) => code));
    await told();`;
  const program = starting(t, impostor(t, 'exec sleep 60'), code, '{ timeout: 200 }');
  t.is(await program.says(), 'ERR_SHM_TIMEOUT');
  for (const child of childrenOf(program.pid)) process.kill(child, 'SIGKILL'); // it does not see its starter's end
});

test('a socket is its maker’s alone, whatever the umask, which stays as it is', async (t) => {
  for (const umask of [0o000, 0o022, 0o077]) {
    const address = socketPath(t);
    const program = Program.node(
      t,
      `process.umask(${umask});
       const own = await new SharedMemoryManager({ address: '${address}' }).start();
       const hidden = await new SharedMemoryManager().start();
       say(hidden.address);
       say(process.umask());
       await told();
       process.exit();`,
    );
    const hidden = (await program.says())!;
    t.is(Number(await program.says()), umask);
    t.is(statSync(address).mode & 0o777, 0o700);
    t.is(statSync(hidden).mode & 0o777, 0o700);
    t.is(statSync(dirname(hidden)).mode & 0o777, 0o700);
    program.tell('end');
    await program.ends();
  }
});

test('a server has what it needs, and no other child of its starter has any of it', async (t) => {
  const program = Program.node(
    t,
    `import { execFile } from 'node:child_process';
     import { promisify } from 'node:util';
     const list = async () => (await promisify(execFile)('ls', ['/proc/self/fd'])).stdout.split('\\n').length;
     const before = await list();
     const both = [];
     for (let i = 0; i < 20; i++) both.push(new SharedMemoryManager().start(), list());
     const counts = (await Promise.all(both)).filter((one) => typeof one === 'number');
     say(JSON.stringify([before, ...counts]));
     await told();
     process.exit();`,
  );
  const [before, ...counts] = JSON.parse((await program.says())!) as number[];
  t.deepEqual(
    counts,
    counts.map(() => before),
  );
  const servers = managersOf(program.pid);
  t.is(servers.length, 20);
  for (const server of servers) {
    const files = readdirSync(`/proc/${server}/fd`).map((fd) => readlinkSync(`/proc/${server}/fd/${fd}`));
    t.is(files.filter((file) => file.includes('/.shmkit-')).length, 1, String(files));
    t.true(files.filter((file) => file.startsWith('socket:')).length <= 4, String(files)); // the tracker's is one
  }
  program.tell('end');
  await program.ends();
});

test.serial('who has the socket handed over keeps it, and with the last one it goes', async (t) => {
  const code = `await manager.start();
    say(manager.address);
    await told();`;
  const program = starting(t, impostor(t, 'exec sleep 60'), code);
  const address = (await program.says())!;
  const [server] = childrenOf(program.pid);
  await program.kill();
  collectGarbage();
  t.true(isThere(address) && isThere(ledgerOf(address)), 'a server that starts late has its place');
  process.kill(server!, 'SIGKILL');
  await until('both are gone', () => {
    collectGarbage();
    return !isThere(address) && !isThere(ledgerOf(address));
  });
  t.pass();
});

/** The sockets of managers, in the directory of the ledgers, that nobody listens at. */
function abandoned(directory: string): string[] {
  const listened = new Set(
    readFileSync('/proc/net/unix', 'utf8')
      .split('\n')
      .map((line) => basename(line.split(' ').at(-1) ?? '')),
  );
  return readdirSync(directory).filter((name) => name.endsWith('.manager') && !listened.has(name));
}

test.serial('starters and servers that are killed at any moment of a start leave nothing', async (t) => {
  const { address } = await managerOf(t);
  const directory = dirname(address as string);
  for (let round = 0; round < 12; round++) {
    const program = Program.node(t, `say('go'); for (;;) await new SharedMemoryManager().start();`);
    await program.says();
    const anyMoment = 5 + round / 5;
    await new Promise((resolve) => setTimeout(resolve, anyMoment));
    const servers = managersOf(program.pid);
    program.signal('SIGKILL');
    for (const server of round % 2 === 0 ? servers : []) {
      try {
        process.kill(server, 'SIGKILL');
      } catch {
        // It has ended with its starter.
      }
    }
    await program.kill();
  }
  await until('no socket is left', () => {
    collectGarbage();
    return abandoned(directory).length === 0;
  });
  t.pass();
});

test.serial(
  'a server that is killed before it serves is an error of the first request, or of its connection',
  async (t) => {
    for (let round = 0; round < 12; round++) {
      const manager = await managerOf(t);
      const address = manager.address as string;
      const asked = round % 2 === 0 ? manager.sharedMemory(8) : undefined;
      for (const server of managersOf(process.pid)) {
        // Those of other tests of this file are not this process's: tests are serial here.
        process.kill(server, 'SIGKILL');
      }
      const error = await t.throwsAsync(asked ?? manager.sharedMemory(8));
      const codes = ['ERR_SHM_START', 'ECONNREFUSED', 'ECONNRESET', 'ENOENT'];
      t.true(codes.includes((error as NodeJS.ErrnoException).code ?? ''), String(error));
      await until('its socket is gone', () => {
        collectGarbage();
        return !isThere(address);
      });
      await manager.shutdown();
    }
  },
);

test.serial('a start that has to wait for the ledgers’ lock does not hold up the event loop', async (t) => {
  const { address } = await managerOf(t);
  const holder = Program.run(t, 'python3', [
    '-c',
    `import fcntl, os, sys
directory = os.open(sys.argv[1], os.O_RDONLY)
fcntl.flock(directory, fcntl.LOCK_EX)
print("locked", flush=True)
input()`,
    dirname(address as string),
  ]);
  t.is(await holder.says(), 'locked');
  const options: ManagerOptions[] = [
    {},
    { address: socketPath(t) },
    { address: { host: 'localhost', port: 0 } },
  ];
  const managers = options.map((one) => managerOf(t, one));
  await new Promise((resolve) => setImmediate(resolve));
  holder.tell('let go');
  for (const manager of managers) t.deepEqual(await (await manager).names(), []);
});

test('a manager that is shut down at once is gone', async (t) => {
  const manager = await new SharedMemoryManager().start();
  const address = manager.address as string;
  await manager.shutdown();
  t.false(isThere(address));
  t.false(isThere(ledgerOf(address)));
});
