import type { ComparedRow, Comparison } from './comparison.js';
import { CONFIDENCE, floorOf } from './decision.js';
import type { Unit } from './harness.js';
import { emptyTable, FIGURES, legend, markedName, middle } from './report.js';
import type { Outcome, Results, RowId } from './results.js';

const WORDS: Record<Unit, Record<ComparedRow['verdict'], string>> = {
  ns: { slower: 'slower', faster: 'faster', unchanged: '' },
  bytes: { slower: 'larger', faster: 'smaller', unchanged: '' },
};

/** A line for each row, with the usual interval or the one that decides. */
export function comparisonTable(
  rows: readonly ComparedRow[],
  which: 'usual' | 'change',
  here: Results,
  there: Results,
  [before, now]: readonly [before: string, now: string],
  confidence: number,
): string {
  const lines = emptyTable(
    [
      'suite',
      'row',
      before,
      now,
      `change (${100 * (which === 'usual' ? CONFIDENCE.usual : confidence)} %)`,
      'by',
      'passes',
      '',
    ],
    ['left', 'left', 'right', 'right', 'right', 'left', 'right', 'left'],
  );
  const outcomes: Outcome[] = [];
  for (const row of rows) {
    const [ours, theirs] = [here.find(row)!, there.find(row)!];
    const figure = FIGURES[ours.unit];
    const { estimate, low, high, by } = row[which];
    outcomes.push(ours);
    lines.push([
      row.suite,
      markedName(ours),
      figure(middle(theirs.shmkit)),
      figure(middle(ours.shmkit)),
      Number.isFinite(high) ? `${signed(estimate)} (${signed(low)} to ${signed(high)})` : signed(estimate),
      by,
      row.passes,
      WORDS[ours.unit][row.verdict],
    ]);
  }
  return `${lines.toString()}${legend(outcomes)}`;
}

/** A ratio such as 1.102 as `+10.2%`. */
function signed(ratio: number): string {
  const change = 100 * (ratio - 1);
  if (change >= 900) return `${ratio.toPrecision(2)}×`;
  return `${change < 0 ? '−' : '+'}${Math.abs(change).toFixed(1)}%`;
}

/** The result in words. */
export function summary({ rows, onlyHere, onlyThere, notComparable, threshold }: Comparison): string {
  const count = (verdict: ComparedRow['verdict']) => rows.filter((row) => row.verdict === verdict).length;
  const [slower, faster] = [count('slower'), count('faster')];
  const regressions = rows.filter((row) => row.isRegression).length;
  const floor = `${100 * floorOf({ threshold })}%`;
  const list = (what: string, ids: readonly RowId[]) =>
    ids.length === 0 ? [] : [`${what}: ${ids.map(({ suite, row }) => `${suite}: ${row}`).join('; ')}`];
  return [
    ...list('Not compared, only in this checkout', onlyHere),
    ...list('Not compared, only on the other side', onlyThere),
    ...list('Not compared, the processor was another one or ran at another speed', notComparable),
    slower + faster === 0
      ? `${rows.length} rows compared: none became slower or faster by ${floor} or more beyond its interval.`
      : `${rows.length} rows compared: ${slower} slower, ${faster} faster; ${regressions} slower by more than ${100 * threshold}%.`,
  ].join('\n');
}
