// The child processes of one run.
import { type ChildProcess, type SerializationType, fork, spawn } from 'node:child_process';
import { on } from 'node:events';

export interface Member {
  readonly child: ChildProcess;
  /** Resolves when the process ended well; else rejects, with what happened to it. */
  readonly ended: Promise<void>;
}

/** Starts processes, and ends them all when the run is over or has failed. */
export class Crew {
  readonly #running = new Set<ChildProcess>();
  #stopped = false;

  constructor() {
    process.once('exit', () => this.stop());
  }

  /** Starts a module of this folder. */
  node(title: string, module: string, serialization: SerializationType = 'json'): Member {
    this.#mayStart();
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const;
    return this.#join(title, fork(new URL(module, import.meta.url), { stdio: [...stdio], serialization }));
  }

  /** Starts another program, which gets `input` and then reads an open pipe until this process ends. */
  program(title: string, command: string, args: readonly string[], input: string): Member {
    this.#mayStart();
    const child = spawn(command, args, { stdio: ['pipe', 'inherit', 'inherit'] });
    child.stdin.on('error', () => {}); // it ended early, and its exit code tells more
    child.stdin.write(`${input}\n`);
    return this.#join(title, child);
  }

  /** Ends all of them at once. They have nothing to tidy up: what they share belongs to this process. */
  stop(): void {
    this.#stopped = true;
    for (const child of this.#running) child.kill('SIGKILL');
  }

  /** As `stop`, and waits until they are gone. */
  async end(): Promise<void> {
    this.stop();
    const exits = [...this.#running].map((child) => new Promise((resolve) => child.once('exit', resolve)));
    await Promise.all(exits);
  }

  #mayStart(): void {
    if (this.#stopped) throw new Error('the run is stopped');
  }

  #join(title: string, child: ChildProcess): Member {
    const ended = new Promise<void>((resolve, reject) => {
      child.on('error', (error) => reject(new Error(`${title}: ${error.message}`)));
      child.once('exit', (code, signal) => {
        this.#running.delete(child);
        if (code === 0) resolve();
        else reject(new Error(`${title} (process ${child.pid}) ${fate(code, signal)}`));
      });
    });
    ended.catch(() => {}); // whoever waits for it is told; until then a failure is not "unhandled"
    if (child.pid !== undefined) this.#running.add(child);
    return { child, ended };
  }
}

function fate(code: number | null, signal: NodeJS.Signals | null): string {
  return signal ? `was killed by ${signal}` : `ended with exit code ${code}`;
}

/** Reads the messages of a process one by one; fails when the process ends instead of sending one. */
export function messagesOf({ child, ended }: Member): () => Promise<unknown> {
  const messages = on(child, 'message', { close: ['exit'] });
  return async () => {
    const { done, value } = (await messages.next()) as IteratorResult<[unknown], undefined>;
    if (!done) return value[0];
    await ended;
    throw new Error(`process ${child.pid} ended without an answer`);
  };
}
