import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

import type { ExecutionContext } from 'ava';

/** What anything may take. */
const WATCHDOG = 30_000;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A program in a process of its own that says what it does, a line at a time, and waits for lines. */
export class Program {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;
  readonly #ended: Promise<unknown>;

  private constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.#child = spawn(command, args, { cwd: ROOT, env, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdin.on('error', () => undefined); // it may have ended
    this.#ended = once(this.#child, 'exit');
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
  }

  /**
   * A module; `say(line)` and `await told()` are the conversation, and all of `shmkit` is there. Killed with the test.
   */
  static node(t: ExecutionContext, code: string, flags: readonly string[] = []): Program {
    const module = `import * as shmkit from 'shmkit';
      import { createInterface } from 'node:readline';
      const { SharedBroadcast, SharedEvent, SharedMemory, SharedMemoryManager, SharedMutex, SharedQueue, ShareableList, attach } = shmkit;
      const say = (line) => process.stdout.write(line + '\\n');
      let lines;
      const told = async () => {
        lines ??= createInterface(process.stdin)[Symbol.asyncIterator]();
        return (await lines.next()).value;
      };
      ${code}`;
    return Program.run(t, process.execPath, [...flags, '--input-type=module', '-e', module]);
  }

  static run(
    t: ExecutionContext,
    command: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv = process.env,
  ): Program {
    const program = new Program(command, args, env);
    t.teardown(() => program.kill());
    return program;
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** The next line that it says. */
  async says(): Promise<string | undefined> {
    return this.#within(
      'to say something',
      this.#lines.next().then(({ value }) => value as string | undefined),
    );
  }

  tell(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  /** There is nothing more to be told. */
  end(): void {
    this.#child.stdin.end();
  }

  /** Sends a signal, and waits for nothing. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Kills it, and waits until it is gone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ends();
  }

  /** How it ended. */
  async ends(): Promise<number | string | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null)
      await this.#within('to end', this.#ended);
    return this.#child.exitCode ?? this.#child.signalCode;
  }

  async #within<T>(what: string, promise: Promise<T>): Promise<T> {
    let watchdog: NodeJS.Timeout | undefined;
    const hung = new Promise<never>((_, reject) => {
      const fail = (): void => reject(new Error(`process ${this.pid} takes too long ${what}`));
      // In two steps: if this process was busy meanwhile, the answer may be waiting to be read.
      watchdog = setTimeout(() => (watchdog = setTimeout(fail, WATCHDOG / 2)), WATCHDOG / 2);
    });
    try {
      return await Promise.race([promise, hung]);
    } finally {
      clearTimeout(watchdog);
    }
  }
}
