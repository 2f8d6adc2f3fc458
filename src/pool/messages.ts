/** What a pool and its worker processes say to each other, over the channel of `fork`. */

import type { EncodedMessage } from './message-codec.js';

/** To a worker: one call at a time. */
export type Order =
  /** Call the function with these arguments, or (`each`) once with each of these items, which may be lists of arguments. */
  | { shmkit: 'call'; id: number; method: string; each: boolean | 'spread'; encoded: EncodedMessage['bytes'] }
  /** Nobody wants the rest of a call any more. */
  | { shmkit: 'stop'; id: number }
  /** The answer's shared objects are attached to, and adopted; or nobody wants them. */
  | { shmkit: 'taken' }
  | { shmkit: 'ping' };

/** From a worker. */
export type Report =
  /** From here on the function may have had effects. */
  { shmkit: 'began'; id: number } | Answer | { shmkit: 'pong' };

export interface Answer {
  shmkit: 'answer';
  id: number;
  /** `encoded` is the result, and else what was thrown. */
  ok: boolean;
  encoded: EncodedMessage['bytes'];
  /** Which one of the items failed. */
  item?: number;
  /** The worker keeps shared objects open until it hears `taken`. */
  holds: boolean;
  /** The worker cannot load the module. */
  useless: boolean;
}
