import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

import type { Python } from './python.js';

const NODE_OWNER = fileURLToPath(new URL('owner.js', import.meta.url));
const PYTHON_OWNER = fileURLToPath(new URL('python/owner.py', import.meta.url));
/** A thousand segments are unlinked in a fraction of it. */
const STOP_WITHIN = 10_000;

/** A program that makes `count` segments and waits. */
export type OwnerCommand = (count: number) => readonly string[];

export const nodeOwner: OwnerCommand = (count) => [process.execPath, NODE_OWNER, String(count)];

/** Its tracker takes over the warnings' setting, and a killed owner's segment is one that it warns of. */
export const pythonOwner =
  ({ path }: Python): OwnerCommand =>
  (count) => [path, '-B', '-W', 'ignore', PYTHON_OWNER, String(count)];

/** A fresh process that owns segments. It ends with this one: its standard input does. */
export class Owner {
  readonly pid: number;
  /** Nanoseconds that its first create took. */
  readonly firstCreate: number;
  /** The first segment's. */
  readonly name: string;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>, line: string) {
    const { ns, name } = JSON.parse(line) as { ns: number; name: string };
    this.#child = child;
    this.pid = child.pid!;
    this.firstCreate = ns;
    this.name = name;
  }

  /** Resolves when it has made its segments. */
  static async start([program, ...args]: readonly string[]): Promise<Owner> {
    const child = spawn(program!, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    // Of one that died before it was told to stop.
    child.stdin.on('error', () => {});
    const line = await new Promise<string>((resolve, reject) => {
      createInterface(child.stdout).once('line', resolve);
      child.once('error', reject);
      child.once('exit', (code, signal) => reject(new Error(`an owner ended: ${signal ?? code}`)));
    });
    return new Owner(child, line);
  }

  /** Starts one, looks at it, and stops it again whatever comes. */
  static async with<T>(command: readonly string[], look: (owner: Owner) => T | Promise<T>): Promise<T> {
    const owner = await Owner.start(command);
    try {
      return await look(owner);
    } finally {
      await owner.#stop();
    }
  }

  /** Ends it with no warning. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async #stop(): Promise<void> {
    const child = this.#child;
    // CPython's tracker has the other end too, so it would never be seen to end.
    child.stdout.destroy();
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.stdin.end();
    const timer = setTimeout(() => this.kill(), STOP_WITHIN);
    await exited;
    clearTimeout(timer);
  }
}
