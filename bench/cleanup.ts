type Task = () => void | Promise<void>;

/** What must be undone, last first: when a row ends, when one fails, and on Ctrl-C. */
export class Cleanup {
  readonly #tasks: Task[] = [];

  get depth(): number {
    return this.#tasks.length;
  }

  defer(task: Task): void {
    this.#tasks.push(task);
  }

  /** Undoes down to an earlier depth. One that fails does not keep the others from being undone. */
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

  /** Undoes everything when the user has had enough. A second signal then ends the process at once. */
  onSignals(): void {
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      process.once(signal, () => {
        void this.unwind().then(() => process.exit(code));
      });
    }
  }
}
