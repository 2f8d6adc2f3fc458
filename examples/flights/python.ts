// The Python side: a Python that has numpy, made if there is none, and what flights.py does with it.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export interface Python {
  command: string;
  /** "3.12.1, numpy 2.1.0" */
  versions: string;
}

const run = promisify(execFile);
const script = fileURLToPath(new URL('flights.py', import.meta.url));
const venv = fileURLToPath(new URL('../../.cache/venv/bin/python3', import.meta.url));
const makeScript = fileURLToPath(new URL('../../scripts/python.js', import.meta.url));
const probe = `
import multiprocessing, platform, numpy
print(f"{platform.python_version()}, numpy {numpy.__version__}")
`;

/**
 * The Python at `path`; with `true` the first one found that has numpy, or else a new virtual environment. Otherwise says
 * why there is none.
 */
export async function findPython(path: string | boolean, signal: AbortSignal): Promise<Python | undefined> {
  if (path === false) return undefined;
  for (const command of typeof path === 'string' ? [path] : [venv, 'python3']) {
    const python = await examine(command);
    if (python) return python;
  }
  const reason = typeof path === 'string' ? `'${path}' is no Python with numpy` : await makeVenv(signal);
  const python = reason === undefined ? await examine(venv) : undefined;
  if (!python) console.log(`Without Python: ${reason ?? 'the new environment does not start'}.`);
  return python;
}

/** The Python at `command`, if it starts and has numpy. */
async function examine(command: string): Promise<Python | undefined> {
  try {
    const { stdout } = await run(command, ['-c', probe], { timeout: 20_000 });
    return { command, versions: stdout.trim() };
  } catch {
    return undefined;
  }
}

/** Makes the virtual environment that the tests use, too. Resolves to the reason if it cannot. */
async function makeVenv(signal: AbortSignal): Promise<string | undefined> {
  console.log('Making a Python environment with numpy in .cache/venv, once.');
  try {
    await run(process.execPath, [makeScript, '--numpy'], { signal });
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    const [reason = ''] = (error as { stderr: string }).stderr.split('\n');
    return reason;
  }
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
