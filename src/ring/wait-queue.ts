import { closedError } from '../common/errors.js';
import { settleWait, startWait, timeoutError, Waiter } from '../sync/waits.js';
import type { WaiterThreads } from '../sync/waits.js';

interface Entry {
  /** Takes its turn: false where there is nothing to be had. Whatever else comes of it, it has told its waiter. */
  readonly attempt: () => boolean;
  readonly waiter: Waiter<unknown>;
}

/**
 * Promises of one thread that wait for the same, first come, first served. One wait of the binding's is for all
 * of them: a turn of the event loop costs far more than an item, so who is woken lets all go on for whom there is one.
 */
export class WaitQueue {
  readonly #name: string;
  readonly #start: (threads: WaiterThreads, id: number) => void;
  readonly #passOn: (() => void) | undefined;
  readonly #entries: Entry[] = [];
  #wait: number | undefined;

  /** `start` waits by the binding; `passOn` hands a wake-up on that nobody here wants, where it wakes only one. */
  constructor(name: string, start: (threads: WaiterThreads, id: number) => void, passOn?: () => void) {
    this.#name = name;
    this.#start = start;
    this.#passOn = passOn;
  }

  /** Whether somebody waits, who goes first. */
  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** What `attempt` gives, once that is not undefined. */
  wait<T>(
    attempt: () => { value: T } | undefined,
    timeout: number,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    signal?.throwIfAborted();
    if (timeout === 0) throw timeoutError(this.#name, 0);
    const waiter = new Waiter<unknown>(this.#name, timeout, signal, () => this.#withdraw(entry));
    const entry: Entry = {
      waiter,
      attempt: () => {
        try {
          const result = attempt();
          if (result === undefined) return false;
          waiter.resolve(result.value);
        } catch (error) {
          waiter.reject(error);
        }
        return true;
      },
    };
    this.#entries.push(entry);
    this.#contend();
    return waiter.promise as Promise<T>;
  }

  #contend(): void {
    if (this.#wait !== undefined || this.#entries.length === 0) return;
    try {
      this.#wait = startWait(this.#start, () => this.#over());
    } catch (error) {
      for (const { waiter } of this.#entries.splice(0)) waiter.reject(error);
    }
  }

  #over(): void {
    try {
      this.#settle();
      while (this.#entries.length > 0 && this.#entries[0]!.attempt()) this.#entries.shift();
    } catch (error) {
      this.#entries.shift()?.waiter.reject(error);
    }
    this.#contend();
  }

  /** Ends the binding's wait; whether it was over. */
  #settle(): boolean {
    const id = this.#wait;
    this.#wait = undefined;
    return id !== undefined && settleWait(id) !== 0;
  }

  #withdraw(entry: Entry): void {
    const at = this.#entries.indexOf(entry);
    if (at >= 0) this.#entries.splice(at, 1);
    if (this.#entries.length > 0) return;
    // What it was woken for is another one's.
    if (this.#settle()) this.#passOn?.();
  }

  close(): void {
    try {
      this.#settle();
    } catch {
      // It is over either way.
    }
    for (const { waiter } of this.#entries.splice(0)) waiter.reject(closedError(this.#name));
  }
}
