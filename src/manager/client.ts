import { setTimeout as later } from 'node:timers/promises';

import { shmError } from '../common/errors.js';
import { Connection, connectionError, showAddress } from './connection.js';
import type { Address, Answer } from './connection.js';

/** So many requests are under way at a time: CPython's server starts a thread for each. */
const REQUESTS = 4;
/** A server that is slow to let clients in is asked again so much later. */
const PAUSE = 5;

/** What becomes of connections to a server that is gone. */
const GONE = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOENT']);

/** Who asks a manager for things. */
export class Client {
  readonly #address: Address;
  readonly #key: Uint8Array;
  readonly #timeout: number;
  /** Connections that nobody needs at the moment. */
  readonly #idle: Connection[] = [];
  /** Whether the server goes on after a request. CPython's does not. */
  #stays: boolean;
  /** Of a server that may not have started yet: resolves when it has, and rejects if it cannot. */
  readonly #started: (() => Promise<void>) | undefined;
  #underway = 0;
  readonly #queue: (() => void)[] = [];

  constructor(address: Address, key: Uint8Array, timeout: number, started?: () => Promise<void>) {
    this.#address = address;
    this.#key = key;
    this.#timeout = timeout;
    this.#started = started;
    this.#stays = started !== undefined;
  }

  /** Whether it is there, and knows the key. */
  async greet(): Promise<void> {
    Connection.check(this.#address);
    this.#stays = (await this.ask('dummy')) !== null;
  }

  /** Makes a request, and resolves to what the method returned. */
  async ask(method: string, ...args: string[]): Promise<Answer> {
    const until = performance.now() + this.#timeout;
    if (this.#underway >= REQUESTS) await new Promise<void>((resolve) => this.#queue.push(resolve));
    this.#underway++;
    try {
      for (;;) {
        const connection = this.#take();
        const { used } = connection;
        try {
          const answer = await connection.ask(method, args, until, this.#late);
          if (this.#stays) this.#idle.push(connection);
          else connection.close();
          return answer;
        } catch (error) {
          const { code } = error as NodeJS.ErrnoException;
          // A server may end a connection that nobody used for a while, to have room for another one.
          const wasOver = used && code === 'ECONNRESET';
          // Its queue of those who want to connect is full.
          if (code === 'EAGAIN' && performance.now() < until) await later(PAUSE);
          else if (!wasOver) {
            // Of one that could not start it is not the connection's end that is to be told.
            if (GONE.has(code ?? '')) await this.#started?.();
            throw error;
          }
        }
      }
    } finally {
      this.#underway--;
      this.#queue.shift()?.();
    }
  }

  readonly #late = (): Error =>
    shmError(
      'ERR_SHM_TIMEOUT',
      `the manager at ${showAddress(this.#address)} did not answer within ${this.#timeout} ms`,
    );

  #take(): Connection {
    for (;;) {
      const idle = this.#idle.pop();
      if (idle === undefined) return new Connection(this.#address, this.#key);
      if (!idle.closed) return idle;
    }
  }

  /** The error of a manager that has just gone. */
  gone(): Error {
    return connectionError(this.#address, 'ECONNRESET');
  }

  /** Lets go of its connections. */
  close(): void {
    this.#stays = false;
    for (const connection of this.#idle.splice(0)) connection.close();
  }
}
