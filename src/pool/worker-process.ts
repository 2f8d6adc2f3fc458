/**
 * One worker process, as its pool has it. It is ours and not a pool library's: with those (tinypool, workerpool) a call
 * hangs or is lost when a worker is killed at the wrong moment, nobody learns how it ended, and a result cannot be taken
 * over before its worker goes on.
 */
import type { ChildProcess } from 'node:child_process';

import { owns } from '#binding';
import { attach } from '../attach.js';
import { shmError } from '../common/errors.js';
import type { ShmError } from '../common/errors.js';
import type { SharedObject } from '../common/shared-object.js';
import type { Answer, Order, Report } from './messages.js';
import type { EncodedMessage } from './message-codec.js';
import type { Program } from './program.js';

/** What one call is. */
export interface Job {
  readonly method: string;
  /** The arguments, or with `each` the items. */
  readonly encoded: EncodedMessage;
  readonly each: boolean | 'spread';
  /** Whether anybody still wants it. */
  readonly wanted: () => boolean;
}

/** What became of a job, if its worker lived. */
export interface Outcome {
  readonly ok: boolean;
  /** The result, or what was thrown. Undefined where nobody wants it. */
  readonly value: unknown;
  /** Handles that were opened for it. */
  readonly opened: readonly SharedObject[];
  /** Those of them that this process owns because of it alone. */
  readonly adopted: readonly SharedObject[];
  /** Which of the items failed. */
  readonly item: number | undefined;
}

/** How a process ended. */
export interface Death {
  readonly pid: number | undefined;
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** It could not be started. */
  readonly cause?: unknown;
  /** What was started. */
  readonly interpreter: string;
}

/** A worker's death is what a call rejects with, and nothing that anybody throws. */
export class Died {
  /** The function may have had effects. */
  readonly begun: boolean;
  readonly death: Death;

  constructor(begun: boolean, death: Death) {
    this.begun = begun;
    this.death = death;
  }
}

/** The error of a call whose worker process died. What it was working on is lost. */
export interface WorkerDiedError extends ShmError {
  /** The code of this error. */
  code: 'ERR_SHM_WORKER_DIED';
  /** The function that was called. */
  method: string;
  /** Of a `map`: the worker was at one of the items `from` to `to - 1`. */
  items?: {
    /** Index of the first item. */
    from: number;
    /** Index after the last item. */
    to: number;
  };
  /** The worker's process id; missing if it could not be started. */
  pid?: number;
  /** The worker's exit code; null if a signal ended it or it could not be started. */
  exitCode: number | null;
  /** The signal that ended the worker; null if it exited or could not be started. */
  signal: NodeJS.Signals | null;
}

/** How long a worker that is told to end may take, with its `exit` handlers and all. */
const GRACE = 5000;
/** How long what a dead worker sent may take to be read, if somebody else keeps its channel open. */
const REST = 1000;

interface Task {
  readonly id: number;
  readonly job: Job;
  begun: boolean;
  settle: (outcome: Outcome) => void;
  fail: (why: Died | Error) => void;
}

/** A process that does one job at a time. It keeps ours alive only while it has one. */
export class WorkerProcess {
  /** Resolves when it is dead, however it died, and all that it sent is read. Never rejects. */
  readonly gone: Promise<Death>;
  readonly #program: Program;
  readonly #child: ChildProcess;
  #death: Death | undefined;
  #task: Task | undefined;
  #lastId = 0;
  #useless = false;
  #killed = false;
  #pong: (() => void) | undefined;

