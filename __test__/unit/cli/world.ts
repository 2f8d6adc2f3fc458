import { Buffer } from 'node:buffer';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import type { ExecutionContext } from 'ava';

import { venvPython } from '../../fixtures/python.js';
import { ownDevShm } from '../../fixtures/own-dev-shm.js';

const pathOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const SHM = pathOf('../../../dist/cli.js');
const TRACKER = pathOf('../../../shmkitd');
const INSIDE = pathOf('inside.js');
const TERMINAL = pathOf('terminal.py');

/** How long a command may take. */
const WATCHDOG = 60_000;
/** A person's, whatever the tests themselves run in: Node shows no colours where `CI` is set, for one. */
const { PATH, HOME } = process.env;
const ENV = { PATH, HOME, TERM: 'xterm-256color' };

/** How a command ended, and what it wrote. */
export interface Ended {
  code: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
  /** What `stdout` is the text of. */
  bytes: Buffer;
}

/** A process that stays until it is told to end. */
export interface Kept {
  pid: number;
  /** The first line that it printed. */
  line: string;
  end(signal?: NodeJS.Signals): Promise<Ended>;
}

/** What is to be done when the terminal shows `see`. */
export interface Step {
  see: string;
  /** Keys; `\x03` is Ctrl-C, `\x04` Ctrl-D. */
  send?: string;
  /** A command beside it. */
  run?: string[];
}

/** Processes with a `/dev/shm` of their own, until the test ends. */
export class World {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, { resolve(result: never): void; reject(error: Error): void }>();
  #last = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', ({ id, result, error }: { id: number; result: never; error?: string }) => {
      const pending = this.#pending.get(id);
      this.#pending.delete(id);
      if (error === undefined) pending?.resolve(result);
      else pending?.reject(new Error(error));
    });
  }

  /** No resource tracker can be started in it, unless `tracked`: what a killed process owned is left. */
  static async open(t: ExecutionContext, { size = '256m', tracked = false } = {}): Promise<World> {
    const none = ['sh', '-c', 'mount --bind /dev/null "$0" && exec "$@"', TRACKER];
    const [command, args] = ownDevShm(size, [...(tracked ? [] : none), process.execPath, INSIDE]);
    const child = spawn(command, args, { env: ENV, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    t.teardown(async () => {
      const exited = once(child, 'exit'); // after disconnect() Node never says 'close'
      if (child.connected) child.disconnect();
      await exited;
    });
    const world = new World(child);
    await once(child, 'message');
    return world;
  }

  async #call<T>(op: string, request: object): Promise<T> {
    const id = ++this.#last;
    const watchdog = setTimeout(() => {
      this.#pending.get(id)?.reject(new Error(`${op} ${JSON.stringify(request)} hangs`));
    }, WATCHDOG);
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#pending.set(id, { resolve, reject });
        this.#child.send({ id, op, request });
      });
    } finally {
      clearTimeout(watchdog);
    }
  }

  /** Runs a command in pipes, with nothing to read. */
  async run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
    return ended(await this.#call('run', { command, args, env }));
  }

  async shm(...args: string[]): Promise<Ended> {
    return this.run(process.execPath, [SHM, ...args]);
  }

  /** What `shm … --json` says. */
  async json<T>(...args: string[]): Promise<T> {
    const { stdout, stderr } = await this.shm(...args, '--json');
    if (stdout === '') throw new Error(stderr);
    return JSON.parse(stdout) as T;
  }

  /** `shm` through a shell, where `shm` stands for it. */
  async sh(line: string, env: NodeJS.ProcessEnv = {}): Promise<Ended> {
    const command = `shm() { '${process.execPath}' '${SHM}' "$@"; }`;
    return this.run('bash', ['-c', `${command}\n${line}`], env);
  }

  /** A person at a terminal, and what that showed. */
  async terminal(args: string[], steps: Step[] = [], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
    const command = [process.execPath, SHM, ...args];
    return this.run(venvPython(), [TERMINAL, JSON.stringify({ command, steps })], env);
  }

  /** A Node process that stays, once it has run this module; `shmkit` is imported. */
  async node(program: string): Promise<Kept> {
    const code = `import { SharedMemory, ShareableList, float } from 'shmkit';
      globalThis.kept = await (async () => {${program}})();
      process.stdout.write('ready\\n');
      process.stdin.resume();`;
    return this.#keep(process.execPath, ['--input-type=module', '-e', code]);
  }

  /** A Python process that stays, once it has run this program; the last thing that it makes is `shm`. */
  async python(program: string, path = venvPython()): Promise<Kept> {
    const code = `import sys\nfrom multiprocessing.shared_memory import SharedMemory, ShareableList
${program}\nprint("ready", flush=True)\nsys.stdin.read()`;
    return this.#keep(path, ['-c', code]);
  }

  /** Runs a Python program whose segments outlive it. */
  async leave(program: string, path = venvPython()): Promise<string> {
    const code = `import io, sys\nfrom multiprocessing import resource_tracker
resource_tracker.register = lambda *_: None
from multiprocessing.shared_memory import SharedMemory, ShareableList\n${program}`;
    const { code: status, stdout, stderr } = await this.run(path, ['-c', code]);
    if (status !== 0) throw new Error(stderr);
    return stdout.trim();
  }

  async #keep(command: string, args: string[]): Promise<Kept> {
    const { pid, line } = await this.#call<{ pid: number; line: string }>('keep', { command, args });
    return { pid, line, end: async (signal) => ended(await this.#call('end', { pid, signal })) };
  }
}

function ended({ stdout, ...rest }: Omit<Ended, 'bytes'>): Ended {
  const bytes = Buffer.from(stdout, 'base64');
  return { ...rest, stdout: bytes.toString(), bytes };
}
