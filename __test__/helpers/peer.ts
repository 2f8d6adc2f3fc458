import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

import type { Descriptor, Float, ListItem, SharedObject } from 'shmkit';

import { fromWire, toWire } from './wire.js';
import type { WireItem } from './wire.js';

/** How long a peer may take to answer, and to end. */
const WATCHDOG = 20_000;

/** What a peer tells of something that it opened. */
export interface Opened {
  handle: number;
  name: string;
  /** Bytes of a segment, items of a list. */
  size: number;
}

/** Something to attach to; JSON makes a descriptor of an instance on its way to the peer. */
export type Target = string | Descriptor | SharedObject;

/** What every peer can do, whatever language it is written in: `__test__/python/peer.py`, `node-peer.ts`. */
export interface Operations {
  create(args: { size: number; name?: string | undefined }): Opened;
  attach(args: { target: Target }): Opened;
  read(args: { handle: number; offset: number; length: number }): string;
  write(args: { handle: number; offset: number; hex: string }): null;
  createList(args: { items: WireItem[]; name?: string | undefined }): Opened;
  attachList(args: { target: Target }): Opened;
  get(args: { handle: number; index: number }): WireItem;
  set(args: { handle: number; index: number; item: WireItem }): null;
  items(args: { handle: number }): WireItem[];
  format(args: { handle: number }): string;
  count(args: { handle: number; item: WireItem }): number;
  close(args: { handle: number }): null;
  unlink(args: { handle: number }): null;
}

/** What an operation ended with in the peer. */
export interface Answer {
  id: number;
  result?: unknown;
  error?: { type: string; code?: string | undefined; message: string };
}

/** An operation that failed in the peer. */
export class PeerError extends Error {
  /** The exception's class there. */
  readonly type: string;
  readonly code: string | undefined;

  constructor({ type, code, message }: NonNullable<Answer['error']>) {
    super(`${type}: ${message}`);
    this.type = type;
    this.code = code;
  }
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** Another process that does what it is asked to, one operation after the other, until it is disposed of. */
export abstract class Peer<Ops extends { [op in keyof Ops]: (args: never) => unknown } = Operations> {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  readonly #ended: Promise<unknown>;
  #last = 0;
  #noise = '';

  protected constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#noise += text));
    this.#ended = once(child, 'close').finally(() =>
      this.#fail(new Error(`the peer has ended: ${this.#noise}`)),
    );
  }

  #fail(error: Error): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }

  /** Sends one line of JSON. */
  protected abstract transmit(line: object): void;
  /** Asks the process to end. */
  protected abstract dismiss(): void;

  protected settle({ id, result, error }: Answer): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (error) pending?.reject(new PeerError(error));
    else pending?.resolve(result);
  }

  async call<Op extends keyof Ops>(op: Op, args: Parameters<Ops[Op]>[0]): Promise<ReturnType<Ops[Op]>> {
    const id = ++this.#last;
    const watchdog = setTimeout(() => {
      this.#child.kill('SIGKILL');
      this.#fail(new Error(`no answer to ${String(op)} in ${WATCHDOG} ms: ${this.#noise}`));
    }, WATCHDOG);
    try {
      return (await new Promise((resolve, reject) => {
        this.#pending.set(id, { resolve, reject });
        this.transmit({ id, op, args });
      })) as ReturnType<Ops[Op]>;
    } finally {
      clearTimeout(watchdog);
    }
  }

  /** Ends the process and tells what it had to say on its stderr: nothing, if all is well. */
  async end(): Promise<string> {
    const watchdog = setTimeout(() => this.#child.kill('SIGKILL'), WATCHDOG);
    this.dismiss();
    await this.#ended;
    clearTimeout(watchdog);
    return this.#child.exitCode === 0 ? this.#noise : `ended with ${this.#child.exitCode}: ${this.#noise}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}

/** A peer in the role that the tests have for it, whatever it is written in. */
export class Remote {
  readonly #peer: Peer;

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  async create(size: number, name?: string): Promise<RemoteMemory> {
    return new RemoteMemory(this.#peer, await this.#peer.call('create', { size, name }));
  }

  async attach(target: Target): Promise<RemoteMemory> {
    return new RemoteMemory(this.#peer, await this.#peer.call('attach', { target }));
  }

  async createList(items: readonly (ListItem | Float)[], name?: string): Promise<RemoteList> {
    const opened = await this.#peer.call('createList', { items: items.map(toWire), name });
    return new RemoteList(this.#peer, opened);
  }

  async attachList(target: Target): Promise<RemoteList> {
    return new RemoteList(this.#peer, await this.#peer.call('attachList', { target }));
  }
}

abstract class RemoteObject {
  readonly name: string;
  readonly size: number;
  readonly handle: number;
  protected readonly peer: Peer;

  constructor(peer: Peer, { handle, name, size }: Opened) {
    this.peer = peer;
    this.handle = handle;
    this.name = name;
    this.size = size;
  }

  async close(): Promise<void> {
    await this.peer.call('close', { handle: this.handle });
  }

  async unlink(): Promise<void> {
    await this.peer.call('unlink', { handle: this.handle });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** A segment that a peer has open. */
export class RemoteMemory extends RemoteObject {
  async read(offset = 0, length = this.size - offset): Promise<Buffer> {
    return Buffer.from(await this.peer.call('read', { handle: this.handle, offset, length }), 'hex');
  }

  async write(bytes: string | Uint8Array, offset = 0): Promise<void> {
    const hex = Buffer.from(bytes).toString('hex');
    await this.peer.call('write', { handle: this.handle, offset, hex });
  }
}

/** A list that a peer has open. */
export class RemoteList extends RemoteObject {
  async get(index: number): Promise<ListItem> {
    return fromWire(await this.peer.call('get', { handle: this.handle, index }));
  }

  async set(index: number, value: ListItem | Float): Promise<void> {
    await this.peer.call('set', { handle: this.handle, index, item: toWire(value) });
  }

  async toArray(): Promise<ListItem[]> {
    return (await this.peer.call('items', { handle: this.handle })).map(fromWire);
  }

  async format(): Promise<string> {
    return this.peer.call('format', { handle: this.handle });
  }

  async count(value: ListItem): Promise<number> {
    return this.peer.call('count', { handle: this.handle, item: toWire(value) });
  }
}
