import { setImmediate as turn } from 'node:timers/promises';

import { checkCount, checkOptions } from '../common/arguments.js';
import { checkSignal } from '../sync/waits.js';
import type { WaitOptions } from '../sync/waits.js';

/** Options of `batches()`. */
export interface BatchOptions {
  /** Number of items in a batch at most. Default 256. */
  max?: number;
  /** Ends the iteration with its reason. Default: none. */
  signal?: AbortSignal;
}

/** @internal Where items come from. */
export interface Stream<T> {
  /** The next one that is there, unless somebody waits who goes first. */
  tryNext(): T | undefined;
  /** Undefined once no more come. */
  next(options?: WaitOptions): Promise<T | undefined>;
}

const BATCH = 256;
/** After so many items without a wait the event loop has its turn. */
const GREEDY = 1024;

/** @internal */
export function checkBatches(options?: BatchOptions): { max: number; signal: AbortSignal | undefined } {
  const { max, signal } = checkOptions(options, ['max', 'signal']);
  return { max: max === undefined ? BATCH : checkCount('max', max), signal: checkSignal(signal) };
}

/** @internal */
export async function* batchesOf<T>(
  stream: Stream<T>,
  options?: BatchOptions,
): AsyncGenerator<T[], void, undefined> {
  const { max, signal } = checkBatches(options);
  for (let taken = 0; ;) {
    signal?.throwIfAborted();
    const first = await stream.next(signal && { signal });
    if (first === undefined) return;
    const batch: T[] = [first];
    for (let next: T | undefined; batch.length < max && (next = stream.tryNext()) !== undefined;)
      batch.push(next);
    taken += batch.length;
    yield batch;
    if (taken >= GREEDY) {
      taken = 0;
      await turn();
    }
  }
}

/** @internal */
export async function* itemsOf<T>(stream: Stream<T>): AsyncGenerator<T, void, undefined> {
  for (let taken = 1; ; taken++) {
    const item = stream.tryNext() ?? (await stream.next());
    if (item === undefined) return;
    yield item;
    if (taken % GREEDY === 0) await turn();
  }
}
