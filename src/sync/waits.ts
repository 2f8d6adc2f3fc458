import { availableParallelism } from 'node:os';
// Loaded before any script is ended in it: the global one is loaded where it is first used, and is gone for good then.
import { performance } from 'node:perf_hooks';

import * as binding from '#binding';
import { checkOptions } from '../common/arguments.js';
import { outOfRange, shmError, wrongType } from '../common/errors.js';

/** Options of a wait that does not block the thread. */
export interface WaitOptions {
  /** Milliseconds to wait before `ERR_SHM_TIMEOUT`; 0 does not wait. Default: no limit. */
  timeout?: number | undefined;
  /** Ends the wait, which rejects with the signal's reason. Default: none. */
  signal?: AbortSignal | undefined;
}

/** Options of a wait that blocks the thread. */
export interface SyncWaitOptions {
  /** Milliseconds to wait before `ERR_SHM_TIMEOUT`; 0 does not wait. Default: no limit. */
  timeout?: number | undefined;
  /**
   * Number of spins before the thread sleeps. A spin takes some nanoseconds, a sleep and a wake-up some 50 µs.
   * Default 2000, or 0 if there is only one CPU.
   */
  spin?: number | undefined;
}

/** @internal */
export const WAIT_OPTIONS = ['timeout', 'signal'];
/** @internal */
export const SYNC_WAIT_OPTIONS = ['timeout', 'spin'];

/** A thread sleeps for so many milliseconds at a time, so that a worker that is to end does. */
const { slice: SLICE } = binding.lockConstants();
const SPINS = availableParallelism() > 1 ? 2000 : 0;
/** After so many looks the other side may run that waits for this CPU, for so many milliseconds at most. */
const YIELD = 250;
const AWAY = 0.1;
/** After so many rounds of looks in vain only every so many-th is made. */
const VAIN = 3;
const SELDOM = 16;
/** Node's timers take no more. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** @internal Milliseconds, `Infinity` for none. */
export function checkTimeout(timeout: unknown): number {
  if (timeout === undefined) return Infinity;
  if (typeof timeout !== 'number') throw wrongType('timeout', 'a number of milliseconds', timeout);
  if (!(timeout >= 0)) throw outOfRange('timeout', '0 or more milliseconds', timeout);
  return timeout;
}

/** @internal How often to look; undefined to leave it to `Spinner`. */
export function checkSpin(spin: unknown): number | undefined {
  if (spin === undefined) return undefined;
  if (typeof spin !== 'number') throw wrongType('spin', 'a number of looks', spin);
  if (!(spin >= 0)) throw outOfRange('spin', '0 or more looks', spin);
  return spin;
}

/**
 * @internal
 * Whether to look around before going to sleep. It saves two orders of magnitude where the other side runs on another
 * CPU, and keeps it from running where both have only one: after some vain rounds it is tried now and then.
 */
export class Spinner {
  #vain = 0;

  /** Looks up to `spin` times, or as often as is worth it; whether one of them succeeded. */
  spin(spin: number | undefined, look: (count: number) => boolean): boolean {
    if (spin === undefined && this.#vain >= VAIN && ++this.#vain % SELDOM !== 0) return false;
    const most = spin ?? SPINS;
    for (let count = 1; count <= most; count++) {
      if (look(count)) {
        this.#vain = 0;
        return true;
      }
      if (count % YIELD === 0 && !gaveWay()) break;
    }
    this.#vain++;
    return false;
  }
}

/** Whether it did not take long. */
function gaveWay(): boolean {
  const began = performance.now();
  binding.yieldNow();
  return performance.now() - began < AWAY;
}

/** @internal */
export function checkSignal(signal: unknown): AbortSignal | undefined {
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw wrongType('signal', 'an AbortSignal', signal);
  }
  return signal;
}

/** @internal */
export function timeoutError(name: string, timeout: number): Error {
  const message = timeout === 0 ? `'${name}' is not to be had at once` : `waited ${timeout} ms for '${name}'`;
  return shmError('ERR_SHM_TIMEOUT', message, name);
}

/** @internal Sleeps by `slice`, which says undefined as long as it has to go on, until the time is over. */
export function block<T>(timeout: number, slice: (milliseconds: number) => T | undefined): T | undefined {
  const until = performance.now() + timeout;
  for (let left = timeout; left > 0; left = until - performance.now()) {
    // A call each, between which V8 can end the thread.
    const result = slice(Math.min(left, SLICE));
    if (result !== undefined) return result;
  }
  return undefined;
}

/**
 * @internal Blocks the thread until `look` succeeds: looks around first, and then sleeps by `sleep`, after which it looks
 * again.
 * @throws `ERR_SHM_TIMEOUT`
 */
