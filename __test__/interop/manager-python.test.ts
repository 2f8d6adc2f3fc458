/** Managers and their clients, Node's and every CPython's on this machine, both ways. */
import test from 'ava';
import { segments, ShareableList, SharedMemory, SharedMemoryManager } from 'shmkit';
import type { Address } from 'shmkit';

import { isOver, managerOf, PythonManager, socketPath } from '../fixtures/managers.js';
import { Program } from '../fixtures/program.js';
import { findPythons } from '../fixtures/python.js';
import { exists } from '../fixtures/segments.js';

const KEY = 'a key of ünïcödé';
const ADDRESSES: [string, Address | undefined][] = [
  ['a socket', undefined],
  ['a port', { host: '127.0.0.1', port: 0 }],
];

for (const { path, version } of await findPythons()) {
  for (const [where, address] of ADDRESSES) {
    test(`Python ${version} is the client of Node's manager, by ${where}`, async (t) => {
      const manager = await managerOf(t, { authkey: KEY, ...(address && { address }) });
      const shm = await manager.sharedMemory(64);
      shm.write(Buffer.from('node'));
      const list = await manager.shareableList([1, 'a', null, 2.5]);

      const [client, at] = await PythonManager.run(t, path, 'client', manager.address, KEY);
      const { address: own } = manager;
      t.deepEqual(at, typeof own === 'string' ? own : [own.host, own.port]);
      t.is(await client.call('read', shm.name, 4, 'python'), 'node');
      t.is(shm.read(0, 6).toString(), 'python');
      t.deepEqual(await client.call('items', list.name, 7), [1, 'a', null, 2.5]);
      t.is(list.get(0), 7);

      const theirs = (await client.call('segment', 'hello')) as string;
      const their = SharedMemory.attach(theirs);
      t.is(their.read(0, 5).toString(), 'hello');
      their.write(Buffer.from('world'));
      t.is(await client.call('read', theirs, 5, ''), 'world');
      const theirList = (await client.call('list', [1, 'b', true])) as string;
      t.deepEqual(ShareableList.attach(theirList).toArray(), [1, 'b', true]);

      const all = [shm.name, list.name, theirs, theirList];
      t.deepEqual(await manager.names(), all);
      t.deepEqual(await client.call('names'), all);
      t.deepEqual(await client.call('facts'), [0, '']);
      t.regex((await client.call('refused', 'create', 'Foo')) as string, /^KeyError: .*'Foo'/);
      t.regex((await client.call('refused', 'release_segment', 'nowhere')) as string, /^ValueError: /);
      t.regex((await client.call('refused', 'track_segment', 'nowhere')) as string, /^OSError: ENOENT/);
      t.regex((await client.call('refused', '__init__')) as string, /unrecognized/);
      t.is(await client.call('release', theirs), null);
      t.false(exists(theirs));

      t.is(await client.ends(), 0);
      t.deepEqual(await manager.names(), [shm.name, list.name, theirList], 'it took nothing along');
      await manager.shutdown();
      t.deepEqual(all.filter(exists), []);
    });
  }

  test(`Python ${version} shuts Node's manager down`, async (t) => {
    const manager = await managerOf(t, { authkey: KEY });
    const { name } = await manager.dict();
    const [client] = await PythonManager.run(t, path, 'client', manager.address, KEY);
    await client.call('shutdown');
    t.false(exists(name));
    await isOver(t, manager.names());
    t.is(await client.ends(), 0);
  });

  test(`Python ${version} with another key is refused by Node's manager`, async (t) => {
    const manager = await managerOf(t, { authkey: KEY });
    const [, said] = await PythonManager.run(t, path, 'client', manager.address, 'another');
    t.is(said, 'AuthenticationError');
    t.deepEqual(await manager.names(), [], 'it goes on');
  });

  for (const [where, address] of [['a socket', null], ADDRESSES[1]!] as const) {
    test(`Node is the client of Python ${version}'s manager, by ${where}`, async (t) => {
      const [server, at] = await PythonManager.run(t, path, 'server', address ?? null, KEY);
      const found = Array.isArray(at) ? { host: at[0] as string, port: at[1] as number } : (at as string);
      const theirs = (await server.call('segment', 'hello')) as string;
      const theirList = (await server.call('list', [1, 'b', true])) as string;

      const client = await new SharedMemoryManager({ address: found, authkey: Buffer.from(KEY) }).connect();
      t.deepEqual(await client.names(), [theirs, theirList]);
      const their = SharedMemory.attach(theirs);
      t.is(their.read(0, 5).toString(), 'hello');
      const shm = await client.sharedMemory(64);
      shm.write(Buffer.from('node'));
      t.is(await server.call('read', shm.name, 4, 'python'), 'node');
      t.is(shm.read(0, 6).toString(), 'python');
      const list = await client.shareableList([1, 'a', null, 2.5]);
      t.deepEqual(await server.call('items', list.name, 7), [1, 'a', null, 2.5]);
      t.is(list.get(0), 7);
      const { name: dict } = await client.dict();
      const { name: array } = await client.array([2, 3], { dtype: 'int32' });
      const many = await Promise.all(Array.from({ length: 40 }, () => client.sharedMemory(1)));

      const all = [theirs, theirList, shm.name, list.name, dict, array];
      t.deepEqual(((await server.call('names')) as string[]).slice(0, 6), all);
      await Promise.all(many.map((one) => client.release(one)));
      t.deepEqual(await client.names(), all);
      await client.release(theirs);
      t.false(exists(theirs));
      await t.throwsAsync(client.release('nowhere'), { code: 'ERR_SHM_MANAGER', message: /ValueError/ });

      // A client that ends leaves what it made to the manager.
      const program = Program.node(
        t,
        `const manager = new SharedMemoryManager({ address: ${JSON.stringify(found)}, authkey: '${KEY}' });
         await manager.connect();
         say((await manager.sharedMemory(64)).name);`,
      );
      const left = (await program.says())!;
      t.is(await program.ends(), 0);
      t.true(exists(left));

      await client.shutdown();
      t.deepEqual([...all, left].filter(exists), []);
      t.is(await server.call('stop'), 0);
      t.is(await server.ends(), 0);
    });
  }

  test(`Node with another key is refused by Python ${version}'s manager, and leaves nothing`, async (t) => {
    const [server, at] = await PythonManager.run(t, path, 'server', null, KEY);
    const client = new SharedMemoryManager({ address: at as string, authkey: 'another' });
    await t.throwsAsync(client.connect(), { code: 'ERR_SHM_AUTH' });
    t.deepEqual(await server.call('names'), []);
    await server.call('stop');
  });

  test.serial(
    `a request to Python ${version}'s manager, which was killed, is an error, and nothing is made`,
    async (t) => {
      const address = socketPath(t);
      const [server] = await PythonManager.run(t, path, 'server', address, KEY);
      const client = await new SharedMemoryManager({ address, authkey: KEY }).connect();
      const shm = await client.sharedMemory(64);
      await server.call('kill');
      t.true(exists(shm.name), 'it is nobody’s then: CPython has no ledger');
      shm.unlink();
      const mine = segments().filter(({ owners }) => owners.includes(process.pid)).length;
      await isOver(t, client.sharedMemory(64));
      t.is(segments().filter(({ owners }) => owners.includes(process.pid)).length, mine);
    },
  );
}
