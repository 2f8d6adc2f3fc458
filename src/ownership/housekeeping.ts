import { isMainThread } from 'node:worker_threads';

import * as binding from '#binding';

import { checkBoolean, checkName, checkOptions } from '../common/arguments.js';
import { outOfRange, wrongType } from '../common/errors.js';

/** A segment, as every process of its user can see it. */
export interface SegmentInfo {
  /** The segment's name, without a leading slash. */
  name: string;
  /** Size in bytes. */
  size: number;
  /** What its bytes look like. */
  kind: 'memory' | 'list' | 'dict' | 'array' | 'queue' | 'broadcast' | 'lock';
  /** Process ids of the live owners; 0 stands for a process in another PID namespace. */
  owners: number[];
  /** Ids of the processes that have it open or mapped, as far as this user can see; Python's too. */
  attached: number[];
  /** Whether all of its owners are dead, or Python chose its name and no process has it open. */
  leaked: boolean;
  /** Id of the user that it belongs to. */
  uid: number;
  /** POSIX permission bits. */
  mode: number;
  /** When it was created. */
  created: Date;
}

/** Options of `collectGarbage`. */
export interface CollectOptions {
  /** Only return what would be removed, and remove nothing. Default false. */
  dryRun?: boolean;
  /**
   * Also remove what Python's processes seem to have left: segments with Python's naming (`psm_…`) that no
   * process has open. Default false.
   */
  python?: boolean;
}

/** How to reach the resource tracker of a Python parent (`multiprocessing.resource_tracker`). */
export interface PythonTrackerOptions {
  /**
   * The file descriptor of the pipe that the parent lets this process inherit:
   * `multiprocessing.resource_tracker.getfd()`. It is duplicated.
   */
  fd: number;
  /**
   * The format in which CPython writes to the pipe. All versions understand `'colon'`, for ASCII names without
   * a colon. 3.13.10, 3.14.1 and later understand `'json'`, for any name. Default `'colon'`.
   */
  format?: 'colon' | 'json';
}

/**
 * Returns every segment of the system, sorted by name, whichever process or language created it.
 * @throws `EACCES`, `EMFILE` or another system error if `/dev/shm` cannot be read.
 */
export function segments(): SegmentInfo[] {
  return binding.listSegments().map((facts) => ({
    ...facts,
    kind: facts.kind as SegmentInfo['kind'],
    created: new Date(facts.created),
  }));
}

/**
 * The state of a lock or an event, seen without taking part in it. Process ids are those of the participants'
 * own PID namespaces.
 */
export interface LockState {
  /** What it is: a `SharedMutex`, a `SharedEvent`, or the lock beside a segment (`NAME.lk`). */
  what: 'mutex' | 'event' | 'sidecar';
  /** Whether it is an event that is set. */
  set: boolean;
  /** Process id of the exclusive holder; 0 if unknown, null if there is none. */
  holder: number | null;
  /** Whether the holder is dead: the next process that wants the lock gets it. */
  holderDied: boolean;
  /** Ids of the processes that read. */
  readers: number[];
  /** Whether a thread waits for it, or did until a moment ago. */
  awaited: boolean;
  /** Whether the last writer died or failed, so that the next holder is told (`ownerDied`). */
  inconsistent: boolean;
  /** Ids of the processes that have it open, once for each thread that does. */
  participants: number[];
}

/**
 * Returns the current state of a lock or an event, without taking part in it.
 * @throws `ENOENT`; `EACCES`; `ERR_SHM_NOT_A_LOCK` if the segment is something else; `ERR_SHM_VERSION` if a
 * newer shmkit made it; `ERR_SHM_CORRUPT` or `ERR_SHM_TRUNCATED` if its file was cut short; `ERR_SHM_EMPTY`,
 * `ERR_SHM_NOT_A_SEGMENT`, `ELOOP`, `EMFILE`, `ERR_SHM_NAME`, `ERR_INVALID_ARG_TYPE`.
 */
export function lockState(name: string): LockState {
  const { what, held, holder, ...state } = binding.inspectLock(checkName(name));
  return { what: what as LockState['what'], holder: held ? holder : null, ...state };
}

/**
 * Unlinks what dead owners left, and returns the names. The resource tracker does so within 100 ms of a death;
 * call this if there is no tracker.
 * @throws `ERR_SHM_BUSY` if another process holds the ledgers' lock for 2 seconds; `ERR_SHM_UNSAFE_LEDGERS` if
 * other users can write to the directory of the ledgers; `ERR_INVALID_ARG_TYPE`.
 */
export function collectGarbage(options?: CollectOptions): string[] {
  const given = checkOptions(options, ['dryRun', 'python']);
  const dryRun = checkBoolean('dryRun', given.dryRun, false);
  return binding.collectSegments(dryRun, checkBoolean('python', given.python, false));
}

/**
 * Removes the name of a segment, whichever process created it, without a handle. Attached handles keep the
 * memory.
 * @throws `ENOENT`; `EPERM` or `EACCES` if it belongs to another user; `ERR_SHM_NOT_A_SEGMENT`; `ERR_SHM_BUSY`
 * if another process holds the ledgers' lock for 2 seconds; `ERR_SHM_NAME`; `ERR_INVALID_ARG_TYPE`.
 */
export function unlink(name: string): void {
  binding.unlinkName(checkName(name));
}

/**
 * Tells the resource tracker of a Python parent (`multiprocessing.resource_tracker`) what this process creates,
 * adopts and unlinks from now on. It then neither removes a segment that was handed over nor warns about one
 * that is gone. After that, a name that the format cannot express is refused with `ERR_SHM_PYTHON_TRACKER`.
 * @throws `EBADF` if `fd` is not open; `ERR_INVALID_ARG_VALUE` if it is not a pipe that can be written to;
 * `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`.
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
