import Table from 'cli-table3';

import { NOTICEABLE, percent } from './cpu.js';
import type { Unit } from './harness.js';
import { meanOthersCpu } from './results.js';
import type { Measured, Outcome } from './results.js';
import { isTime, median, ratio, wanted } from './statistics.js';

/** Three digits and a unit. */
export function duration(nanoseconds: number): string {
  const [value, unit] =
    nanoseconds < 1e3
      ? [nanoseconds, 'ns']
      : nanoseconds < 1e6
        ? [nanoseconds / 1e3, 'µs']
        : nanoseconds < 1e9
          ? [nanoseconds / 1e6, 'ms']
          : [nanoseconds / 1e9, 's'];
  return `${digits(value)} ${unit}`;
}

function size(bytes: number): string {
  return `${digits(bytes / 2 ** 20)} MB`;
}

/** How to write a figure of a row. */
export const FIGURES: Record<Unit, (value: number) => string> = { ns: duration, bytes: size };

/** Three digits. */
function digits(value: number): string {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0);
}

function comparison(shmkit: Measured, peer: Measured): [ratio: string, verdict: string] {
  const { target } = peer;
  const compared = ratio(shmkit, peer);
  if (compared === undefined) return ['not in every pass', ''];
  const { estimate, low, high, ok } = compared;
  const measured = `${isTime(target) ? 'time ' : ''}${digits(estimate)}× (${digits(low)}–${digits(high)})`;
  if (target === undefined) return [measured, ''];
  const aim = isTime(target) ? `time ≤ ${target.time}×` : `≥ ${wanted(target)}×`;
  return [measured, `${aim} ${ok ? 'ok' : 'below'}`];
}

/** Whether shmkit alone stays within its limit. */
function allowance({ unit, limit, shmkit }: Outcome): string {
  if (limit === undefined) return '';
  return `≤ ${FIGURES[unit](limit)} ${middle(shmkit) <= limit ? 'ok' : 'above'}`;
}

/** The median of all rounds. */
export function middle({ samples }: Measured): number {
  return median(samples.flat());
}

/** A row's name, marked if other processes used a noticeable share of the CPU. */
export function markedName(outcome: Outcome): string {
  const share = meanOthersCpu(outcome);
  return share === null || share < NOTICEABLE ? outcome.row : `${outcome.row} †${percent(share)}`;
}

/** Explains the marks of a table, if it has any. */
export function legend(outcomes: readonly Outcome[]): string {
  const isMarked = outcomes.some((outcome) => markedName(outcome) !== outcome.row);
  return isMarked ? '\n† Other processes used this share of the CPU while the row was measured.' : '';
}

/** A table without borders between its lines. */
export function emptyTable(head: string[], colAligns: ('left' | 'right')[]): Table.Table {
  return new Table({ head, colAligns, style: { head: [], border: [], compact: true } });
}

/** One line for each peer: medians, and the ratio with its interval. */
export function table(outcomes: readonly Outcome[]): string {
  const lines = emptyTable(
    ['row', 'shmkit', 'peer', 'peer’s', 'ratio (95 %)', 'target'],
    ['left', 'right', 'left', 'right', 'right', 'left'],
  );
  for (const outcome of outcomes) {
    const { unit, shmkit, peers } = outcome;
    const row = markedName(outcome);
    const figure = FIGURES[unit];
    const ours = figure(middle(shmkit));
    const limit = allowance(outcome);
    if (peers.length === 0) lines.push([row, ours, '', '', '', limit]);
    peers.forEach((peer, index) => {
      const isFirst = index === 0;
      const [compared, verdict] = comparison(shmkit, peer);
      const verdicts = [isFirst ? limit : '', verdict].filter((it) => it !== '').join(', ');
      const theirs = figure(middle(peer));
      lines.push([isFirst ? row : '', isFirst ? ours : '', peer.name, theirs, compared, verdicts]);
    });
  }
  return `${lines.toString()}${legend(outcomes)}`;
}
