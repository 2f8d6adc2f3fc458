import { checkBoolean, checkMode, checkName, checkOptions } from '../common/arguments.js';

/** Options for creating a segment. */
export interface CreateOptions {
  /** Name of the segment: 1 to 255 bytes, without `/` and NUL. Default: a random name. */
  name?: string;
  /** POSIX permission bits, 0 to `0o777`, set exactly: the umask has no effect. Default `0o600`. */
  mode?: number;
  /** Reserve the memory now: a full `/dev/shm` is `ENOSPC` here and never a SIGBUS later. Default true. */
  reserve?: boolean;
  /** Map every page in now, so that the first access to a page causes no page fault. Default false. */
  populate?: boolean;
  /**
   * Unlink the segment when its last owner dies, however it dies. The creator is an owner, and so is each
   * process that calls `adopt()`. Default true.
   */
  track?: boolean;
}

/** Options for attaching to a segment. */
export interface AttachOptions {
  /**
   * Keep writes private to this handle. A page that was written to no longer shows what other processes write.
   * Default false, or true for the descriptor of a read-only handle.
   */
  readOnly?: boolean;
  /** Allow a segment of another user. Default false. */
  foreign?: boolean;
  /**
   * Reserve memory that the creator did not (CPython reserves nothing). Has no effect with `readOnly`. Default
   * true.
   */
  reserve?: boolean;
}

/** @internal */
export const CREATE_OPTIONS = ['name', 'mode', 'reserve', 'populate', 'track'];
/** @internal */
export const ATTACH_OPTIONS = ['readOnly', 'foreign', 'reserve'];

/** @internal The options of a creation, of which there are these, checked, in the order in which the binding takes them. */
export function creation(
  options: CreateOptions | undefined,
  known: readonly string[] = CREATE_OPTIONS,
): [name: string | undefined, mode: number, reserve: boolean, populate: boolean, track: boolean] {
  const { name, mode, reserve, populate, track } = checkOptions(options, known);
  return [
    name === undefined ? undefined : checkName(name),
    checkMode(mode),
    checkBoolean('reserve', reserve, true),
    checkBoolean('populate', populate, false),
    checkBoolean('track', track, true),
  ];
}
