import type { SharedDict } from 'shmkit';

import { events } from './events.js';

/** Counts each event under its key and in the total: in both or, if this process is killed at it, in neither. */
export function count(board: SharedDict<number>, worker: number, howMany: number): void {
  for (const key of events(worker, howMany)) {
    board.txnSync((txn) => {
      txn.increment(key);
      txn.increment('total');
    });
  }
}
