// Looks for a Python that has numpy.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export interface Python {
  command: string;
  /** "3.12.1, numpy 2.1.0" */
  versions: string;
}

const probe = `
import multiprocessing.shared_memory, platform, numpy
print(f"{platform.python_version()}, numpy {numpy.__version__}")
`;

export async function findPython(path: string | boolean): Promise<Python | undefined> {
  if (path === false) return undefined;
  const command = typeof path === 'string' ? path : defaultPython();
  try {
    const { stdout } = await promisify(execFile)(command, ['-c', probe], { timeout: 20_000 });
    return { command, versions: stdout.trim() };
  } catch {
    return undefined; // not there, too old, or without numpy
  }
}

/** The virtual environment that the tests use, if it was made; else what the system has. */
function defaultPython(): string {
  const venv = fileURLToPath(new URL('../../.cache/venv/bin/python3', import.meta.url));
  return existsSync(venv) ? venv : 'python3';
}