  constructor(program: Program) {
    this.#program = program;
    this.#child = program.start();
    this.#child.on('message', (report: Report) => this.#hear(report));
    this.gone = deathOf(this.#child).then((death) => {
      this.#death = death;
      this.#pong?.();
      this.#task?.fail(new Died(this.#task.begun, death));
      return death;
    });
    this.#hold(false);
  }

  /** Whether it can be given another job. */
  get usable(): boolean {
    return !this.#useless && this.#death === undefined && this.#child.connected;
  }

  /** Whether it was given none yet. */
  get fresh(): boolean {
    return this.#lastId === 0;
  }

  /** @throws `Died`, or what it is killed with. */
  async do(job: Job): Promise<Outcome> {
    if (this.#death !== undefined) throw new Died(false, this.#death);
    const id = ++this.#lastId;
    this.#hold(true);
    try {
      return await new Promise((settle, fail) => {
        this.#task = { id, job, begun: false, settle, fail };
        const { method, encoded, each } = job;
        this.#tell({ shmkit: 'call', id, method, each, encoded: encoded.bytes });
      });
    } finally {
      this.#task = undefined;
      this.#hold(this.#killed);
    }
  }

  /** Nobody wants the job any more: it ends after the item that it is at. */
  stop(): void {
    if (this.#task !== undefined) this.#tell({ shmkit: 'stop', id: this.#task.id });
  }

  /** Ends the process. */
  async end(): Promise<void> {
    if (this.#death !== undefined) return;
    this.#hold(true);
    if (this.#child.connected) this.#child.disconnect();
    const killer = setTimeout(() => this.#child.kill('SIGKILL'), GRACE);
    await this.gone;
    clearTimeout(killer);
  }

  /** Ends the process whatever it is at. Its job fails with this at once. */
  async kill(why: Error): Promise<void> {
    this.#killed = true;
    this.#task?.fail(why);
    this.#hold(true);
    this.#child.kill('SIGKILL');
    await this.gone;
    this.#hold(false); // a process that the worker has forked may keep the channel open
  }

  #hear(report: Report): void {
    switch (report?.shmkit) {
      case 'began':
        if (this.#task?.id === report.id) this.#task.begun = true;
        return;
      case 'answer':
        return void this.#take(report);
      case 'pong':
        return this.#pong?.();
    }
  }

  /** Takes over what an answer holds, and then has the worker let go of it. */
  async #take(answer: Answer): Promise<void> {
    const task = this.#task;
    if (task === undefined || task.id !== answer.id) return;
    const { ok, item, useless } = answer;
    this.#useless = useless;
    const opened: SharedObject[] = [];
    const adopted: SharedObject[] = [];
    let value: unknown;
    let failure: { error: unknown } | undefined;
    if (task.job.wanted()) {
      try {
        value = this.#program.unpack(answer.encoded, (sent) => {
          if (typeof sent === 'number') return task.job.encoded.objects[sent]!;
          const object = attach(sent.descriptor, { foreign: true });
          opened.push(object);
          if (sent.owned) {
            if (!owns(String(object.toJSON().id))) adopted.push(object);
            object.adopt();
          }
          return object;
        });
      } catch (error) {
        for (const object of opened.splice(0)) object.close();
        failure = { error };
      }
    }
    if (answer.holds) this.#tell({ shmkit: 'taken' });
    if (failure === undefined) return task.settle({ ok, value, opened, adopted, item });
    // What it made went with it, if it died before we were an owner: then that is what to tell.
    if (await this.#lives()) task.settle({ ok: false, value: failure.error, opened, adopted, item });
  }

  /** Whether it is alive still; a death is told first. */
  async #lives(): Promise<boolean> {
    await new Promise<void>((resolve) => {
      this.#pong = resolve;
      this.#tell({ shmkit: 'ping' });
    });
    this.#pong = undefined;
    return this.#death === undefined;
  }

  #tell(order: Order): void {
    if (this.#child.connected) this.#child.send(order, () => undefined); // who cannot hear it is about to be dead
  }

  /** Whether our process waits for it. */
  #hold(on: boolean): void {
    for (const handle of [this.#child, this.#child.channel]) {
      if (on) handle?.ref();
      else handle?.unref();
    }
  }
}

/** How a process ends: once it has, and its last words are read. */
async function deathOf(child: ChildProcess): Promise<Death> {
  return new Promise((resolve) => {
    const die = (exitCode: number | null, signal: NodeJS.Signals | null, cause?: unknown): void =>
      resolve({
        pid: child.pid,
        exitCode,
        signal,
        ...(cause !== undefined && { cause }),
        interpreter: child.spawnfile,
      });
    child.on('error', (error) => {
      if (child.pid === undefined) die(null, null, error);
    });
    child.once('exit', (exitCode, signal) => {
      if (!child.connected) return die(exitCode, signal);
      const rest = setTimeout(() => die(exitCode, signal), REST);
      child.once('disconnect', () => {
        clearTimeout(rest);
        die(exitCode, signal);
      });
    });
  });
}

/** What to tell of a worker's death. */
export function workerDied(
  { begun, death: { pid, exitCode, signal, cause, interpreter } }: Died,
  method: string,
  items?: { from: number; to: number },
): Error {
  const how =
    cause !== undefined
      ? `'${interpreter}' could not be started: ${cause instanceof Error ? cause.message : String(cause)}`
      : `${pid}${begun ? '' : ` of '${interpreter}'`} died (${signal ?? `exit code ${exitCode}`})`;
  const what = items === undefined ? `'${method}'` : `'${method}', items ${items.from} to ${items.to - 1}`;
  return Object.assign(shmError('ERR_SHM_WORKER_DIED', `worker process ${how} at ${what}`), {
    method,
    exitCode,
    signal,
    ...(pid !== undefined && { pid }),
    ...(items !== undefined && { items }),
    ...(cause !== undefined && { cause }),
  });
}
