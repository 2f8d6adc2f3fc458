import { createRequire } from 'node:module';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { CACHE, optionalPeer, run } from '../downloads.js';

/** Of piscina's what is used here. */
export interface ThreadPool {
  run(input: Float64Array): Promise<Float64Array>;
  destroy(): Promise<void>;
}

export type ThreadPoolClass = new (options: {
  filename: string;
  minThreads: number;
  maxThreads: number;
}) => ThreadPool;

const FOLDER = join(CACHE, 'bench-npm');

/** Finds piscina in the cache. */
export function piscina(quick: boolean): () => Promise<ThreadPoolClass | undefined> {
  const find = async (): Promise<ThreadPoolClass | undefined> => {
    try {
      const require = createRequire(join(FOLDER, 'package.json'));
      return (require('piscina') as { Piscina: ThreadPoolClass }).Piscina;
    } catch {
      return undefined;
    }
  };
  return optionalPeer('piscina', quick, find, async () => {
    await mkdir(FOLDER, { recursive: true });
    await run('npm', ['install', '--prefix', FOLDER, '--no-audit', '--no-fund', 'piscina@5']);
  });
}
