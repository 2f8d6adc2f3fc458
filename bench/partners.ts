/** Processes that do something with each other, and are asked how long it took. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

import type { Cleanup } from './cleanup.js';

/** The watchdog: all are ended when one has not answered. A run takes a fraction of a second. */
const WITHIN = 30_000;

/** One that is told what it does; it ends with the row. */
export function startPartner(cleanup: Cleanup, program: URL, what: object): ChildProcess {
  const child = fork(program, [JSON.stringify(what)], { execArgv: [] });
  // Of one that died before it was told to begin; whoever waits for it sees that it did.
  child.on('error', () => {});
  cleanup.defer(async () => {
    if (hasEnded(child)) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL'); // it may block
    await exited;
  });
  return child;
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** The next message. */
export function answer(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void) => {
      clearTimeout(timer);
      child.off('message', onMessage).off('exit', onExit);
      settle();
    };
    const onMessage = (message: unknown) => done(() => resolve(message));
    const onExit = (code: number | null, signal: string | null) =>
      done(() => reject(new Error(`one of two processes ended: ${signal ?? code}`)));
    const timer = setTimeout(() => done(() => reject(new Error('one of two processes hangs'))), WITHIN);
    child.on('message', onMessage).on('exit', onExit);
    if (hasEnded(child)) onExit(child.exitCode, child.signalCode);
  });
}
