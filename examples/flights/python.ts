// The Python side: a Python that has numpy, and what flights.py does with it.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export interface Python {
  command: string;
  /** "3.12.1, numpy 2.1.0" */
  versions: string;
}

const run = promisify(execFile);
const script = fileURLToPath(new URL('flights.py', import.meta.url));
const probe = `
import multiprocessing, platform, numpy
print(f"{platform.python_version()}, numpy {numpy.__version__}")
`;

export async function findPython(path: string | boolean): Promise<Python | undefined> {
  if (path === false) return undefined;
  const command = typeof path === 'string' ? path : defaultPython();
  try {
    const { stdout } = await run(command, ['-c', probe], { timeout: 20_000 });
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

/** Has flights.py do something, and gives what it answers. */
export async function runPython(
  { command }: Python,
  task: 'check' | 'compare',
  job: object,
  signal: AbortSignal,
): Promise<unknown> {
  // Its standard input stays open for as long as this process lives: that is how it notices the end.
  const running = run(command, [script, task], { signal, killSignal: 'SIGKILL' });
  const { child } = running;
  child.stdin?.on('error', () => {}); // it ended early, and its exit code tells more
  child.stdin?.write(`${JSON.stringify(job)}\n`);
  try {
    const { stdout } = await running;
    return JSON.parse(stdout || 'null');
  } catch (error) {
    signal.throwIfAborted();
    const { code, signal: by, stderr } = error as { code?: number; signal?: string; stderr?: string };
    const fate = by ? `was killed by ${by}` : `ended with exit code ${code}`;
    throw new Error(`the Python worker (process ${child.pid}) ${fate}\n${stderr ?? ''}`.trimEnd(), {
      cause: error,
    });
  }
}
