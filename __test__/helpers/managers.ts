import { createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { ExecutionContext } from 'ava';
import { segments, SharedMemoryManager } from 'shmkit';
import type { Address, ManagerOptions } from 'shmkit';

import { Program } from './program.js';

const PYTHON = fileURLToPath(new URL('../python/manager.py', import.meta.url));
const WATCHDOG = 20_000;

/** A manager that was started, and is shut down with the test. */
export async function managerOf(t: ExecutionContext, options?: ManagerOptions): Promise<SharedMemoryManager> {
  const manager = new SharedMemoryManager(options);
  t.teardown(() => manager.shutdown());
  return manager.start();
}

/** A path for a socket, in a folder that goes with the test. */
export function socketPath(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'shmkit-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'manager');
}

/** The ids of the managers that a process has started and that are still there, also as zombies. */
export function managersOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        const [, ppid] = /\) \S (\d+) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
        const [program = '', role] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        const zombie = program === ''; // it has no arguments any more
        return Number(ppid) === parent && (zombie || (basename(program) === 'shmkitd' && role === 'manager'));
      } catch {
        return false; // gone meanwhile
      }
    })
    .map(Number);
}

/** The one process that owns a segment, which is not this one: tests kill it. */
export function serverOf(name: string): number {
  const { owners = [] } = segments().find((info) => info.name === name) ?? {};
  const [server] = owners;
  if (owners.length !== 1 || server === undefined || server === process.pid) {
    throw new Error(`'${name}' is owned by ${String(owners)}, and not by a manager alone`);
  }
  return server;
}

/** Of a manager that is gone, by how far it had gone when it was asked. */
export async function isOver(t: ExecutionContext, promise: Promise<unknown>): Promise<void> {
  const error = await t.throwsAsync(promise);
  const codes = ['ENOENT', 'ECONNREFUSED', 'ECONNRESET'];
  t.true(codes.includes((error as NodeJS.ErrnoException).code ?? ''), String(error));
}

/** A Python with a manager, or connected to one. */
export class PythonManager {
  readonly #program: Program;

  private constructor(program: Program) {
    this.#program = program;
  }

  /** What it says first is its address, or the class of the exception. */
  static async run(
    t: ExecutionContext,
    python: string,
    role: 'client' | 'server',
    address: Address | null,
    key: string,
  ): Promise<[PythonManager, unknown]> {
    const given = typeof address === 'object' && address !== null ? [address.host, address.port] : address;
    const args = ['-E', '-X', 'utf8', PYTHON, role, JSON.stringify(given), key];
    const manager = new PythonManager(Program.run(t, python, args));
    return [manager, await manager.#says()];
  }

  get pid(): number {
    return this.#program.pid;
  }

  async #says(): Promise<unknown> {
    return JSON.parse((await this.#program.says()) ?? '"it ended"');
  }

  /** Calls a method of `Actor` in `manager.py`. */
  async call(method: string, ...args: unknown[]): Promise<unknown> {
    this.#program.tell(JSON.stringify([method, ...args]));
    return this.#says();
  }

  /** How it ends when there is nothing more to do. */
  async ends(): Promise<number | string | null> {
    this.#program.end();
    return this.#program.ends();
  }

  async kill(): Promise<void> {
    await this.#program.kill();
  }
}

/** The message with its length before it. */
export function framed(message: string | Uint8Array): Buffer {
  const bytes = Buffer.from(message as string, 'latin1');
  const head = Buffer.alloc(4);
  head.writeInt32BE(bytes.length);
  return Buffer.concat([head, bytes]);
}

/** The answer to a challenge, as Python 3.12 has it. */
export function answered(challenge: Buffer, key: string): Buffer {
  const message = challenge.subarray('#CHALLENGE#'.length);
  return Buffer.concat([Buffer.from('{sha256}'), createHmac('sha256', key).update(message).digest()]);
}

/** A connection on which the test itself says what it likes. */
export class Raw {
  readonly socket: Socket;
  #arrived = Buffer.alloc(0);
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(t: ExecutionContext, to: Address | Socket) {
    const isSocket = typeof to === 'object' && 'destroy' in to;
    this.socket = isSocket ? to : typeof to === 'string' ? connect(to) : connect(to);
    t.teardown(() => this.socket.destroy());
    this.socket.on('data', (bytes) => {
      this.#arrived = Buffer.concat([this.#arrived, bytes]);
      this.#wake?.();
    });
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => {
      this.#ended = true;
      this.#wake?.();
    });
  }

  send(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  /** The next message; undefined at the end. */
  async message(): Promise<Buffer | undefined> {
    await this.#until(() => this.#arrived.length >= 4 && this.#arrived.length >= 4 + this.#length());
    if (this.#arrived.length < 4) return undefined;
    const length = this.#length();
    const message = this.#arrived.subarray(4, 4 + length);
    this.#arrived = this.#arrived.subarray(4 + length);
    return message;
  }

  /** Resolves when the other side has ended it. */
  async end(): Promise<void> {
    await this.#until(() => this.#ended);
  }

  /** As a client, shows a server that it knows the key. */
  async introduce(key: string): Promise<void> {
    this.send(framed(answered((await this.message())!, key)));
    await this.message();
    this.send(framed(Buffer.concat([Buffer.from('#CHALLENGE#{sha256}'), randomBytes(40)])));
    await this.message();
    this.send(framed('#WELCOME#'));
  }

  #length(): number {
    return this.#arrived.readInt32BE(0);
  }

  async #until(is: () => boolean): Promise<void> {
    const watchdog = setTimeout(() => this.socket.destroy(new Error('nothing came')), WATCHDOG);
    while (!is() && !this.#ended) await new Promise<void>((resolve) => (this.#wake = resolve));
    clearTimeout(watchdog);
  }
}
