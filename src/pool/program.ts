import type { ChildProcess } from 'node:child_process';

import type { SharedObject } from '../common/shared-object.js';
import type { EncodedMessage, Sent } from './message-codec.js';

/** What a pool's workers run: how one is started, and how values cross to it and back. */
export interface Program {
  start(): ChildProcess;
  /**
   * @throws `ERR_SHM_VALUE` for what cannot be sent, saying `what` it is; `ERR_SHM_CLOSED` for a shared object that is.
   */
  pack(value: unknown, what: string): EncodedMessage;
  /** What was packed on the other side, with the shared objects that `open` gives. */
  unpack(bytes: EncodedMessage['bytes'], open: (sent: Sent) => SharedObject): unknown;
}
