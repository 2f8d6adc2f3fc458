import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

import type { Run, Target, Peer } from './harness.js';

const PEER = fileURLToPath(new URL('python/peer.py', import.meta.url));
/** It removes its segments before it ends, which waits for the snippet that is running. */
const STOP_WITHIN = 10_000;

/** What a snippet may be told. */
export type Arguments = Record<string, string | number | boolean>;

interface Answer {
  ns?: number;
  error?: string;
  python?: string;
  numpy?: string | null;
}

interface Waiting {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/** A Python that lives as long as its suite, so that its start is never in what is timed. */
export class Python {
  version = '';
  numpy: string | null = null;
  readonly path: string;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting: Waiting[] = [];

  private constructor(path: string) {
    this.path = path;
    // Without -B it would leave its compiled files beside the sources.
    this.#child = spawn(path, ['-B', PEER], { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface(this.#child.stdout).on('line', (line) => {
      this.#waiting.shift()?.resolve(JSON.parse(line) as Answer);
    });
    const fail = (error: Error) => {
      for (const waiting of this.#waiting.splice(0)) waiting.reject(error);
    };
    this.#child.on('error', fail);
    this.#child.on('exit', (code, signal) => fail(new Error(`python ended: ${signal ?? code}`)));
    // Writing to one that died is reported by its exit.
    this.#child.stdin.on('error', () => {});
  }

  /** Undefined where `path` is no Python. */
  static async start(path: string): Promise<Python | undefined> {
    const python = new Python(path);
    try {
      const { python: version = '', numpy = null } = await python.#ask({});
      python.version = version;
      python.numpy = numpy;
      return python;
    } catch (error) {
      console.error(`no python at '${path}', its rows go without it: ${(error as Error).message}`);
      return undefined;
    }
  }

  /** A peer that runs a snippet in Python, which times itself. */
  peer(snippet: string, args: Arguments = {}, target?: Target, name = `CPython ${this.version}`): Peer {
    const run: Run = async (iterations) => {
      const { ns } = await this.#ask({ snippet, iterations, args });
      return ns ?? 0;
    };
    return { name, run, ...(target && { target }) };
  }

  /** Lets go of what the snippets of a row hold. */
  async release(): Promise<void> {
    await this.#ask({ snippet: 'release', iterations: 0, args: {} });
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.stdin.end();
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN);
    await exited;
    clearTimeout(timer);
  }

  async #ask(request: object): Promise<Answer> {
    const answer = await new Promise<Answer>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    });
    if (answer.error !== undefined) throw new Error(`python: ${answer.error}`);
    return answer;
  }
}
