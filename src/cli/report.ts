import { printable } from './text.js';

/** Says on stderr what could not be done. */
export function complain(error: unknown): void {
  process.stderr.write(`shm: ${printable(error instanceof Error ? error.message : String(error))}\n`);
}

/** Lines on stdout. They are printable already. */
export function print(...lines: string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}
