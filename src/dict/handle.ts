import * as binding from '#binding';
import { closedError, shmError } from '../common/errors.js';
import { LocalTable } from './local-table.js';
import type { HandleSettings } from './options.js';
import { Busy } from './values.js';

/** @internal One attachment to a dict: what all that a `SharedDict` consists of knows of it. */
export class Handle {
  readonly native: binding.DictHandle;
  /** What the engine's calls for each access know it by. */
  readonly number: number;
  readonly name: string;
  readonly id: string;
  readonly maxByteLength: number;
  readonly readOnly: boolean;
  /** Milliseconds. */
  readonly lockTimeout: number;
  readonly table: LocalTable;
  closed = false;

  constructor(native: binding.DictHandle, readOnly: boolean, settings: HandleSettings) {
    const { number, name, id, most } = binding.dictFacts(native);
    this.native = native;
    this.number = number;
    this.name = name;
    this.id = id;
    this.maxByteLength = most;
    this.readOnly = readOnly;
    this.lockTimeout = settings.lockTimeout;
    this.table = new LocalTable(native, settings.cacheSize);
  }

  checkOpen(): void {
    if (this.closed) throw closedError(this.name);
  }

  /** A value that was read with the lock, beside which nobody writes. */
  settled(value: unknown): unknown {
    if (value !== Busy) return value;
    throw shmError('ERR_SHM_CORRUPT', 'the value was damaged by another process', this.name);
  }
}
