import { join } from 'node:path';

import { CACHE, optionalPeer, run, succeeds } from './downloads.js';
import type { Python } from './python.js';

const VENV = join(CACHE, 'bench-venv');
const PROGRAM = join(VENV, 'bin', 'python3');
const SAME = 'import platform, sys; sys.exit(platform.python_version() != sys.argv[1])';

/** What Python's users have, from PyPI. */
interface PythonPeer {
  readonly name: string;
  readonly modules: readonly string[];
  readonly packages: readonly string[];
  /** What it also works without; why it goes without it is said. */
  readonly better?: readonly string[];
}

const PEERS = {
  ultraDict: {
    name: 'UltraDict',
    modules: ['UltraDict'],
    packages: ['UltraDict'],
    // For its lock that any process may have. Without it there is one that only a process's children have.
    better: ['atomics'],
  },
  joblib: { name: 'joblib', modules: ['joblib', 'numpy'], packages: ['joblib', 'numpy'] },
  interprocess: {
    name: 'cloudtoid-interprocess',
    modules: ['cloudtoid_interprocess'],
    packages: ['cloudtoid-interprocess'],
  },
  iceoryx2: { name: 'iceoryx2', modules: ['iceoryx2'], packages: ['iceoryx2'] },
} satisfies Record<string, PythonPeer>;

/** Finds the path of a Python that is the same as the given one, and has that. */
export function pythonPeer(
  python: Python | undefined,
  quick: boolean,
  peer: keyof typeof PEERS,
): () => Promise<string | undefined> {
  if (python === undefined) return () => Promise.resolve(undefined);
  const { name, modules, packages, better = [] }: PythonPeer = PEERS[peer];
  const isSame = () => succeeds(PROGRAM, '-c', SAME, python.version);
  const pip = (wanted: readonly string[]) =>
    run(PROGRAM, ['-m', 'pip', '--disable-pip-version-check', 'install', '--quiet', ...wanted]);
  return optionalPeer(
    name,
    quick,
    async () =>
      (await isSame()) && (await succeeds(PROGRAM, '-c', `import ${modules.join(', ')}`))
        ? PROGRAM
        : undefined,
    async () => {
      if (!(await isSame())) await run(python.path, ['-m', 'venv', '--clear', VENV]);
      await pip(packages);
      for (const one of better) {
        await pip([one]).catch((error: Error) =>
          console.error(`${name} goes without ${one}: ${error.message}`),
        );
      }
    },
  );
}
