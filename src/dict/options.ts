import * as binding from '#binding';
import {
  checkBoolean,
  checkIndex,
  checkMode,
  checkName,
  checkOptions,
  checkSize,
} from '../common/arguments.js';
import { outOfRange } from '../common/errors.js';
import { warnWhereUntracked } from '../ownership/housekeeping.js';
import type { CreateOptions } from '../segment/memory.js';
import { checkTimeout } from '../sync/waits.js';

/** Options for creating a dict. */
export interface DictOptions extends Omit<CreateOptions, 'reserve' | 'populate'> {
  /** Initial size in bytes; the dict grows. Default 64 KB (65,536). */
  byteLength?: number;
  /**
   * Bytes that the dict may grow to. Memory that is not used is not reserved. Default: a quarter of what is
   * free in `/dev/shm`.
   */
  maxByteLength?: number;
  /** Milliseconds that `set()` and other writes outside a txn wait for other writers. Default 10,000. */
  lockTimeout?: number;
  /**
   * Number of keys that this handle caches, with their values if those are short: 0 to 2 ** 20. Default 10,000.
   */
  cacheSize?: number;
}

/** Options for attaching to a dict. */
export interface DictAttachOptions {
  /**
   * Refuse writes through this handle with `ERR_SHM_READ_ONLY`. Default false, or true for the descriptor of a
   * read-only handle.
   */
  readOnly?: boolean;
  /** Allow a dict of another user. Default false. */
  foreign?: boolean;
  /** Milliseconds that `set()` and other writes outside a txn wait for other writers. Default 10,000. */
  lockTimeout?: number;
  /**
   * Number of keys that this handle caches, with their values if those are short: 0 to 2 ** 20. Default 10,000.
   */
  cacheSize?: number;
}

/** @internal Options of a handle. */
export interface HandleSettings {
  readonly lockTimeout: number;
  readonly cacheSize: number;
}

/** @internal The names of DictOptions. */
export const OPTIONS = ['name', 'mode', 'track', 'byteLength', 'maxByteLength', 'lockTimeout', 'cacheSize'];
const ATTACH_OPTIONS = ['readOnly', 'foreign', 'lockTimeout', 'cacheSize'];
const LOCK_TIMEOUT = 10_000;
const CACHE_SIZE = 10_000;
const MOST_CACHED = 2 ** 20;
const FIRST_LENGTH = 64 << 10;

/** @internal The native handle of a new dict, or with `attach` of the one that has the name already. */
export function create(
  options: DictOptions | undefined,
  attach: boolean,
): [native: binding.DictHandle, settings: HandleSettings] {
  const given = checkOptions(options, OPTIONS);
  const size = checkSize(given.byteLength ?? FIRST_LENGTH);
  const max = given.maxByteLength === undefined ? 0 : checkSize(given.maxByteLength);
  if (max !== 0 && max < size && given.byteLength !== undefined) {
    throw outOfRange('maxByteLength', `${size} or more, as byteLength is`, max);
  }
  const settings = checkSettings(given);
  const track = checkBoolean('track', given.track, true);
  const name = given.name === undefined ? undefined : checkName(given.name);
  const native = binding.createDict(size, max, name, checkMode(given.mode), track, attach);
  if (track) warnWhereUntracked();
  return [native, settings];
}

/** @internal Options of `attach`; a descriptor may say that the handle only reads. */
export function checkAttachOptions(
  options: DictAttachOptions | undefined,
  readOnly = false,
): { readOnly: boolean; foreign: boolean; settings: HandleSettings } {
  const given = checkOptions(options, ATTACH_OPTIONS);
  return {
    readOnly: checkBoolean('readOnly', given.readOnly, readOnly),
    foreign: checkBoolean('foreign', given.foreign, false),
    settings: checkSettings(given),
  };
}

function checkSettings({ lockTimeout, cacheSize }: DictAttachOptions): HandleSettings {
  return {
    lockTimeout: checkTimeout(lockTimeout ?? LOCK_TIMEOUT),
    cacheSize: checkIndex('cacheSize', cacheSize ?? CACHE_SIZE, MOST_CACHED),
  };
}
