import {
  ATTACH_OPTIONS as SEGMENT_ATTACH_OPTIONS,
  CREATE_OPTIONS as SEGMENT_CREATE_OPTIONS,
} from '../segment/options.js';
import type { AttachOptions, CreateOptions } from '../segment/options.js';
import type { TrailingNul } from './values.js';

/** Options for creating a list. */
export interface ListCreateOptions extends CreateOptions {
  /**
   * What to do with NULs at the end of text and bytes, which Python's list drops (gh-106939): `'refuse'` throws
   * `ERR_SHM_VALUE`, `'strip'` stores the value without them. Default `'refuse'`.
   */
  trailingNul?: TrailingNul;
}

/** Options for attaching to a list. */
export interface ListAttachOptions extends AttachOptions {
  /** What `set` does with NULs at the end of text and bytes, as in `create`. Default `'refuse'`. */
  trailingNul?: TrailingNul;
}

/** @internal */
export const CREATE_OPTIONS = [...SEGMENT_CREATE_OPTIONS, 'trailingNul'];
/** @internal */
export const ATTACH_OPTIONS = [...SEGMENT_ATTACH_OPTIONS, 'trailingNul'];
