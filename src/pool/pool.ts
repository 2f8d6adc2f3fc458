import { availableParallelism } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import pLimit from 'p-limit';
import type { LimitFunction } from 'p-limit';
import pMap from 'p-map';

import { checkCount, checkOptions } from '../common/arguments.js';
import { SharedArray } from '../array/array.js';
import { closedError, outOfRange, shmError, wrongType } from '../common/errors.js';
import { collectGarbage, segments } from '../ownership/housekeeping.js';
import { discard } from '../segment/memory.js';
import { checkPlatform } from '../common/native.js';
import { nodeProgram } from './node.js';
import type {
  AnyName,
  Arguments,
  Call,
  CallOfItem,
  CallOfParts,
  Item,
  NameOf,
  Result,
} from './module-types.js';
import type { EncodedMessage } from './message-codec.js';
import type { Program } from './program.js';
import { pythonProgram } from './python.js';
import { Died, workerDied, WorkerProcess } from './worker-process.js';
import type { Job, Outcome } from './worker-process.js';
import type { SharedObject } from '../common/shared-object.js';

export type { WorkerDiedError } from './worker-process.js';

/** Options for creating a pool. */
export interface PoolOptions {
  /**
   * Number of worker processes at most. Each is started when it is needed. Default `os.availableParallelism()`.
   */
  workers?: number;
  /** The Python interpreter for a module in Python; refused for other modules. Default `'python3'`. */
  python?: string;
}

/** Options of `map` and `mapArray`. */
export interface MapOptions {
  /**
   * Number of items (of `mapArray`: indexes of the first dimension) that a worker gets at a time. Default: four
   * rounds for each worker, or 1 if the number of items is not known in advance. `mapArray` by default hands
   * out three quarters of the array in the first round and the rest in smaller parts.
   */
  chunk?: number;
  /**
   * Called after each chunk with the number of items that are done. If their number is not known in advance,
   * `total` is the number of items taken until then. If it throws, the map ends with that error. Default: none.
   */
  onProgress?: (done: number, total: number) => void;
  /** Ends the map, which rejects with the signal's reason. No further item is started. Default: none. */
  signal?: AbortSignal;
}

/** So many chunks for each worker, so that one with easy items takes over from one with hard ones. */
const ROUNDS = 4;
/** Of an array's rows, what goes in the first round: they mostly take equally long, and to hand a part over takes its time. */
const AT_ONCE = 0.75;
/** A worker that died before it began at a job has done nothing: others are asked. So many new ones, not for ever. */
const UNBEGUN = 3;

/** Items that go to a worker together. */
interface Chunk {
  /** The place of the first one. */
  readonly from: number;
  readonly items: readonly unknown[];
}

/**
 * Worker processes that call the functions of a module. Arguments and results are passed as by
 * `structuredClone`, or to Python as values that both languages have. Shared objects in them arrive attached to
 * the same memory.
 *
 * ```js
 * await using pool = new Pool(new URL('./work.js', import.meta.url));
 * const sums = await pool.map('sumOf', parts); // export function sumOf(part) { … }
 * ```
 *
 * In TypeScript, `new Pool<typeof import('./work.js')>(…)` checks names, arguments and results.
 */
export class Pool<Module = unknown> implements AsyncDisposable {
  readonly #program: Program;
  readonly #limit: LimitFunction;
  readonly #workers: number;
  readonly #alive = new Set<WorkerProcess>();
  readonly #idle: WorkerProcess[] = [];
  /** What close() waits for. */
  readonly #running = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;
  #terminating: Promise<void> | undefined;
  /** What this process owns because of chunks whose results nobody gets. */
  readonly #unclaimed: SharedObject[] = [];

  /**
   * Creates a pool for a module: a `file:` URL, or a path, which is relative to the working directory. The
   * module is an ES module, CommonJS, TypeScript if this process has a loader for it (`--import=tsx`), or
   * Python (`.py`).
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`, `ERR_SHM_UNSUPPORTED` on a platform without a binary.
   */
  constructor(module: string | URL, options?: PoolOptions) {
    checkPlatform();
    const url = checkModule(module);
    const { workers, python } = checkOptions(options, ['workers', 'python']);
    this.#program = programOf(url, python);
    this.#workers = workers === undefined ? availableParallelism() : checkCount('workers', workers);
    this.#limit = pLimit(this.#workers);
  }

