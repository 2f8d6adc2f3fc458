import type { Buffer } from 'node:buffer';

const LINE = 16;

/** The lines of `hexdump -C`: equal ones that follow each other are one `*`. */
export function hexdump(bytes: Buffer): string[] {
  const lines: string[] = [];
  let before: Buffer | undefined;
  for (let offset = 0; offset < bytes.length; offset += LINE) {
    const line = bytes.subarray(offset, offset + LINE);
    if (before?.equals(line) !== true) lines.push(dumped(line, offset));
    else if (lines.at(-1) !== '*') lines.push('*');
    before = line;
  }
  if (bytes.length > 0) lines.push(address(bytes.length));
  return lines;
}

function dumped(line: Buffer, offset: number): string {
  const pairs = Array.from({ length: LINE }, (_, i) => line.toString('hex', i, i + 1).padEnd(2));
  const text = line.toString('latin1').replace(/[^ -~]/g, '.');
  return `${address(offset)}  ${pairs.slice(0, 8).join(' ')}  ${pairs.slice(8).join(' ')}  |${text}|`;
}

function address(offset: number): string {
  return offset.toString(16).padStart(8, '0');
}
