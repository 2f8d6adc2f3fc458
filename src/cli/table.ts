import Table from 'cli-table3';

import type { SegmentInfo } from '../../index.js';

import { paint } from './colour.js';
import { age, humanSize, shownName, shownPid } from './text.js';

type Align = 'left' | 'right';

/** So many processes are named, the others counted. */
const PIDS_SHOWN = 5;

/** Rows without borders, for eyes and for `awk`. */
export function columns(rows: readonly (readonly string[])[], aligns: readonly Align[]): string[] {
  const none = Object.fromEntries(
    ['top', 'bottom', 'left', 'right']
      .flatMap((side) => ['', '-mid', '-left', '-right'].map((end) => [side + end, '']))
      .concat([
        ['mid', ''],
        ['mid-mid', ''],
        ['middle', '  '],
      ]),
  );
  const table = new Table({
    chars: none,
    colAligns: [...aligns],
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
  });
  table.push(...rows.map((cells) => [...cells]));
  return rows.length === 0
    ? []
    : table
        .toString()
        .split('\n')
        .map((line) => line.trimEnd());
}

/** One line for each segment, below a line that says what is what. */
export function segmentTable(infos: readonly SegmentInfo[]): string[] {
  if (infos.length === 0) return [];
  const now = Date.now();
  const head = ['name', 'size', 'kind', 'owners', 'attached', 'age', 'leaked?'];
  return columns(
    [head.map((title) => paint('bold', title)), ...infos.map((info) => row(info, now))],
    ['left', 'right', 'left', 'left', 'left', 'right', 'left'],
  );
}

function row({ name, size, kind, owners, attached, created, leaked }: SegmentInfo, now: number): string[] {
  return [
    shownName(name),
    humanSize(size),
    kind,
    pids(owners),
    pids(attached),
    age(created, now),
    leaked ? paint('yellow', 'leaked') : '',
  ];
}

function pids(all: readonly number[]): string {
  const shown = all.slice(0, PIDS_SHOWN).map(shownPid);
  return [...shown, ...(all.length > PIDS_SHOWN ? [`+${all.length - PIDS_SHOWN}`] : [])].join(',') || '-';
}
