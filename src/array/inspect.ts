/** An array for a person, as numpy prints it. */
import { inspect } from 'node:util';

import { fromHalf, toHalf } from './half.js';
import { shown } from './shape.js';

type Stylize = (text: string, style: string) => string;

/** More elements than this are not all shown, but so many at each end of each dimension. */
const ALL_SHOWN = 1000;
const EDGE = 3;
const LINE = 76;
/** With its head, an array may take as much of one line. */
const ONE_LINE = 90;

/** What is to be shown. */
export interface Shown {
  readonly name: string;
  readonly shape: readonly number[];
  readonly size: number;
  readonly dtype: string;
  readonly notes: readonly string[];
  /** The element at these indexes; undefined instead where none can be had. */
  readonly element: ((index: readonly number[]) => number | bigint) | undefined;
}

export function show({ name, shape, size, dtype, notes, element }: Shown, stylize: Stylize): string {
  const facts = [stylize(inspect(name), 'string'), `shape ${shown(shape)}`, dtype, ...notes].join(', ');
  const head = `SharedArray(${facts})`;
  if (element === undefined) return head;
  if (size === 0) return `${head} []`; // whatever the lengths of its other dimensions
  const elide = size > ALL_SHOWN ? EDGE : Infinity;
  let width = 0;
  const leaves = walk(shape, elide, [], (index) => {
    const text = textOf(element(index), dtype);
    width = Math.max(width, text.length);
    return text;
  });
  const style = (text: string) => stylize(text, dtype.endsWith('int64') ? 'bigint' : 'number');
  const line = joined(leaves, ' ', 0, style);
  // Escapes of colours have no width.
  const plain = joined(leaves, ' ', 0, (text) => text);
  if (!plain.includes('\n') && head.length + plain.length < ONE_LINE) return `${head} ${line}`;
  return `${head}\n${joined(leaves, '\n', width, style)}`;
}

/** What a dimension shows: texts, or what the next dimension does; null is what is left out. */
type Leaves = string | (Leaves | null)[];

function walk(
  shape: readonly number[],
  elide: number,
  index: readonly number[],
  leaf: (index: readonly number[]) => string,
): Leaves {
  if (index.length === shape.length) return leaf(index);
  const length = shape[index.length]!;
  const leaves: (Leaves | null)[] = [];
  for (let i = 0; i < length; i++) {
    if (length > 2 * elide && i === elide) {
      leaves.push(null);
      i = length - elide;
    }
    leaves.push(walk(shape, elide, [...index, i], leaf));
  }
  return leaves;
}

function joined(
  leaves: Leaves,
  between: string,
  width: number,
  style: (text: string) => string,
  depth = 1,
): string {
  if (typeof leaves === 'string') return style(leaves);
  const indent = ' '.repeat(depth);
  if (leaves.every((leaf) => typeof leaf === 'string' || leaf === null)) {
    const lines: string[] = [];
    let length = LINE;
    for (const [at, leaf] of leaves.entries()) {
      const plain = (leaf ?? '…').padStart(leaf === null ? 0 : width);
      const text = (leaf === null ? plain : style(plain)) + (at < leaves.length - 1 ? ',' : '');
      if (width > 0 && length + plain.length + 2 > LINE - depth) {
        lines.push(text);
        length = plain.length + 1;
      } else {
        lines.push(lines.length === 0 ? text : `${lines.pop()} ${text}`);
        length += plain.length + 2;
      }
    }
    return `[${lines.join(`\n${indent}`)}]`;
  }
  const parts = leaves.map((leaf) => (leaf === null ? '…' : joined(leaf, between, width, style, depth + 1)));
  return `[${parts.join(between === '\n' ? `,\n${indent}` : ', ')}]`;
}

function textOf(value: number | bigint, dtype: string): string {
  return typeof value === 'bigint' ? `${value}n` : inspect(shorten(value, dtype));
}

/** A float with no more digits than tell it from its neighbours, and of double precision with eight after the point. */
function shorten(value: number, dtype: string): number {
  if (!Number.isFinite(value) || Number.isInteger(value)) return value;
  if (dtype === 'float64') {
    const size = Math.abs(value);
    return Number(size >= 1e-4 && size < 1e12 ? value.toFixed(8) : value.toPrecision(9));
  }
  const round = dtype === 'float32' ? Math.fround : (near: number) => fromHalf(toHalf(near));
  for (let digits = 1; digits < 9; digits++) {
    const near = Number(value.toPrecision(digits));
    if (round(near) === value) return near;
  }
  return value;
}
