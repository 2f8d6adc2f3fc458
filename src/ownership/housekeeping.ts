import { isMainThread } from 'node:worker_threads';

import * as binding from '#binding';

import { checkBoolean, checkName, checkOptions } from '../common/arguments.js';
import { outOfRange, wrongType } from '../common/errors.js';

/** A segment, as every process of its user can see it. */
export interface SegmentInfo {
  name: string;
  /** Bytes. */
  size: number;
  /** What its bytes look like. */
  kind: 'memory' | 'list' | 'dict' | 'array' | 'queue' | 'broadcast' | 'lock';
  /** Ids of the live processes that own it; 0 stands for one in another PID namespace. */
  owners: number[];
  /** Ids of the processes that have it open or mapped, as far as this user can see; Python's too. */
  attached: number[];
  /** Its owners are all dead. Or Python drew its name, and nobody has it open. */
  leaked: boolean;
  /** The id of the user that it belongs to. */
  uid: number;
  /** Permission bits. */
  mode: number;
  created: Date;
}

/** What `collectGarbage` removes. */
export interface CollectOptions {
  /** Say what would be removed, and remove nothing. Default false. */
  dryRun?: boolean;
  /** Also what Python's processes seem to have left: segments of their naming that nobody has open. Default false. */
  python?: boolean;
}

/** How to reach the resource tracker of a Python parent. */
export interface PythonTrackerOptions {
  /**
   * The file descriptor of the pipe that the parent lets this process inherit:
   * `multiprocessing.resource_tracker.getfd()`. It is duplicated.
   */
  fd: number;
  /**
   * The format in which CPython writes to it. All versions understand `colon`, for ASCII names without a colon; 3.13.10,
   * 3.14.1 and later understand `json`, for any name. Default `colon`.
   */
  format?: 'colon' | 'json';
}

/** Every segment of the system, whoever made it, by name. */
export function segments(): SegmentInfo[] {
  return binding.listSegments().map((facts) => ({
    ...facts,
    kind: facts.kind as SegmentInfo['kind'],
    created: new Date(facts.created),
  }));
}

/** A lock or an event, as it can be seen without taking part in it. Processes are those of its participants' own. */
export interface LockState {
  /** A `SharedMutex`, a `SharedEvent`, or the lock beside a segment (`NAME.lk`). */
  what: 'mutex' | 'event' | 'sidecar';
  /** Of an event. */
  set: boolean;
  /** The process that has the lock, alone; 0 where nobody knows which. */
  holder: number | null;
  /** That one is dead: the next who wants the lock gets it. */
  holderDied: boolean;
  /** The processes that read. */
  readers: number[];
  /** Somebody waits, or did until a moment ago. */
  awaited: boolean;
  /** The last one who wrote died or failed, and the next is to be told. */
  inconsistent: boolean;
  /** The processes that have it open, once for each thread that does. */
  participants: number[];
}

/**
 * How a lock or an event stands at this moment, without taking part in it.
 * @throws `ENOENT`, `ERR_SHM_NOT_A_LOCK`, `ERR_SHM_VERSION`, `EACCES`.
 */
export function lockState(name: string): LockState {
  const { what, held, holder, ...state } = binding.inspectLock(checkName(name));
  return { what: what as LockState['what'], holder: held ? holder : null, ...state };
}

/**
 * Unlinks what dead owners left, and returns the names. The resource tracker does so within 100 ms of a death; this
 * is for where there is none.
 * @throws `ERR_SHM_BUSY` where another process has been at it for seconds; `ERR_SHM_UNSAFE_LEDGERS` where others
 * can write to the directory that says who owns what.
 */
export function collectGarbage(options?: CollectOptions): string[] {
  const given = checkOptions(options, ['dryRun', 'python']);
  const dryRun = checkBoolean('dryRun', given.dryRun, false);
  return binding.collectSegments(dryRun, checkBoolean('python', given.python, false));
}

/**
 * Removes the name of a segment that no handle is open for, whoever made it. Whoever is attached stays attached.
 * @throws `ENOENT`, `EPERM` or `EACCES` (another user's), `ERR_SHM_NOT_A_SEGMENT`, `ERR_SHM_NAME`.
 */
export function unlink(name: string): void {
  binding.unlinkName(checkName(name));
}

/**
 * Tells the resource tracker of a Python parent what this process creates, adopts and unlinks from now on, so that
 * it neither removes a segment that was handed over nor complains about one that is gone.
 *
 * @throws `EBADF`; `ERR_INVALID_ARG_VALUE` if `fd` is not a pipe that can be written to.
 */
export function joinPythonTracker(options: PythonTrackerOptions): void {
  if (options === undefined) throw wrongType('options', 'an object with the number fd', options);
  const { fd, format = 'colon' } = checkOptions(options, ['fd', 'format']);
  if (typeof fd !== 'number') throw wrongType('fd', 'a number', fd);
  if (!Number.isInteger(fd) || fd < 0 || fd > 0x7fffffff)
    throw outOfRange('fd', 'an open file descriptor', fd);
  if (format !== 'colon' && format !== 'json') throw wrongType('format', "'colon' or 'json'", format);
  binding.joinPythonTracker(fd, format === 'json');
}

const warn = (why: string): void =>
  process.emitWarning(why, { type: 'ShmkitWarning', code: 'SHMKIT_TRACKING' });
binding.onTrackingTrouble(warn, isMainThread);

let asked = false;

/** @internal After a tracked creation: what is known at once must not wait for an event loop that may end first. */
export function warnWhereUntracked(): void {
  if (asked) return;
  asked = true;
  const why = binding.untrackedBecause();
  if (why !== null) warn(why);
}