export function blockFor(
  name: string,
  options: SyncWaitOptions | undefined,
  spinner: Spinner,
  look: () => boolean,
  sleep: (milliseconds: number) => void,
): void {
  const given = checkOptions(options, SYNC_WAIT_OPTIONS);
  const timeout = checkTimeout(given.timeout);
  const spin = checkSpin(given.spin);
  if (timeout > 0 && spinner.spin(spin, look)) return;
  const slice = (milliseconds: number): true | undefined => {
    sleep(milliseconds);
    return look() || undefined;
  };
  if (block(timeout, slice) === undefined) throw timeoutError(name, timeout);
}

/** Milliseconds after which one who is in the way is asked about. */
const SUSPECTED_AFTER = 30;

/** @internal Who is in the way of one who only tries: where, his word, and since when. */
export class Suspect {
  #at = 0;
  #word = 0;
  #since = 0;

  /** Whether it is the same one for so long that he should be asked about, now and then. */
  isDue(at: number, word: number): boolean {
    const now = performance.now();
    const known = this.#at === at && this.#word === word;
    if (known && now - this.#since < SUSPECTED_AFTER) return false;
    this.#at = at;
    this.#word = word;
    this.#since = now;
    return known;
  }
}

/** @internal */
export type WaiterThreads = ReturnType<typeof binding.createWaiterThreads>;

/** Waits that threads of the binding are at, by their numbers. */
const pending = new Map<number, () => void>();
let threads: WaiterThreads | undefined;
let last = 0;
/** Keeps the process alive while somebody waits, for others or for his own. */
let alive: NodeJS.Timeout | undefined;
let waiters = 0;

function keepAlive(change: 1 | -1): void {
  waiters += change;
  alive ??= setInterval(() => {}, LONGEST_TIMER);
  if (waiters > 0) alive.ref();
  else alive.unref();
}

function over(id: number): void {
  const done = pending.get(id);
  pending.delete(id); // one that was called off has gone already
  done?.();
}

/** @internal Waits without blocking: `done` is called once it is over, unless `settle` was called before. */
export function startWait(start: (threads: WaiterThreads, id: number) => void, done: () => void): number {
  threads ??= binding.createWaiterThreads(over);
  const id = (last = (last + 1) >>> 0);
  start(threads, id);
  pending.set(id, done);
  return id;
}

/** @internal Ends a wait: 0 where it was not over, else how it was, as `binding.tryLock` says it. */
export function settleWait(id: number): number {
  pending.delete(id);
  return binding.settleWait(threads as WaiterThreads, id);
}

/** Who is to be told when a signal aborts: one listener of it for all, or Node warns of a leak from the 11th on. */
const aborting = new WeakMap<AbortSignal, Set<() => void>>();

function onAbort(signal: AbortSignal, action: () => void): void {
  const known = aborting.get(signal);
  if (known !== undefined) return void known.add(action);
  const actions = new Set([action]);
  aborting.set(signal, actions);
  signal.addEventListener('abort', () => [...actions].forEach((each) => each()), { once: true });
}

/** @internal Somebody who waits, until one of: what is waited for, the time, the signal. */
export class Waiter<T> {
  readonly promise: Promise<T>;
  #resolve!: (value: T) => void;
  #reject!: (reason: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #signal: AbortSignal | undefined;
  #ended = false;
  readonly #abort = () => this.#callOff(this.#signal?.reason);
  readonly #calledOff: () => void;

  /** `calledOff` is called before it is rejected by the time or by the signal. */
  constructor(name: string, timeout: number, signal: AbortSignal | undefined, calledOff: () => void) {
    this.#calledOff = calledOff;
    keepAlive(1);
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (timeout <= LONGEST_TIMER) {
      this.#timer = setTimeout(() => this.#callOff(timeoutError(name, timeout)), timeout);
    }
    this.#signal = signal;
    if (signal !== undefined) onAbort(signal, this.#abort);
  }

  resolve(value: T): void {
    this.#end();
    this.#resolve(value);
  }

  reject(reason: unknown): void {
    this.#end();
    this.#reject(reason);
  }

  #callOff(reason: unknown): void {
    try {
      this.#calledOff();
    } catch {
      // What went wrong at the end of the wait is not what ended it.
    }
    this.reject(reason);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    keepAlive(-1);
    clearTimeout(this.#timer);
    if (this.#signal !== undefined) aborting.get(this.#signal)?.delete(this.#abort);
  }
}

/** @internal Options of a wait that does not block, checked. */
export function waitOptions(options: WaitOptions | undefined): {
  timeout: number;
  signal: AbortSignal | undefined;
} {
  const { timeout, signal } = checkOptions(options, WAIT_OPTIONS);
  return { timeout: checkTimeout(timeout), signal: checkSignal(signal) };
}
