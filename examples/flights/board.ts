// The control board: a ShareableList in which every worker has a row of its own, and which anybody can read.
import { type Descriptor, ShareableList } from 'shmkit';

/** Items of one worker: its process id, the resamples it has done, and its state. */
const width = 3;
const [pid, done, state] = [0, 1, 2];

export type State = 'waiting' | 'working' | 'done';

/** The items of a board for so many workers. A text slot keeps the size that its first text gave it. */
export function boardItems(workers: number): (number | State)[] {
  return Array.from({ length: workers }, () => [0, 0, 'waiting' as const]).flat();
}

/** The parent's view: all rows. */
export function resamplesDone(board: ShareableList): number {
  let sum = 0;
  for (let row = 0; row < board.length; row += width) sum += Number(board.get(row + done));
  return sum;
}

/** A worker's view: its own row. Nobody else writes there, so no lock is needed. */
export class BoardRow implements Disposable {
  readonly #list: ShareableList;
  readonly #start: number;

  constructor(board: Descriptor, worker: number) {
    this.#list = ShareableList.attach(board);
    this.#start = worker * width;
    this.#list.set(this.#start + pid, process.pid);
  }

  get list(): ShareableList {
    return this.#list;
  }

  set done(resamples: number) {
    this.#list.set(this.#start + done, resamples);
  }

  set state(value: State) {
    this.#list.set(this.#start + state, value);
  }

  [Symbol.dispose](): void {
    this.#list.close();
  }
}
