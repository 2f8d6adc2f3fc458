/** Waiting for conditions, with a watchdog that says what did not happen. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds after which a wait counts as hung. Nothing that the tests wait for takes a tenth of it. */
export const WATCHDOG = 30_000;

/** The promise's value; fails if it is not settled in time. */
export async function within<T>(
  what: string | (() => string),
  promise: Promise<T>,
  limit = WATCHDOG,
): Promise<T> {
  let watchdog: NodeJS.Timeout | undefined;
  const hung = new Promise<never>((_, reject) => {
    watchdog = setTimeout(() => {
      reject(new Error(`${typeof what === 'string' ? what : what()}: not within ${limit / 1000} s`));
    }, limit);
  });
  try {
    return await Promise.race([promise, hung]);
  } finally {
    clearTimeout(watchdog);
  }
}

/**
 * Polls until the condition holds; fails if it does not hold in time. The pauses, in milliseconds, grow to 16, as what is
 * waited for needs the processor too.
 */
export async function until(
  what: string | (() => string),
  condition: () => boolean,
  { interval = undefined as number | undefined, limit = WATCHDOG } = {},
): Promise<void> {
  let pause = interval ?? 1;
  for (const end = performance.now() + limit; !condition(); await sleep(pause)) {
    if (performance.now() > end)
      throw new Error(`${typeof what === 'string' ? what : what()}: not within ${limit / 1000} s`);
    if (interval === undefined && pause < 16) pause *= 2;
  }
}

/** The state letters of a process's threads, as in `ps`: R runs, S sleeps, T is stopped. Empty if it is gone. */
export function threadStates(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(
      (tid) => /\) (\S) /.exec(readFileSync(`/proc/${pid}/task/${tid}/stat`, 'latin1'))?.[1] ?? '?',
    );
  } catch {
    return [];
  }
}

/** Waits until the main thread of another process sleeps, as it does once it blocks. */
export async function untilAsleep(pid: number): Promise<void> {
  await until(`process ${pid} sleeps`, () => threadStates(pid)[0] === 'S');
}

/** Waits until a process that was sent SIGSTOP is stopped. */
export async function untilStopped(pid: number): Promise<void> {
  await until(`process ${pid} is stopped`, () => threadStates(pid)[0] === 'T', { interval: 0 });
}
