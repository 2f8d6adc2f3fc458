/** A program that a stress run starts. It ends at the latest with the process that started it. */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { once } from 'node:events';

/** Have the kernel kill the program if its parent dies, even of SIGKILL. The program keeps the process id. */
const DIE_WITH_PARENT = ['setpriv', '--pdeathsig', 'KILL', '--'];
const isAvailable = spawnSync('setpriv', ['--pdeathsig', 'KILL', '--', 'true']).status === 0;

/** The command that runs a program which ends with its parent; the program itself where setpriv(1) is missing. */
export function withParent(command: readonly string[]): [string, string[]] {
  const [program = '', ...args] = isAvailable ? [...DIE_WITH_PARENT, ...command] : command;
  return [program, args];
}

export class Child {
  readonly process: ChildProcess;
  readonly exited: Promise<unknown>;
  /** Resolves once it has ended and all that it wrote has been read. */
  readonly closed: Promise<unknown>;
  /** Resolves when it has written something, or has ended. */
  readonly begun: Promise<void>;
  #text = '';

  constructor(
    readonly what: string,
    command: readonly string[],
    { ipc = false, env }: { ipc?: boolean; env?: NodeJS.ProcessEnv | undefined } = {},
  ) {
    const options: SpawnOptions = { stdio: ['pipe', 'pipe', 'inherit', ...(ipc ? (['ipc'] as const) : [])] };
    this.process = spawn(...withParent(command), { ...options, ...(env && { env }) });
    this.process.stdin?.on('error', () => undefined); // it may have ended
    const stdout = this.process.stdout!;
    this.exited = once(this.process, 'exit');
    // Not the event 'close' of the process, which does not come after disconnect().
    this.closed = Promise.all([this.exited, once(stdout, 'close')]);
    this.exited.catch(() => undefined);
    this.closed.catch(() => undefined);
    this.begun = new Promise((resolve) => {
      stdout.setEncoding('utf8').on('data', (text: string) => {
        this.#text += text;
        resolve();
      });
      this.closed.then(
        () => resolve(),
        () => resolve(),
      );
    });
  }

  get pid(): number {
    return this.process.pid as number;
  }

  get isRunning(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  /** How it ended: its exit code, or the signal that killed it. */
  get result(): number | NodeJS.Signals | null {
    return this.process.exitCode ?? this.process.signalCode;
  }

  /** The lines that it has written. */
  get lines(): string[] {
    return this.#text.split('\n').filter((line) => line !== '');
  }

  signal(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  /** Tells it to end, if it reads its standard input. */
  endInput(): void {
    this.process.stdin?.end();
  }
}
