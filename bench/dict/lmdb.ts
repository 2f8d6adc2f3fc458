import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { open } from 'lmdb';
import type { RootDatabase } from 'lmdb';

import type { Cleanup } from '../cleanup.js';

const MEMORY = '/dev/shm';

/** Where a database of this row may lie: in memory, where there is such a place, as a dict does. */
async function ownPath(cleanup: Cleanup, prefix: string): Promise<string> {
  const dir = await mkdtemp(join(existsSync(MEMORY) ? MEMORY : tmpdir(), `${prefix}-lmdb-`));
  cleanup.defer(() => rm(dir, { recursive: true }));
  return join(dir, 'db');
}

export interface Database<V> {
  readonly db: RootDatabase<V, string>;
  readonly path: string;
}

/** A database that waits for no disk, and encodes as it does by default: as msgpack. */
export async function openLmdb<V>(cleanup: Cleanup, prefix: string): Promise<Database<V>> {
  const path = await ownPath(cleanup, prefix);
  const db = open<V, string>({ path, noSync: true });
  cleanup.defer(() => db.close());
  return { db, path };
}
