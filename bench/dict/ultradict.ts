import { join } from 'node:path';

import { CACHE, optionalPeer, run, succeeds } from './downloads.js';
import type { Python } from '../python.js';

const VENV = join(CACHE, 'bench-venv');
const PROGRAM = join(VENV, 'bin', 'python3');

/** Finds the path of a Python that is the same as the given one, and has UltraDict. */
export function ultraDict(python: Python, quick: boolean): () => Promise<string | undefined> {
  const check = 'import platform, sys, UltraDict; sys.exit(platform.python_version() != sys.argv[1])';
  const pip = (...packages: string[]) =>
    run(PROGRAM, ['-m', 'pip', '--disable-pip-version-check', 'install', '--quiet', ...packages]);
  return optionalPeer(
    'UltraDict',
    quick,
    async () => ((await succeeds(PROGRAM, '-c', check, python.version)) ? PROGRAM : undefined),
    async () => {
      await run(python.path, ['-m', 'venv', '--clear', VENV]);
      await pip('UltraDict');
      // For its lock that any process may have. Without it there is one that only a process's children have.
      await pip('atomics').catch((error: Error) =>
        console.error(`UltraDict goes without atomics: ${error.message}`),
      );
    },
  );
}
