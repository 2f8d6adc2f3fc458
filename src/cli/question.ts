import { createInterface } from 'node:readline';
import type { Interface } from 'node:readline';

/** Asks a person at the terminal, on stderr: stdout is for results. */
export class Questions {
  #lines: Interface | undefined;
  #answers: AsyncIterator<string> | undefined;

  async agrees(question: string): Promise<boolean> {
    // No terminal to readline: Ctrl-C then ends the process as it ends any other, and Ctrl-D is a no.
    this.#lines ??= createInterface({ input: process.stdin, terminal: false });
    this.#answers ??= this.#lines[Symbol.asyncIterator]();
    process.stderr.write(question);
    const { value, done } = await this.#answers.next();
    return done !== true && /^y(es)?$/i.test(value.trim());
  }

  close(): void {
    this.#lines?.close();
  }
}
