/** The processes of a command; a fault ends all of them and it, and so does whatever hangs. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

export type Child = ChildProcess & { readonly stdout: Readable };

/** What anything may take before it counts as hung. */
const WATCHDOG = 30_000;
const children = new Set<Child>();
let remove = (): void => undefined;
let describe = (): string => '';

/** What is to be removed after a fault, and what is to be said of something that hangs. */
export function atFault(removes: () => void, describes: () => string): void {
  [remove, describe] = [removes, describes];
}

export function faulty(why: string): never {
  console.error(why);
  for (const child of children) child.kill('SIGKILL');
  remove();
  process.exit(1);
}

export async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  const watchdog = setTimeout(() => faulty(`${what}: hangs; ${describe()}`), WATCHDOG);
  try {
    return await promise;
  } finally {
    clearTimeout(watchdog);
  }
}

/** Starts a script of this directory, and waits until it has said something; with `ipc` there is a channel to it. */
export async function start(script: string, args: readonly string[], ipc = false): Promise<Child> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], {
    stdio: ['ignore', 'pipe', 'inherit', ...(ipc ? (['ipc'] as const) : [])],
  }) as Child;
  children.add(child);
  child.once('exit', () => children.delete(child));
  await within('an actor that starts', Promise.race([once(child.stdout, 'data'), once(child, 'exit')]));
  return child;
}

/** Waits for its end; how it ended. */
export async function ended(child: Child, what: string): Promise<number | NodeJS.Signals | null> {
  if (child.exitCode === null && child.signalCode === null) await within(what, once(child, 'exit'));
  return child.exitCode ?? child.signalCode;
}
