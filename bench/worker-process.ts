import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { PROTOCOL } from './protocol.js';
import type { Hello, Operation, Operations, Reply } from './protocol.js';

/** Milliseconds. A worker ends its partners first, some of which are given 10 seconds. */
const STOP_WITHIN = 20_000;

/** An error of the user, to be shown without a stack. */
export class UsageError extends Error {}

/** Throws a UsageError if a checkout has no benchmarks that can be compared, or no build. */
export function checkCheckout(directory: string): void {
  const lacks = (file: string) => !existsSync(join(directory, file));
  if (lacks('package.json')) throw new UsageError(`'${directory}' is not a checkout of shmkit`);
  if (lacks('bench/worker.ts')) {
    throw new UsageError(`'${directory}' has no bench/worker.ts: its benchmarks are too old to be compared`);
  }
  if (lacks('node_modules'))
    throw new UsageError(`'${directory}' has no node_modules; run npm ci there first`);
  if (lacks('dist/index.js') || lacks('binding.js')) {
    throw new UsageError(`'${directory}' has no build; run npm run build there first`);
  }
}

/** What the workers of a checkout load TypeScript with, found from there: its own loader if it has one, else tsx. */
function loaderOf(directory: string): string {
  const own = './scripts/typescript/register.js';
  return existsSync(join(directory, own)) ? own : 'tsx';
}

const shown = new Set<string>();

/** Every worker of a run says the same about peers that are missing; you see it once. */
function showOnce(line: string): void {
  if (shown.has(line)) return;
  shown.add(line);
  console.error(line);
}

/** A fresh process that runs the rows of one checkout. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #directory: string;

  private constructor(child: ChildProcess, directory: string) {
    this.#child = child;
    this.#directory = directory;
  }

  /** Resolves when the worker is ready. Rejects with a UsageError if it has another version of the protocol. */
  static async start(directory: string): Promise<WorkerProcess> {
    const child = fork(join(directory, 'bench', 'worker.ts'), [], {
      cwd: directory,
      execArgv: [`--import=${loaderOf(directory)}`],
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    createInterface(child.stderr!).on('line', showOnce);
    const worker = new WorkerProcess(child, directory);
    try {
      const { protocol } = (await worker.#message()) as Hello;
      if (protocol !== PROTOCOL) {
        const versions = `version ${protocol} of the benchmarks' protocol, expected ${PROTOCOL}`;
        throw new UsageError(
          `'${directory}' has ${versions}; use a checkout with the same bench/protocol.ts`,
        );
      }
      return worker;
    } catch (error) {
      await worker.stop();
      throw error;
    }
  }

  /** Lets the worker do one thing. Rejects if that fails or the worker ends. */
  async request<O extends Operation>(
    operation: O,
    argument: Operations[O]['argument'],
  ): Promise<Operations[O]['result']> {
    const answered = this.#message();
    this.#child.send({ operation, argument }, () => {}); // an error is reported by the exit
    const reply = (await answered) as Reply;
    if (!('error' in reply)) return reply.result as Operations[O]['result'];
    const error = new Error(reply.error);
    if (reply.stack !== undefined) error.stack = reply.stack;
    throw error;
  }

  /** Ends the worker: it undoes what it has set up when the channel closes. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      if (child.connected) child.disconnect();
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN);
      await exited;
      clearTimeout(timer);
    }
    // A tracker that the worker started may outlive it, with the other end of the pipe.
    child.stderr?.destroy();
  }

  #message(): Promise<unknown> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const settle = (done: () => void) => {
        child.off('message', onMessage).off('exit', onExit).off('error', onError);
        done();
      };
      const onMessage = (message: unknown) => settle(() => resolve(message));
      const onError = (error: Error) => settle(() => reject(error));
      const onExit = (code: number | null, signal: string | null) =>
        onError(new Error(`the worker of '${this.#directory}' ended: ${signal ?? code}`));
      child.on('message', onMessage).on('exit', onExit).on('error', onError);
      if (child.exitCode !== null || child.signalCode !== null) onExit(child.exitCode, child.signalCode);
    });
  }
}
