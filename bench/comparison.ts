import { changeAt, CONFIDENCE, isChanged, isRegression } from './decision.js';
import type { Change, Rule } from './decision.js';
import type { Outcome, Results, RowId } from './results.js';
import type { Views } from './views.js';

/** A row that both sides have. */
export interface ComparedRow extends RowId {
  /** With the usual interval. */
  readonly usual: Change;
  /** With the interval that decides. */
  readonly change: Change;
  /** Fresh processes of this checkout in which it was measured. */
  readonly passes: number;
  /** `slower` (or larger) or `faster` if it is reported. */
  readonly verdict: 'slower' | 'faster' | 'unchanged';
  /** Whether it is slower by more than the threshold. */
  readonly isRegression: boolean;
}

/** What a comparison found. */
export interface Comparison {
  readonly threshold: number;
  readonly floor: number;
  /** Of the intervals. */
  readonly confidence: number;
  readonly rows: readonly ComparedRow[];
  /** Rows that only this checkout has. */
  readonly onlyHere: readonly RowId[];
  /** Rows that only the other side has. */
  readonly onlyThere: readonly RowId[];
  /** Rows without a measure that both runs have: see `unpairedViews`. */
  readonly notComparable: readonly RowId[];
}

/** How to compare a row of both sides. */
export type Look = (ours: Outcome, theirs: Outcome, id: RowId) => Views;

/** Whether a row may have changed, as far as is known after some confirmations. */
export function looksChanged(views: Views, confidence: number, rule: Rule): boolean {
  return views.length > 0 && isChanged(changeAt(views, confidence), rule);
}

/** How many confirmations a row needs, and how many it may have if it is still undecided then. */
export interface Confirmations {
  readonly fewest: number;
  readonly most: number;
}

/**
 * The rows that look changed, after each confirmation, and are confirmed in the end with the confidence `last`. `looks`
 * tells whether a row looks changed with a confidence, and `again` measures rows once more.
 */
export async function confirmChanges(
  ids: readonly RowId[],
  { fewest, most }: Confirmations,
  last: number,
  looks: (id: RowId, confidence: number) => boolean,
  again: (suspects: readonly RowId[], confirmation: number) => Promise<void>,
): Promise<RowId[]> {
  const confirmed: RowId[] = [];
  let suspects = ids.filter((id) => looks(id, CONFIDENCE.first));
  for (let done = 1; done <= most && suspects.length > 0; done++) {
    await again(suspects, done);
    suspects = suspects.filter((id) => {
      if (done < fewest || !looks(id, last)) return looks(id, CONFIDENCE.between);
      confirmed.push(id);
      return false;
    });
  }
  return confirmed;
}

/** The verdict on each row. A row is confirmed if it looked changed after every confirmation. */
export function verdicts(
  here: Results,
  there: Results,
  look: Look,
  confirmed: readonly RowId[],
  rule: Rule,
): Pick<Comparison, 'rows' | 'notComparable'> {
  const rows: ComparedRow[] = [];
  const notComparable: RowId[] = [];
  for (const id of here.ids()) {
    const [ours, theirs] = [here.find(id), there.find(id)];
    if (ours === undefined || theirs === undefined) continue;
    const views = look(ours, theirs, id);
    if (views.length === 0) {
      notComparable.push(id);
      continue;
    }
    const change = changeAt(views, rule.confidence);
    const isReported =
      confirmed.some((one) => one.suite === id.suite && one.row === id.row) && isChanged(change, rule);
    const verdict = !isReported ? 'unchanged' : change.estimate > 1 ? 'slower' : 'faster';
    const passes = Math.max(ours.shmkit.samples.length, ours.alone.length);
    const usual = changeAt(views, CONFIDENCE.usual);
    rows.push({
      ...id,
      usual,
      change,
      passes,
      verdict,
      isRegression: isReported && isRegression(change, rule),
    });
  }
  return { rows, notComparable };
}
