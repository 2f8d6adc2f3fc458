import { connect } from 'node:net';
import type { Socket } from 'node:net';

import * as binding from '#binding';

import { shmError } from '../common/errors.js';

/** Where a manager listens: the path of a Unix socket (at most 107 bytes), or a TCP port of this machine. */
export type Address =
  | string
  | {
      /** `'localhost'` or `'127.0.0.1'`. */
      host: string;
      /** TCP port, 0 to 65,535; 0 starts a manager at a free one. */
      port: number;
    };

/** What a manager's method returned: nothing, a text, or names. */
export type Answer = readonly string[] | null;

/** The longest path that a socket can have. */
const PATH_MAX = 107;

/** What the commonest failures mean here. */
const MEANINGS: Record<string, string> = {
  ENOENT: 'there is no manager; it was shut down, or the address is another',
  ECONNREFUSED: 'no manager listens any more; it was shut down or killed',
  EACCES: 'permission denied: the manager is another user’s',
  ECONNRESET:
    'the manager ended the connection without an answer; it was shut down or killed, or has no room',
  ENOTSOCK: 'what is there is no socket',
  ENOTDIR: 'a part of the path is no folder',
  ENAMETOOLONG: `the socket's path has more than ${PATH_MAX} bytes`,
};

/** An address in a message. */
export function showAddress(address: Address): string {
  return typeof address === 'string' ? `'${address}'` : `${address.host}:${address.port}`;
}

/** An error of the system's, in our words. */
export function connectionError(address: Address, code: string, cause?: Error): Error {
  const meaning = MEANINGS[code] ?? cause?.message ?? 'the connection failed';
  const error = shmError(code, `${code}: ${meaning}, connect ${showAddress(address)}`);
  const { errno, syscall } = (cause ?? {}) as NodeJS.ErrnoException;
  return Object.assign(error, { cause, ...(errno !== undefined && { errno, syscall }) });
}

/** Node's timers take no more. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Who waits for an answer, and until when. */
interface Waiting {
  resolve(answer: Answer): void;
  reject(error: unknown): void;
  until: number;
  late(): Error;
}

/** A connection to a manager, on which one request is made after the other. */
export class Connection {
  readonly #address: Address;
  readonly #socket: Socket;
  readonly #session: binding.ClientSessionHandle;
  #waiting: Waiting | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Whether something was answered on it. */
  used = false;
  closed = false;

  constructor(address: Address, key: Uint8Array) {
    this.#address = address;
    this.#session = binding.createClientSession(key);
    this.#socket = connect(typeof address === 'string' ? { path: address } : { ...address, noDelay: true });
    this.#socket.on('data', (bytes) => this.#receive(bytes));
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      // One who writes just then is told the same by another code.
      const code = error.code === 'EPIPE' ? 'ECONNRESET' : error.code;
      this.#end(connectionError(address, code ?? 'EUNKNOWN', error));
    });
    this.#socket.on('close', () => this.#end(connectionError(address, 'ECONNRESET')));
  }

  /** Whether the path of an address is one that a socket can have; the system may cut it off without a word. */
  static check(address: Address): void {
    if (typeof address === 'string' && Buffer.byteLength(address) > PATH_MAX) {
      throw connectionError(address, 'ENAMETOOLONG');
    }
  }

  /** Makes a request; after the answer, or not at all, comes the next. `late` is the error where it takes too long. */
  ask(method: string, args: string[], until: number, late: () => Error): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject, until, late };
      this.#socket.ref();
      this.#watch(until);
      const bytes = binding.clientSessionRequest(this.#session, method, args);
      if (bytes.length > 0) this.#socket.write(bytes);
    });
  }

  /** Looks at the time then. The timer goes on from request to request: making one for each would take as long as all of
   * the rest here. */
  #watch(until: number): void {
    if (this.#timer !== undefined || until === Infinity) return;
    const left = Math.min(Math.max(until - performance.now(), 0), LONGEST_TIMER);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      // The event loop may have been held up: what has arrived meanwhile is read first.
      setImmediate(() => {
        if (this.#waiting === undefined || this.#timer !== undefined) return;
        if (performance.now() >= this.#waiting.until) this.#end(this.#waiting.late());
        else this.#watch(this.#waiting.until);
      });
    }, left).unref();
  }

  #receive(bytes: Uint8Array): void {
    try {
      const { send, responded, response, over } = binding.clientSessionReceive(this.#session, bytes);
      if (send !== undefined) this.#socket.write(send);
      if (!responded) return;
      const waiting = this.#waiting;
      this.#waiting = undefined;
      this.used = true;
      // It may wait for the next request for as long as there is something else to do.
      this.#socket.unref();
      waiting?.resolve(response ?? null);
      if (over) this.close();
    } catch (error) {
      this.#end(error);
    }
  }

  /** Ends it; what was asked for fails with this. */
  #end(error: unknown): void {
    this.closed = true;
    clearTimeout(this.#timer);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#socket.destroy();
    waiting?.reject(error);
  }

  /** Ends it, for this reason if somebody waits. */
  close(reason: Error = connectionError(this.#address, 'ECONNRESET')): void {
    this.#end(reason);
  }
}
