import path from 'node:path';
import { types } from 'node:util';
import type { InspectOptions } from 'node:util';

import * as binding from '#binding';

import { checkOptions, checkSize } from '../common/arguments.js';
import { SharedArray } from '../array/array.js';
import type { DType } from '../array/array.js';
import { SharedDict } from '../dict/dict.js';
import { outOfRange, shmError, wrongType } from '../common/errors.js';
import { ShareableList } from '../list/list.js';
import type { Float, ListItem } from '../list/list.js';
import { Client } from './client.js';
import type { Address } from './connection.js';
import { SharedMemory } from '../segment/memory.js';
import type { SharedObject } from '../common/shared-object.js';
import { checkTimeout } from '../sync/waits.js';

export type { Address } from './connection.js';

/** Address and key of a manager. */
export interface ManagerOptions {
  /**
   * The path of a Unix socket, or a port of this machine (`host`: `'localhost'` or `'127.0.0.1'`; `port`: 0 for
   * a free one). Default: a socket in a directory that only this user can look into.
   */
  address?: Address;
  /**
   * The key that both sides must know, 1 to 4096 bytes; a string stands for its UTF-8. Default: 32 random
   * bytes.
   */
  authkey?: Uint8Array | string;
  /** Milliseconds that a request may take. Default 10,000. */
  timeout?: number;
}

const OPTIONS = ['address', 'authkey', 'timeout'];
/** What is made here has a name of its own, and its manager for an owner. */
const NONE: readonly string[] = [];
const KEY_MAX = 4096;
const TIMEOUT = 10_000;
/** A server that was asked to end is given so long, and then ended. */
const END_WITHIN = 5000;
/** From here on the memory is reserved off the event loop's thread. */
const LARGE = 2 ** 20;

/** They live until they are shut down, whether or not somebody still holds the object. */
const running = new Set<binding.ServerHandle>();

/**
 * A server process that owns what it hands out. All of it is unlinked when the manager is shut down or dies, or
 * when the process that started it dies. It speaks the protocol of CPython's
 * `multiprocessing.managers.SharedMemoryManager`: Python's class connects to it, and this class connects to
 * Python's.
 *
 * ```js
 * await using manager = await new SharedMemoryManager().start();
 * const shm = await manager.sharedMemory(4096);
 * ```
 */
export class SharedMemoryManager implements AsyncDisposable {
  readonly #key: Uint8Array;
  readonly #keyGiven: boolean;
  readonly #timeout: number;
  #address: Address | undefined;
  #state: 'new' | 'starting' | 'started' | 'connected' | 'over' = 'new';
  #server: binding.ServerHandle | undefined;
  #client: Client | undefined;

  /**
   * Creates a manager that is neither started nor connected.
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`.
   */
  constructor(options?: ManagerOptions) {
    const { address, authkey, timeout } = checkOptions(options, OPTIONS);
    this.#address = address === undefined ? undefined : checkAddress(address);
    this.#keyGiven = authkey !== undefined;
    this.#key = authkey === undefined ? binding.drawKey() : checkKey(authkey);
    this.#timeout = timeout === undefined ? TIMEOUT : checkTimeout(timeout);
  }

