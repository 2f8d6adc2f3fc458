/** What the pool's tests share. */
import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

import type { ExecutionContext } from 'ava';
import { Pool, segments, SharedEvent, SharedMemory } from 'shmkit';

import { freshName } from '../../fixtures/segments.js';
import { compiled } from '../../fixtures/typescript.js';

/** Its source, which only a worker with the loader of TypeScript can import. */
export const WORK_SOURCE = new URL('../../fixtures/pool-work.ts', import.meta.url);
export const WORK = pathToFileURL(await compiled(WORK_SOURCE));

export const WATCHDOG = 60_000;

export function poolOf(t: ExecutionContext, workers = 2, module: string | URL = WORK): Pool {
  t.timeout(WATCHDOG, 'a pool that hangs');
  const pool = new Pool(module, { workers });
  t.teardown(() => pool.close());
  return pool;
}

export function memoryOf(t: ExecutionContext, size = 64): SharedMemory {
  const shm = SharedMemory.create(size, { name: freshName(t) });
  t.teardown(() => shm.close());
  return shm;
}

export function eventOf(t: ExecutionContext): SharedEvent {
  const event = SharedEvent.createOrAttach(freshName(t));
  t.teardown(() => event.close());
  return event;
}

export const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`);

export const ownersOf = (name: string): number[] | undefined =>
  segments().find((info) => info.name === name)?.owners;

export const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
