/** Values as a person, or a program, reads them. */

/** What moves a terminal's cursor, turns its text around or is not to be seen. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const SHORT: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\x1b': '\\e' };

/** Text that a terminal shows and does not obey; escaped as in the shell's `$'…'`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (char) => {
    const code = char.codePointAt(0)!;
    const hex = code.toString(16);
    if (code > 0xffff) return `\\U${hex.padStart(8, '0')}`;
    return SHORT[char] ?? (code < 0x80 ? `\\x${hex.padStart(2, '0')}` : `\\u${hex.padStart(4, '0')}`);
  });
}

/** A name as `printable`, where no other name looks the same. */
export function shownName(name: string): string {
  return printable(name.replaceAll('\\', '\\\\'));
}

/** JSON for whoever reads the output: it parses to the same, and a terminal can show it. */
export function json(value: unknown, indent?: number): string {
  const escape = (char: string) =>
    Array.from({ length: char.length }, (_, i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`);
  return JSON.stringify(value, null, indent).replace(UNPRINTABLE, (char) =>
    char === '\n' ? char : escape(char).join(''),
  );
}

/** As `ls -h` and `du -h`: powers of 1024, rounded up. */
export function humanSize(bytes: number): string {
  let unit = -1;
  let value = bytes;
  // What would be rounded up to 1024 of a unit is 1.0 of the next.
  while (Math.ceil(value) >= 1024) {
    value /= 1024;
    unit++;
  }
  if (unit < 0) return String(value);
  const tenths = Math.ceil(value * 10) / 10;
  return `${tenths < 10 ? tenths.toFixed(1) : Math.ceil(value)}${'KMGTPE'[unit]}`;
}

/** How long ago, in the largest unit that it has. */
export function age(since: Date, now = Date.now()): string {
  const seconds = Math.max(0, Math.floor((now - since.getTime()) / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** `1 segment`, `2 segments` */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** A process id; one of another PID namespace has none here. */
export function shownPid(pid: number): string {
  return pid === 0 ? '?' : String(pid);
}
