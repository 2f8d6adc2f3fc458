/** What the workers of the pool's tests do. TypeScript, so that a worker has its parent's loader. */
import { setTimeout as sleep } from 'node:timers/promises';

import { attach, ShareableList, SharedEvent, SharedMemory, SharedMutex } from 'shmkit';
import type { SharedBroadcast, SharedQueue } from 'shmkit';

export const notAFunction = 42;

export const echo = (...args: unknown[]): unknown => args;
export const pid = (): number => process.pid;
export const double = (n: number): number => n * 2;
export async function doubleLater(n: number): Promise<number> {
  await sleep(n % 3);
  return n * 2;
}

export class TeaError extends TypeError {
  override readonly name = 'TeaError';
  readonly code = 'ETEA';
  readonly details = { cups: 3n, at: new Date(0), sugar: () => undefined };
}

export function fail(message: string): never {
  throw new TypeError(message, {
    cause: Object.assign(new RangeError('the cause'), { code: 'ECAUSE', list: new Set([1]) }),
  });
}
export function failOddly(): never {
  throw new TeaError('no tea');
}
export function throwText(): never {
  throw 'just text'; // eslint-disable-line no-throw-literal
}
export function failAt(n: number, bad: number): number {
  if (n === bad) throw Object.assign(new Error(`not ${n}`), { code: 'ENOT' });
  return n;
}
export const failAtSeven = (n: number): number => failAt(n, 7);
export const unsendable = (): unknown => ({ deep: [() => undefined] });

export function exit(code: number): void {
  process.exit(code);
}
export function killMe(): void {
  process.kill(process.pid, 'SIGKILL');
}
export function crashLater(): Promise<never> {
  setImmediate(() => {
    throw new Error('on purpose, outside of any call');
  });
  return new Promise(() => undefined);
}

/** Adds 1 to each of the counters, and dies at `item` the first `times` times that anybody comes to it. */
export function dieAt([item, bad, times, seen]: [number, number, number, SharedMemory]): number {
  const counters = new Int32Array(seen.buffer);
  const before = Atomics.add(counters, item, 1);
  if (item === bad && before < times) process.kill(process.pid, 'SIGKILL');
  return item;
}

export function fill(shm: SharedMemory, byte: number): number {
  shm.buf.fill(byte);
  return shm.size;
}

/** What of each kind there is, anywhere in the arguments. */
export function inspect(found: {
  memory: SharedMemory[];
  byName: Map<string, SharedMutex | ShareableList>;
  events: Set<SharedEvent>;
}): unknown {
  const [first, second] = found.memory;
  const list = found.byName.get('list') as ShareableList;
  const mutex = found.byName.get('mutex') as SharedMutex;
  const [event] = found.events;
  using guard = mutex.tryLock();
  event!.set();
  return {
    same: first === second,
    text: first!.buf.toString('latin1', 0, 5),
    items: list.toArray(),
    had: !!guard,
  };
}

let kept: SharedMemory | undefined;
export function keep(shm: SharedMemory): void {
  kept = shm;
}
export const isKeptClosed = (): boolean | undefined => kept?.closed;

export function make(byte: number, options: { track?: boolean; name?: string } = {}): SharedMemory {
  kept = SharedMemory.create(64, options);
  kept.buf.fill(byte);
  return kept;
}
export const makeMany = (): unknown => ({
  memory: make(1),
  list: ShareableList.create([1, 'two']),
  mutex: SharedMutex.createOrAttach(`shmkit-test-pool-mutex-${process.pid}`),
});
/** Made, sent, and dead before anybody can have taken it over: as the parent sees it, the answer is there first. */
export function makeAndDie(): SharedMemory {
  const shm = make(9);
  queueMicrotask(() => setImmediate(() => process.kill(process.pid, 'SIGKILL')));
  return shm;
}
export const attachTo = (name: string): SharedMemory => SharedMemory.attach(name);
export const giveBack = (shm: SharedMemory): unknown => ({ again: [shm, shm] });

/** Says that it is there, and waits until it may go on. */
export async function hold(inside: SharedEvent, goOn: SharedEvent): Promise<string> {
  inside.set();
  await goOn.wait();
  return 'went on';
}
export async function holdEach([counters, goOn, item]: [SharedMemory, SharedEvent, number]): Promise<number> {
  Atomics.add(new Int32Array(counters.buffer), 0, 1);
  await goOn.wait();
  return item;
}
export function busyFor([counters, ms]: [SharedMemory, number]): void {
  Atomics.add(new Int32Array(counters.buffer), 0, 1);
  const end = performance.now() + ms;
  while (performance.now() < end);
}
/** Says that it is there, and never comes back. */
export function hang(inside: SharedEvent): never {
  inside.set();
  for (;;);
}
/** Is an owner of the segment of this name, and gives it back, or hangs. */
export function ownOrHang({ name, inside }: { name: string; inside?: SharedEvent }): SharedMemory {
  const shm = SharedMemory.createOrAttach(name, 64);
  return inside === undefined ? shm : hang(inside);
}
export function neverEnd(): number {
  process.on('exit', () => {
    for (;;);
  });
  return process.pid;
}
export const reattach = (shm: SharedMemory): SharedMemory => attach(shm.toJSON()) as SharedMemory;
export function answer(queue: SharedQueue<'float64'>): void {
  queue.pushSync(queue.popSync()!.map((question) => question + 1));
}

export function announce(broadcast: SharedBroadcast<'float64'>, value: number): void {
  broadcast.publishSync(Float64Array.of(value));
}
