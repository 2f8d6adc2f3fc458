import { clearLine, clearScreenDown, cursorTo } from 'node:readline';

/** The terminal's second screen, no cursor, no wrapping: and all of it back again. */
const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l';
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l';

/** A terminal whose whole screen shows what was drawn last. What was on it before comes back at the end. */
export class Screen {
  #last: readonly string[] = [];

  private constructor() {
    process.stdout.write(ENTER);
  }

  /** Nothing where stdout is no terminal, or one that knows no escape sequences. */
  static open(): Screen | undefined {
    return process.stdout.isTTY && process.env['TERM'] !== 'dumb' ? new Screen() : undefined;
  }

  get rows(): number {
    return process.stdout.rows || 24;
  }

  /** Line by line over the old ones: a cleared screen would flicker. */
  draw(lines: readonly string[]): void {
    const { stdout } = process;
    this.#last = lines;
    lines.slice(0, this.rows).forEach((line, row) => {
      cursorTo(stdout, 0, row);
      stdout.write(line);
      clearLine(stdout, 1);
    });
    cursorTo(stdout, 0, Math.min(lines.length, this.rows));
    if (lines.length < this.rows) clearScreenDown(stdout);
  }

  /** What was shown last stays to be read. */
  close(): void {
    process.stdout.write(LEAVE + this.#last.map((line) => `${line}\n`).join(''));
  }
}
