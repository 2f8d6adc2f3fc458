import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { segments, SharedMemoryManager } from 'shmkit';
import type { SharedMemory } from 'shmkit';

import { sizeName } from '../context.js';
import type { Context } from '../context.js';
import type { Row, Run, Target } from '../harness.js';
import type { Arguments } from '../python.js';
import { settled } from '../trackers.js';
import { SMALL } from './lifecycle.js';

const NODE_STARTER = fileURLToPath(new URL('../starter.js', import.meta.url));
const PYTHON_STARTER = fileURLToPath(new URL('../python/starter.py', import.meta.url));
const MB = 2 ** 20;
/** A reading starts a process. */
const MANY_READINGS = 21;
/** Memory hardly differs from process to process. */
const FEW_READINGS = 5;
const SOME = 100;

/** Starting a manager, asking it, and what it needs. */
export function managerRows({ python, cleanup }: Context): Row[] {
  const peers = (snippet: string, args: Arguments, target?: Target) =>
    python ? [python.peer(snippet, args, target)] : [];
  const started = async (): Promise<SharedMemoryManager> => {
    const manager = await new SharedMemoryManager().start();
    cleanup.defer(() => manager.shutdown());
    return manager;
  };
  const memory = (count: number): Row => ({
    name: `manager's memory, ${count} segment${count === 1 ? '' : 's'}`,
    unit: 'bytes',
    readings: FEW_READINGS,
    open: () => ({
      shmkit: () => resident(count),
      peers: peers('manager.memory', { count }, { smaller: 3 }),
      limit: 4 * MB,
    }),
  });
  return [
    {
      name: 'new SharedMemoryManager, first start() of a process',
      readings: MANY_READINGS,
      open: () => ({
        shmkit: firstStart(process.execPath, NODE_STARTER),
        peers: python
          ? [
              {
                name: `CPython ${python.version}`,
                run: firstStart(python.path, '-B', PYTHON_STARTER),
                target: { faster: 5 },
              },
            ]
          : [],
      }),
    },
    {
      name: 'new SharedMemoryManager, start(), again',
      readings: MANY_READINGS,
      open: () => ({ shmkit: start, peers: peers('manager.start', {}, { faster: 5 }) }),
    },
    {
      name: 'new SharedMemoryManager, start() and the first sharedMemory()',
      readings: MANY_READINGS,
      open: () => ({ shmkit: startAndCreate, peers: peers('manager.start', { size: SMALL }) }),
    },
    {
      name: `sharedMemory() ${sizeName(SMALL)}, close`,
      async open() {
        const manager = await started();
        return {
          shmkit: (n) => create(manager, n),
          peers: peers('manager.create', { size: SMALL }, { faster: 5 }),
        };
      },
    },
    {
      name: `list() of ${SOME}`,
      async open() {
        const manager = await started();
        for (let i = 0; i < SOME; i++) (await manager.sharedMemory(1)).close();
        return { shmkit: (n) => list(manager, n), peers: peers('manager.names', { count: SOME }) };
      },
    },
    memory(1),
    memory(1000),
  ];
}

/** A process that says how long it took. */
const firstStart =
  (program: string, ...args: string[]): Run =>
  async () =>
    Number((await promisify(execFile)(program, args)).stdout);

/** Managers of which only the beginning is timed. */
const begin =
  (first: (manager: SharedMemoryManager) => Promise<unknown>): Run =>
  async (iterations) => {
    let total = 0n;
    for (let i = 0; i < iterations; i++) {
      const began = process.hrtime.bigint();
      const manager = await new SharedMemoryManager().start();
      await first(manager);
      total += process.hrtime.bigint() - began;
      await manager.shutdown();
    }
    return Number(total);
  };
const start = begin(() => Promise.resolve());
const startAndCreate = begin((manager) => manager.sharedMemory(SMALL));

async function create(manager: SharedMemoryManager, iterations: number): Promise<number> {
  const made: SharedMemory[] = [];
  const began = process.hrtime.bigint();
  for (let i = 0; i < iterations; i++) {
    const shm = await manager.sharedMemory(SMALL);
    shm.close();
    made.push(shm);
  }
  const elapsed = Number(process.hrtime.bigint() - began);
  for (const shm of made) await manager.release(shm);
  return elapsed;
}

async function list(manager: SharedMemoryManager, iterations: number): Promise<number> {
  let total = 0;
  const began = process.hrtime.bigint();
  for (let i = 0; i < iterations; i++) total += (await manager.names()).length;
  const elapsed = Number(process.hrtime.bigint() - began);
  if (total !== SOME * iterations) throw new Error('a list that is too short');
  return elapsed;
}

/** Bytes that a server process has in memory, once it is at rest. */
async function resident(count: number): Promise<number> {
  await using manager = await new SharedMemoryManager().start();
  let last: SharedMemory | undefined;
  for (let i = 0; i < count; i++) {
    last = await manager.sharedMemory(SMALL);
    last.close();
  }
  const [server] = segments().find(({ name }) => name === last?.name)!.owners;
  return (await settled(server!)).resident;
}
