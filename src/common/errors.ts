/**
 * The properties of every error of this package. The error itself is an `Error`, a `RangeError` or a
 * `TypeError`. Options that do not exist are refused with `ERR_INVALID_ARG_TYPE`.
 */
export interface ShmError extends Error {
  /** `ENOENT`, `EEXIST`, `ENOSPC` and the like, as in `node:fs`, or one of this package's `ERR_SHM_*`. */
  code: string;
  /** The system's error number if a system call failed; negative, as in `node:fs`. */
  errno?: number;
  /** The system call that failed. */
  syscall?: string;
  /** The name of the segment that the error is about. */
  segment?: string;
}

function withCode<E extends Error>(error: E, code: string, segment?: string): E {
  return Object.assign(error, segment === undefined ? { code } : { code, segment });
}

/** An error of this package. */
export function shmError(code: string, message: string, segment?: string): Error {
  return withCode(new Error(message), code, segment);
}

/** A RangeError in so many words. */
export function rangeError(message: string): RangeError {
  return withCode(new RangeError(message), 'ERR_OUT_OF_RANGE');
}

/** A number that is none of those allowed. */
export function outOfRange(what: string, wanted: string, got: unknown): RangeError {
  return rangeError(`${what} must be ${wanted}, and is ${show(got)}`);
}

/** An argument of the wrong type. */
export function wrongType(what: string, wanted: string, got: unknown): TypeError {
  return withCode(new TypeError(`${what} must be ${wanted}, and is ${show(got)}`), 'ERR_INVALID_ARG_TYPE');
}

/** An option that there is not. */
export function unknownOption(name: string, known: readonly string[]): TypeError {
  const others = known.length === 0 ? ', nor any other' : `; there are: ${known.join(', ')}`;
  const message = `there is no option ${show(name)} here${others}`;
  return withCode(new TypeError(message), 'ERR_INVALID_ARG_TYPE');
}

/** A value that cannot be stored, or not without a loss. */
export function valueError(message: string): RangeError {
  return withCode(new RangeError(message), 'ERR_SHM_VALUE');
}

/** A use after close(). */
export function closedError(name: string): Error {
  return shmError('ERR_SHM_CLOSED', `'${name}' is closed; attach() to it again`, name);
}

/** A use after somebody transferred the buffer. */
export function detachedError(name: string): Error {
  return shmError(
    'ERR_SHM_DETACHED',
    `the buffer of '${name}' was transferred; close this handle, and attach() again`,
    name,
  );
}

/** A value in a message. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null)
    return `an object (${value.constructor?.name ?? 'no prototype'})`;
  return Object.is(value, -0) ? '-0' : String(value);
}

/** Whether it is that the stack has no room left. */
export function isOverflow(error: unknown): boolean {
  return error instanceof RangeError && error.message.startsWith('Maximum call stack size exceeded');
}
