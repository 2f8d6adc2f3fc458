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

/** How to make a dict. */
export interface DictOptions extends Omit<CreateOptions, 'reserve' | 'populate'> {
  /** Bytes at first; it grows. Default 64 KB. */
  byteLength?: number;
  /** Bytes that it may grow to. Nothing is reserved that is not used. Default: a quarter of what `/dev/shm` has left. */
  maxByteLength?: number;
  /** Milliseconds that `set()` and whatever else writes outside of a txn waits for others who write. Default 10,000. */
  lockTimeout?: number;
  /** How many keys this handle remembers, with their values where those are short: 0 to 2 ** 20. Default 10,000. */
  cacheSize?: number;
}

/** How to attach to a dict. */
export interface DictAttachOptions {
  readOnly?: boolean;
  /** Allow a dict of another user. Default false. */
  foreign?: boolean;
  /** As in `create`. */
  lockTimeout?: number;
  /** As in `create`. */
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