  /**
   * Where the manager listens: what other processes give as `address`.
   * @throws `ERR_SHM_NOT_STARTED` before `start()`, if no address was given.
   */
  get address(): Address {
    if (this.#address === undefined) throw this.#notStarted();
    return this.#address;
  }

  /**
   * Starts the server process, which ends with this process. It also owns the segments that clients create
   * through `connect()`. Requests wait until it serves. If it cannot, they fail with its reason or
   * `ERR_SHM_START`.
   * @throws `EADDRINUSE`, `EADDRNOTAVAIL`, `ENOENT`, `EACCES`, `ENAMETOOLONG` or another system error, because
   * of the address; `ERR_INVALID_ARG_VALUE` for a host other than this machine; `ERR_SHM_START` if the process
   * cannot be started; `ERR_SHM_STARTED` if the manager is started or connected already; `ERR_SHM_CLOSED` after
   * `shutdown()`; `ERR_SHM_UNSAFE_LEDGERS`, `ERR_SHM_BUSY`.
   */
  async start(): Promise<this> {
    this.#begin();
    try {
      const tcp = typeof this.#address === 'object' ? this.#address : undefined;
      const unix = typeof this.#address === 'string' ? this.#address : undefined;
      const wanted = [unix, tcp?.host, tcp?.port ?? 0, this.#key] as const;
      const server = binding.startManager(...wanted) ?? (await binding.startManagerLater(...wanted));
      const { path: socket, host, port } = binding.serverFacts(server);
      this.#address = socket ?? { host: host ?? '', port };
      this.#client = new Client(this.#address, this.#key, this.#timeout, () =>
        binding.managerStarted(server),
      );
      this.#server = server;
      running.add(server);
      this.#state = 'started';
      return this;
    } catch (error) {
      this.#state = 'new';
      throw error;
    }
  }

  /**
   * Connects to the server that listens at `address`, in Node or Python. The server goes on when this process
   * ends.
   * @throws `ERR_SHM_AUTH` for another authkey; `ERR_SHM_TIMEOUT`; `ERR_SHM_PROTOCOL` if something else listens
   * there; `ENOENT`, `ECONNREFUSED`, `EACCES`, `ENAMETOOLONG` or another system error; `ERR_INVALID_ARG_VALUE`
   * without an address or an authkey; `ERR_SHM_STARTED` if the manager is started or connected already;
   * `ERR_SHM_CLOSED` after `shutdown()`.
   */
  async connect(): Promise<this> {
    if (this.#address === undefined || !this.#keyGiven) {
      const message = 'connect() needs the address and the authkey of a manager that was started';
      throw shmError('ERR_INVALID_ARG_VALUE', message);
    }
    this.#begin();
    try {
      const client = new Client(this.#address, this.#key, this.#timeout);
      await client.greet();
      this.#client = client;
      this.#state = 'connected';
      return this;
    } catch (error) {
      this.#state = 'new';
      throw error;
    }
  }

  /**
   * Creates a segment of `size` zero bytes that the manager owns.
   * @throws As `SharedMemory.create` and `names`. Nothing is left behind.
   */
  async sharedMemory(size: number): Promise<SharedMemory>;
  async sharedMemory(size: number, options?: object): Promise<SharedMemory> {
    const client = this.#ready();
    checkOptions(options, NONE);
    const large = checkSize(size) >= LARGE;
    return own(client, large ? await SharedMemory.createAsync(size) : SharedMemory.create(size));
  }

  /**
   * Creates a list of these values that the manager owns.
   * @throws As `ShareableList.create` and `names`. Nothing is left behind.
   */
  async shareableList(values: Iterable<ListItem | Float>): Promise<ShareableList>;
  async shareableList(values: Iterable<ListItem | Float>, options?: object): Promise<ShareableList> {
    const client = this.#ready();
    checkOptions(options, NONE);
    return own(client, ShareableList.create(values));
  }

  /**
   * Creates an empty dict that the manager owns.
   * @throws As `SharedDict.create` and `names`. Nothing is left behind.
   */
  async dict<V = unknown>(): Promise<SharedDict<V>>;
  async dict<V = unknown>(options?: object): Promise<SharedDict<V>> {
    const client = this.#ready();
    checkOptions(options, NONE);
    return own(client, SharedDict.create<V>());
  }

  /**
   * Creates an array of zeros, with a `.npy` header, that the manager owns.
   * @throws As `SharedArray.create` and `names`. Nothing is left behind.
   */
  async array<D extends DType = 'float64'>(
    shape: number | readonly number[],
    options?: {
      /** Type of the elements, by numpy's name. Default `'float64'`. */
      dtype?: D;
    },
  ): Promise<SharedArray<D>> {
    const client = this.#ready();
    const { dtype } = checkOptions(options, ['dtype']);
    return own(client, SharedArray.create(shape, dtype === undefined ? {} : { dtype }));
  }

  /**
   * Resolves to the names of the segments that the manager owns, in the order in which it became their owner.
   * @throws `ERR_SHM_NOT_STARTED` before `start()` or `connect()`; `ERR_SHM_CLOSED` after `shutdown()`;
   * `ERR_SHM_TIMEOUT`; `ECONNREFUSED`, `ENOENT` or `ECONNRESET` if the manager is gone; `ERR_SHM_START`, or its
   * reason, if it could not start; `ERR_SHM_MANAGER` with what it says if it refuses; `ERR_SHM_AUTH`,
   * `ERR_SHM_PROTOCOL` if another server listens there now.
   */
  async names(): Promise<string[]> {
    return [...((await this.#ready().ask('list_segments')) ?? [])];
  }

  /**
   * Has the manager unlink one of its segments now. Attached handles keep the memory.
   * @throws `ERR_SHM_MANAGER` if the manager does not own it; `ERR_INVALID_ARG_TYPE`; otherwise as `names`.
   */
  async release(
    target:
      | string
      | {
          /** The segment's name, without a leading slash. */
          readonly name: string;
        },
  ): Promise<void> {
    const name = typeof target === 'object' && target !== null ? target.name : target;
    if (typeof name !== 'string') throw wrongType('target', 'a name, or what has one', target);
    await this.#ready().ask('release_segment', name);
  }

  /**
   * Ends the server, even if this object only connected to it. What it owns is unlinked when this resolves.
   * Idempotent.
   * @throws `ERR_SHM_NOT_STARTED` while `start()` or `connect()` is running; as `names` if this object did not
   * start the server.
   */
  async shutdown(): Promise<void> {
    if (this.#state === 'starting') throw shmError('ERR_SHM_NOT_STARTED', 'the manager is just starting');
    const [client, server] = [this.#client, this.#server];
    this.#over();
    try {
      await client?.ask('shutdown');
    } catch (error) {
      // One of ours ends all the same.
      if (server === undefined) throw error;
    } finally {
      client?.close();
      if (server !== undefined) await end(server);
    }
  }

  /**
   * Calls `shutdown()` if this object started the server; otherwise closes the connection, and the server goes
   * on.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === 'started') await this.shutdown();
    else if (this.#state === 'connected') this.#over()?.close();
  }

  [Symbol.for('nodejs.util.inspect.custom')](
    _depth: number,
    options: InspectOptions & { stylize(text: string, style: string): string },
  ): string {
    const at = this.#address;
    const address = typeof at === 'object' ? `${at.host}:${at.port}` : at;
    const shown = address === undefined ? '' : `${options.stylize(`'${address}'`, 'string')}, `;
    return `SharedMemoryManager(${shown}${this.#state === 'over' ? 'shut down' : this.#state})`;
  }

  #begin(): void {
    if (this.#state === 'over') throw this.#closed();
    if (this.#state !== 'new') {
      throw shmError('ERR_SHM_STARTED', 'the manager was started, or connected to, before');
    }
    this.#state = 'starting';
  }

  /** Nothing is asked from now on. */
  #over(): Client | undefined {
    const client = this.#client;
    this.#state = 'over';
    this.#client = undefined;
    this.#server = undefined;
    return client;
  }

  #ready(): Client {
    if (this.#client !== undefined) return this.#client;
    throw this.#state === 'over' ? this.#closed() : this.#notStarted();
  }

  #closed(): Error {
    return shmError('ERR_SHM_CLOSED', 'the manager was shut down; make another one');
  }

  #notStarted(): Error {
    return shmError('ERR_SHM_NOT_STARTED', 'await start() or connect() of the manager first');
  }
}

/** Has the manager own what was just made here; from then on this process does not. */
async function own<T extends SharedObject>(client: Client, object: T): Promise<T> {
  try {
    const answer = await client.ask('track_segment', object.name);
    const { name, id } = object.toJSON();
    if (!binding.handOver(name, id as string, answer?.[0])) throw client.gone();
    return object;
  } catch (error) {
    try {
      object.unlink();
    } catch {
      // The manager owned it already, and has just been shut down.
    }
    object.close();
    throw error;
  }
}

/** Waits until a server is gone that was told to end. */
async function end(server: binding.ServerHandle): Promise<void> {
  const timer = setTimeout(() => binding.killManager(server), END_WITHIN);
  try {
    await binding.endManager(server);
  } finally {
    clearTimeout(timer);
    running.delete(server);
  }
}

function checkAddress(address: unknown): Address {
  if (typeof address === 'string') {
    if (address === '' || address.includes('\0')) {
      throw outOfRange('address', 'the path of a socket, not empty and without NUL', address);
    }
    return path.resolve(address);
  }
  if (typeof address !== 'object' || address === null || !('host' in address) || !('port' in address)) {
    throw wrongType('address', 'the path of a socket, or { host, port }', address);
  }
  const { host, port } = address;
  if (typeof host !== 'string') throw wrongType("the address's host", 'a string', host);
  if (typeof port !== 'number') throw wrongType("the address's port", 'a number', port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw outOfRange("the address's port", 'a whole number from 0 to 65535', port);
  }
  return { host, port };
}

function checkKey(authkey: unknown): Uint8Array {
  if (typeof authkey !== 'string' && !types.isUint8Array(authkey)) {
    throw wrongType('authkey', 'a Uint8Array or a string', authkey);
  }
  const key = Buffer.from(authkey as string); // a copy, of bytes too
  if (key.length < 1 || key.length > KEY_MAX) {
    throw outOfRange('authkey', `1 to ${KEY_MAX} bytes long`, `${key.length}`);
  }
  return key;
}
