import { confirmChanges, looksChanged, verdicts } from './comparison.js';
import type { Comparison, Look } from './comparison.js';
import { floorOf } from './decision.js';
import type { Rule } from './decision.js';
import { measurePass } from './passes.js';
import type { Setting } from './passes.js';
import type { Results, RowId } from './results.js';

/** What is measured. */
export interface Selection {
  readonly suites: readonly string[];
  readonly isWanted: (id: RowId) => boolean;
}

/** Measures all wanted rows as often as the plan says, each time in fresh processes. */
export async function runPasses(setting: Setting, { suites, isWanted }: Selection): Promise<void> {
  const { passes } = setting.plan;
  for (let pass = 0; pass < passes; pass++) {
    const inPass = {
      ...setting,
      progress: (text: string) => setting.progress(`pass ${pass + 1}/${passes}, ${text}`),
    };
    await measurePass(inPass, suites, isWanted, pass);
  }
}

/**
 * Compares what was measured, and measures again what looks changed: all passes together must say so after each
 * confirmation, and in the end with the highest confidence.
 */
export async function runComparison(
  setting: Setting,
  selection: Selection,
  there: Results,
  look: Look,
  rule: Rule,
): Promise<Comparison> {
  const { plan, progress, sides } = setting;
  const here = sides[0]!;
  const looks = (id: RowId, confidence: number): boolean => {
    const [ours, theirs] = [here.find(id), there.find(id)];
    if (ours === undefined || theirs === undefined) return false;
    return looksChanged(look(ours, theirs, id), confidence, rule);
  };
  const again = (suspects: readonly RowId[], confirmation: number): Promise<void> => {
    const which = `confirmation ${confirmation}, ${suspects.length} rows`;
    const isSuspect = (id: RowId) => suspects.some(({ suite, row }) => suite === id.suite && row === id.row);
    return runPasses(
      {
        ...setting,
        plan: { ...plan, passes: plan.more },
        progress: (text) => progress(`${which}, ${text}`),
      },
      {
        suites: selection.suites.filter((name) => suspects.some(({ suite }) => suite === name)),
        isWanted: isSuspect,
      },
    );
  };
  const confirmed = await confirmChanges(here.ids(), plan.confirmations, rule.confidence, looks, again);
  const wanted = (id: RowId) => selection.suites.includes(id.suite) && selection.isWanted(id);
  const absent = (from: Results) => (id: RowId) => wanted(id) && from.find(id) === undefined;
  const alone = sides.map((side) => side.alone);
  return {
    threshold: rule.threshold,
    floor: floorOf(rule),
    confidence: rule.confidence,
    ...verdicts(here, there, look, confirmed, rule),
    onlyHere: [...alone[0]!, ...here.ids().filter(absent(there))],
    onlyThere: [...(alone[1] ?? []), ...there.ids().filter(absent(here))],
  };
}
