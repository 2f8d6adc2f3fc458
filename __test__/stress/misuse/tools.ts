/** What the misuses share: expectations, and objects for one misuse. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { Worker } from 'node:worker_threads';

import { ShareableList, SharedArray, SharedMemory, SharedMutex, unlink } from 'shmkit';
import type { DType, ListItem, WaitOptions } from 'shmkit';

import { Random } from '../../fixtures/random.js';

/** What each does, by its name. */
export type Misuses = Readonly<Record<string, () => unknown>>;

export const seed = Number(process.argv[2]);
export const random = new Random(seed);
/** Whether it is root of the machine, and not only of a user namespace. */
export const isRoot =
  process.getuid?.() === 0 && fs.readFileSync('/proc/self/uid_map', 'utf8').includes('4294967295');
/** A descriptor that takes what is written. */
export const sink = fs.openSync('/dev/null', 'w');

/** A value that type checks would refuse. */
export const wrong = <T>(value: unknown): T => value as T;
/** One turn of the event loop. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
export const code = (error: unknown): unknown => (error as { code?: unknown }).code;

/** The call must throw an error with a code, or with one of those given. */
export function refused(call: () => unknown, ...codes: string[]): void {
  try {
    call();
  } catch (error) {
    if (codes.length > 0 ? codes.includes(String(code(error))) : code(error) !== undefined) return;
    throw error;
  }
  assert.fail(`not refused: ${call.toString()}`);
}

/** The call may succeed or throw an error with a code: the neighbour may have changed its segment. */
export function either(call: () => unknown): void {
  try {
    call();
  } catch (error) {
    if (typeof code(error) !== 'string') throw error;
  }
}

/** A segment for one misuse. */
export function segment<T>(use: (shm: SharedMemory) => T, size = 4096): T {
  const shm = SharedMemory.create(size, { reserve: random.below(2) === 0, populate: random.below(8) === 0 });
  try {
    return use(shm);
  } finally {
    shm.close();
    either(() => shm.unlink());
  }
}

const DTYPES: DType[] = ['int8', 'uint16', 'int32', 'uint64', 'float16', 'float32', 'float64', 'bool'];

/** An array for one misuse. */
export function array<T>(use: (a: SharedArray) => T): T {
  const shape = Array.from({ length: random.below(4) }, () => random.below(6));
  const [dtype, header] = [random.pick(DTYPES), random.pick(['npy', 'none'] as const)];
  const a: SharedArray = SharedArray.create(shape, { dtype, header, order: random.pick(['C', 'F']) });
  try {
    return use(a);
  } finally {
    a.close();
    either(() => a.unlink());
  }
}

/** The same as `either`, for a call that may return a promise. */
export async function eventually(call: () => unknown): Promise<void> {
  try {
    await call();
  } catch (error) {
    // A DOMException's code is a number.
    const { name } = error as Error;
    if (typeof code(error) !== 'string' && !['AbortError', 'DataCloneError', 'TimeoutError'].includes(name))
      throw error;
  }
}

/** A lock with one of three names, so that several handles have the same one. */
export function lockOf<T>(kind: { createOrAttach(name: string): T }, what: string): T {
  for (;;) {
    try {
      return kind.createOrAttach(`${what}-${random.below(3)}`);
    } catch (error) {
      // The neighbour has spoiled it.
      if (!['ERR_SHM_NOT_A_LOCK', 'ERR_SHM_VERSION'].includes(String(code(error)))) throw error;
      for (const n of [0, 1, 2]) either(() => unlink(`${what}-${n}`));
    }
  }
}
export const mutexOf = (): SharedMutex => lockOf(SharedMutex, 'mutex');

/** Options that end a wait soon. */
export function shortWait(): WaitOptions {
  return random.below(2) === 0
    ? { timeout: random.below(3) }
    : { signal: AbortSignal.timeout(random.below(3)) };
}

export const ITEMS: ListItem[] = [
  1,
  -1,
  2.5,
  true,
  false,
  null,
  'abc',
  'ünïcödé',
  'x'.repeat(300),
  2n ** 62n,
  new Uint8Array([1, 2, 3]),
];

/** A list for one misuse. */
export function list(use: (list: ShareableList) => void): void {
  const made = ShareableList.create(Array.from({ length: 1 + random.below(20) }, () => random.pick(ITEMS)));
  try {
    use(made);
  } finally {
    made.close();
    either(() => made.unlink());
  }
}

/** A file in /dev/shm that is not a valid segment. */
export function file(make: (path: string) => void, use: (name: string) => void): void {
  const name = `file-${process.pid}-${random.below(1e9)}`;
  const path = `/dev/shm/${name}`;
  make(path);
  try {
    use(name);
  } finally {
    fs.rmSync(path, { recursive: true });
  }
}

/** Every way to attach to a name. */
export const attempts = (name: string): Array<() => unknown> => [
  () => SharedMemory.attach(name),
  () => SharedMemory.attach(name, { readOnly: true }),
  () => ShareableList.attach(name),
];

/** A worker thread that has posted its first message. */
export async function worker(source: string): Promise<Worker> {
  const started = new Worker(
    `import('shmkit').then(async ({ SharedEvent, SharedMemory, SharedMutex, ShareableList }) => {
      const { parentPort } = await import('node:worker_threads');
      ${source}
    })`,
    { eval: true, execArgv: [] },
  );
  await new Promise((resolve, reject) => {
    started.once('message', resolve);
    started.once('error', reject);
  });
  return started;
}