  /**
   * Calls a function of the module in a worker process, and resolves to what it returns. If the worker dies,
   * the call is not repeated, because it may have had effects.
   * @throws What the function throws; `ERR_SHM_WORKER_DIED` (see `WorkerDiedError`); `ERR_SHM_METHOD` if the
   * module exports no such function; `ERR_SHM_MODULE` if it cannot be loaded; `ERR_SHM_VALUE` if an argument or
   * the result cannot be sent; `ERR_SHM_CLOSED` if the pool or a shared object is closed;
   * `ERR_INVALID_ARG_TYPE`; as `attach` for shared objects.
   */
  run<R>(method: AnyName<Module>, ...args: unknown[]): Promise<R>;
  /**
   * As above, for a pool that knows what the module exports.
   * @throws As above.
   */
  run<Name extends NameOf<Module, Call>>(
    method: Name,
    ...args: Arguments<Module, Name>
  ): Promise<Result<Module, Name>>;
  async run(method: string, ...args: unknown[]): Promise<unknown> {
    this.#check(method);
    const encoded = this.#program.pack(args, `an argument of '${method}'`);
    return this.#track(this.#run(method, encoded));
  }

  /**
   * Calls a function of the module with each item, on all workers, and resolves to the results in the order of
   * the items. Items are taken as workers become free. The first error ends the map and has the index of its
   * `item`; workers finish the item that they are at.
   *
   * If a worker dies, its chunk is tried once more, so the function may see those items twice.
   * @throws As `run`; what the iterator or `onProgress` throws; the signal's reason; `ERR_OUT_OF_RANGE` for an
   * invalid `chunk`.
   */
  map<T, R>(method: AnyName<Module>, items: Iterable<T>, options?: MapOptions): Promise<R[]>;
  /**
   * As above, for a pool that knows what the module exports.
   * @throws As above.
   */
  map<Name extends NameOf<Module, CallOfItem>>(
    method: Name,
    items: Iterable<Item<Module, Name>>,
    options?: MapOptions,
  ): Promise<Result<Module, Name>[]>;
  async map(method: string, items: Iterable<unknown>, options?: MapOptions): Promise<unknown[]> {
    this.#check(method);
    if (items === null || items === undefined || typeof items[Symbol.iterator] !== 'function') {
      throw wrongType('items', 'iterable', items);
    }
    const { chunk, onProgress, signal } = checkMapOptions(options);
    const count = countOf(items);
    const size = chunk ?? Math.max(1, Math.ceil((count ?? 0) / (this.#workers * ROUNDS)));
    return this.#track(this.#map(method, items, size, count, onProgress, signal));
  }

  /**
   * Calls a function of the module with each part of two arrays, cut along their first dimension:
   * `method(input, output, from)`, where `from` is the first index of the part. Workers read and write in
   * place; nothing is copied.
   *
   * If a worker dies, its part is done once more, so the function must not read its input from where it writes
   * its output.
   * @throws `ERR_OUT_OF_RANGE` if an array has no dimension or the two have different lengths;
   * `ERR_INVALID_ARG_TYPE`; `ERR_SHM_CLOSED`; otherwise as `map`.
   */
  async mapArray(
    method: AnyName<Module> | NameOf<Module, CallOfParts>,
    input: SharedArray,
    output: SharedArray,
    options?: MapOptions,
  ): Promise<void> {
    this.#check(method);
    const rows = rowsOf(input, output);
    const { chunk, onProgress, signal } = checkMapOptions(options);
    const bounds = partsOf(rows, this.#workers, chunk);
    const opened: SharedArray[] = [];
    function* cut(): Generator<unknown[]> {
      for (const [index, to] of bounds.slice(1).entries()) {
        const from = bounds[index]!;
        const part = [input.slice([from, to]), output.slice([from, to])];
        opened.push(...part);
        yield [...part, from];
      }
    }
    try {
      await this.#track(this.#map(method, cut(), 1, rows, onProgress, signal, bounds));
    } catch (error) {
      throw inRows(error, bounds);
    } finally {
      for (const part of opened) part.close();
    }
  }

  /**
   * Takes no more calls, waits for the running ones, and ends the workers. A worker that has not ended after 5
   * seconds is killed. Idempotent.
   */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  /**
   * Takes no more calls, makes all calls fail with `ERR_SHM_CLOSED`, and kills the workers. Resolves when they
   * are dead and what only they owned is unlinked. Idempotent; a pending `close()` resolves as well.
   */
  terminate(): Promise<void> {
    return (this.#terminating ??= this.#terminate());
  }

  /** Calls `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #run(method: string, encoded: EncodedMessage): Promise<unknown> {
    const { ok, value } = await this.#do({ method, encoded, each: false, wanted: () => true }, 1);
    if (!ok) throw value;
    return value;
  }

  async #map(
    method: string,
    items: Iterable<unknown>,
    size: number,
    count: number | undefined,
    onProgress: MapOptions['onProgress'],
    signal: AbortSignal | undefined,
    /** Of `mapArray`: each item has the arguments of a part, and these are its rows. */
    parts?: readonly number[],
  ): Promise<unknown[]> {
    const outcomes: Outcome[] = [];
    const stops = new Set<() => void>();
    let wanted = true;
    let taken = 0;
    let done = 0;

    const attempt = async (chunk: Chunk): Promise<readonly unknown[]> => {
      const { from } = chunk;
      const encoded = packItems(this.#program, method, chunk);
      const job: Job = { method, encoded, each: parts === undefined ? true : 'spread', wanted: () => wanted };
      const to = from + chunk.items.length;
      const outcome = await this.#do(job, 2, { from, to }, stops);
      if (!wanted) {
        this.#discard(outcome);
        return [];
      }
      if (!outcome.ok) throw withItem(outcome.value, from, outcome.item);
      if (outcome.opened.length > 0) outcomes.push(outcome);
      done += parts === undefined ? to - from : parts[to]! - parts[from]!;
      if (to > from) onProgress?.(done, count ?? taken);
      return outcome.value as unknown[];
    };
    // No item is taken for a function that there is not; parts of arrays nobody misses.
    const checked =
      parts !== undefined && count !== 0 ? undefined : this.#track(attempt({ from: 0, items: [] }));
    async function* chunks(): AsyncGenerator<Chunk> {
      await checked;
      for (const chunk of chunksOf(items, size)) {
        taken += chunk.items.length;
        yield chunk;
      }
    }

    try {
      const mapped = await pMap(chunks(), (chunk) => this.#track(attempt(chunk)), {
        concurrency: this.#workers,
        ...(signal !== undefined && { signal }),
      });
      return mapped.flat();
    } catch (error) {
      wanted = false;
      for (const stop of stops) stop();
      for (const outcome of outcomes) this.#discard(outcome);
      throw error;
    }
  }

  /** Has a worker do it, and if that one dies another one, up to so many `tries`. */
  async #do(
    job: Job,
    tries: number,
    items?: { from: number; to: number },
    stops?: Set<() => void>,
  ): Promise<Outcome> {
    return this.#limit(async () => {
      for (let begun = 0, unbegun = 0; ;) {
        if (this.#terminating !== undefined) throw terminatedError();
        if (!job.wanted()) return { ok: true, value: undefined, opened: [], adopted: [], item: undefined };
        const worker = this.#worker();
        const { fresh } = worker;
        const stop = (): void => worker.stop();
        stops?.add(stop);
        try {
          const outcome = await worker.do(job);
          if (worker.usable) this.#idle.push(worker);
          else await worker.end();
          return outcome;
        } catch (error) {
          if (!(error instanceof Died)) throw error;
          if (error.begun) begun++;
          else if (fresh) unbegun++; // of the others there are only so many
          if (begun >= tries || unbegun >= UNBEGUN) throw workerDied(error, job.method, items);
        } finally {
          stops?.delete(stop);
        }
      }
    });
  }

  /** One that has nothing to do. */
  #worker(): WorkerProcess {
    for (let idle; (idle = this.#idle.pop()) !== undefined;) if (idle.usable) return idle;
    const worker = new WorkerProcess(this.#program);
    this.#alive.add(worker);
    void worker.gone.then(() => this.#alive.delete(worker));
    return worker;
  }

  async #close(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
    await Promise.all([...this.#alive].map((worker) => worker.end()));
    await this.#terminating;
    this.#unlinkUnclaimed();
  }

  async #terminate(): Promise<void> {
    const workers = [...this.#alive];
    await Promise.all(workers.map((worker) => worker.kill(terminatedError())));
    this.#unlinkUnclaimed();
    if (workers.length === 0) return;
    try {
      collectGarbage();
    } catch {
      // somebody else is at it, or the tracker does it
    }
  }

  /** Lets go of a result that nobody gets. */
  #discard({ opened, adopted }: Outcome): void {
    for (const object of opened) object.close();
    this.#unclaimed.push(...adopted);
  }

  /** When the workers are dead. What somebody else owns as well stays. */
  #unlinkUnclaimed(): void {
    if (this.#unclaimed.length === 0) return;
    try {
      const known = new Map(segments().map(({ name, owners }) => [name, owners]));
      for (const object of this.#unclaimed.splice(0)) {
        const owners = known.get(object.name);
        if (owners?.every((pid) => pid === process.pid)) discard(object);
      }
    } catch {
      // it goes with this process
    }
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work);
    const end = (): void => void this.#running.delete(work);
    work.then(end, end);
    return work;
  }

  #check(method: unknown): void {
    if (typeof method !== 'string') throw wrongType('method', 'the name of a function', method);
    if (this.#terminating !== undefined) throw terminatedError();
    if (this.#closing !== undefined) throw shmError('ERR_SHM_CLOSED', 'the pool is closed');
  }
}

function terminatedError(): Error {
  return shmError('ERR_SHM_CLOSED', 'the pool was terminated');
}

function checkMapOptions(options: MapOptions | undefined): MapOptions {
  const given = checkOptions(options, ['chunk', 'onProgress', 'signal']);
  const { chunk, onProgress, signal } = given;
  if (chunk !== undefined) checkCount('chunk', chunk);
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw wrongType('onProgress', 'a function', onProgress);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw wrongType('signal', 'an AbortSignal', signal);
  }
  signal?.throwIfAborted();
  return given;
}

/** Where the parts of so many rows begin, and the last one ends. */
function partsOf(rows: number, workers: number, chunk: number | undefined): number[] {
  const size = chunk ?? Math.max(1, Math.ceil(rows / (workers * ROUNDS)));
  const bounds = [0];
  for (let from = 0; from < rows;) {
    const isFirst = chunk === undefined && bounds.length <= workers;
    from = Math.min(rows, from + (isFirst ? Math.max(size, Math.ceil((rows * AT_ONCE) / workers)) : size));
    bounds.push(from);
  }
  return bounds;
}

/** An error that counts parts, as one that counts indexes. */
function inRows(error: unknown, bounds: readonly number[]): unknown {
  const told = error as { item?: unknown; items?: { from: number; to: number } } | undefined;
  if (typeof told?.item === 'number') told.item = bounds[told.item];
  if (typeof told?.items === 'object') {
    const { from, to } = told.items;
    told.items = { from: bounds[from]!, to: bounds[to]! };
  }
  return error;
}

/** How long the first dimension of both is. */
function rowsOf(input: unknown, output: unknown): number {
  const [rows, others] = [input, output].map((array, index) => {
    const what = index === 0 ? 'the input' : 'the output';
    if (!(array instanceof SharedArray)) throw wrongType(what, 'a SharedArray', array);
    if (array.closed) throw closedError(array.name);
    if (array.ndim === 0) throw outOfRange(`${what}'s shape`, 'of one dimension or more', '[]');
    return array.shape[0]!;
  }) as [number, number];
  if (rows !== others) throw outOfRange("the output's first dimension", `${rows}, as the input's`, others);
  return rows;
}

function checkModule(module: unknown): string {
  const isUrl = module instanceof URL || (typeof module === 'string' && /^file:/i.test(module));
  if (isUrl) {
    const { protocol, href } = new URL(module);
    if (protocol === 'file:') return href;
  }
  if (!isUrl && typeof module === 'string' && module !== '') return pathToFileURL(path.resolve(module)).href;
  throw wrongType('module', "a path or a 'file:' URL", module);
}

function programOf(url: string, python: unknown): Program {
  if (python !== undefined && (typeof python !== 'string' || python === '')) {
    throw wrongType('python', 'the path of a Python', python);
  }
  if (url.endsWith('.py')) return pythonProgram(python ?? 'python3', url);
  if (python !== undefined) throw outOfRange('python', 'given for a module in Python (.py) alone', python);
  return nodeProgram(url);
}

/** How many items there are, where that is known before. */
function countOf(items: Iterable<unknown>): number | undefined {
  if (Array.isArray(items)) return items.length;
  if (items instanceof Map || items instanceof Set) return items.size;
  if (ArrayBuffer.isView(items) && 'length' in items) return items.length as number;
  return undefined;
}

function* chunksOf(all: Iterable<unknown>, size: number): Generator<Chunk> {
  let from = 0;
  let items: unknown[] = [];
  for (const item of all) {
    items.push(item);
    if (items.length < size) continue;
    yield { from, items };
    from += size;
    items = [];
  }
  if (items.length > 0) yield { from, items };
}

function packItems({ pack }: Program, method: string, { from, items }: Chunk): EncodedMessage {
  const what = `an item for '${method}'`;
  try {
    return pack(items, what);
  } catch (error) {
    for (const [index, item] of items.entries()) {
      try {
        pack(item, what);
      } catch (itsOwn) {
        throw withItem(itsOwn, from, index);
      }
    }
    throw error;
  }
}

/** An error that says which item it is about. */
function withItem(error: unknown, from: number, index: number | undefined): unknown {
  if (index === undefined || !(error instanceof Error)) return error;
  Object.defineProperty(error, 'item', {
    value: from + index,
    enumerable: true,
    writable: true,
    configurable: true,
  });
  return error;
}
