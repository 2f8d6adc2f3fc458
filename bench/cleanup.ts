import { setImmediate } from 'node:timers/promises';

type Task = () => void | Promise<void>;

/** What must be undone, last first: when a row ends, when it fails, and on Ctrl-C. */
export class Cleanup {
  readonly #tasks: Task[] = [];
  #interrupted = false;

  get depth(): number {
    return this.#tasks.length;
  }

  defer(task: Task): void {
    this.#tasks.push(task);
  }

  /** Undoes down to an earlier depth. A task that fails does not keep the others from running. */
  async unwind(depth = 0): Promise<void> {
    while (this.#tasks.length > depth) {
      const task = this.#tasks.pop();
      try {
        await task?.();
      } catch (error) {
        console.error('clean-up failed:', error);
      }
    }
  }

  /**
   * Gives signals a turn of the event loop. After `endProcess` it never returns: what the caller works with is
   * being closed, and the process is about to end.
   */
  async breathe(): Promise<void> {
    await setImmediate();
    if (this.#interrupted) await new Promise(() => {});
  }

  /** Undoes everything, then ends the process. */
  endProcess(code: number): void {
    if (this.#interrupted) return;
    this.#interrupted = true;
    void this.unwind().then(() => process.exit(code));
  }

  /** Undoes everything on Ctrl-C or SIGTERM. A second signal then ends the process at once. */
  onSignals(): void {
    process.once('SIGINT', () => this.endProcess(130));
    process.once('SIGTERM', () => this.endProcess(143));
  }
}
