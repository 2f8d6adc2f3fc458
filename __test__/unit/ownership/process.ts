import { spawn } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync } from 'node:fs';
import { createInterface } from 'node:readline';

import { until, within } from '../../fixtures/wait.js';

/** A process that says lines and is told lines. */
export class Actor {
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  stderr = '';

  constructor(command: string, args: readonly string[], options: SpawnOptions = {}) {
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options });
    process.once('exit', () => this.child.kill('SIGKILL')); // also where a check failed
    this.#lines = createInterface(this.child.stdout!)[Symbol.asyncIterator]();
    this.child.stdin!.on('error', () => undefined); // killed before it is told to end
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** What it says next. */
  async line(): Promise<string> {
    const next = await within(`a line of process ${this.pid}`, this.#lines.next());
    if (next.done) throw new Error(`process ${this.pid} said no more: ${this.stderr}`);
    return next.value;
  }

  tell(line: string): void {
    this.child.stdin!.write(`${line}\n`);
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** How it ends: its code, or the signal that ended it. */
  async end(): Promise<number | string> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      await within(`the end of process ${this.pid}`, once(this.child, 'close'));
    }
    return this.child.exitCode ?? this.child.signalCode!;
  }
}

/** A process of Node that runs this module, with shmkit's names in scope; `hold` keeps it alive. */
export function node(code: string, options: SpawnOptions = {}, ...flags: string[]): Actor {
  const prelude = `
    import fs from 'node:fs';
    import * as shmkit from 'shmkit';
    const { SharedMemory, ShareableList } = shmkit;
    const say = (text) => fs.writeSync(1, text + '\\n');
    const hold = () => setInterval(() => undefined, 1e6);
  `;
  return new Actor(process.execPath, [...flags, '--input-type=module', '-e', prelude + code], options);
}

export function exists(name: string): boolean {
  return lstatSync(`/dev/shm/${name}`, { throwIfNoEntry: false }) !== undefined;
}

export async function gone(name: string): Promise<void> {
  await until(`'${name}' is gone`, () => !exists(name));
}
