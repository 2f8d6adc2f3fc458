import { styleText } from 'node:util';

/** Styled for a person at a terminal; plain in a pipe, and where `NO_COLOR` is set. */
export function paint(style: Parameters<typeof styleText>[0], text: string): string {
  const { stdout } = process;
  return stdout.isTTY && stdout.hasColors() ? styleText(style, text, { validateStream: false }) : text;
}
