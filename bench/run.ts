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
  /** Whether a row is compared by how long it takes alone. */
  isAlone: (id: RowId) => boolean,
): Promise<Comparison> {
  const { plan, progress, sides } = setting;
  const here = sides[0]!;
  const looks = (id: RowId, confidence: number): boolean => {
    const [ours, theirs] = [here.find(id), there.find(id)];
    if (ours === undefined || theirs === undefined) return false;
    return looksChanged(look(ours, theirs, id), confidence, rule);
  };
  const again = async (suspects: readonly RowId[], confirmation: number): Promise<void> => {
    const isSolo = (id: RowId) => isAlone(id) && here.find(id)!.alone.length > 0;
    for (const [solo, ids] of [
      [true, suspects.filter(isSolo)],
      [false, suspects.filter((id) => !isSolo(id))],
    ] as const) {
      if (ids.length === 0) continue;
      await runPasses(
        {
          ...setting,
          isAlone: solo,
          plan: { ...plan, passes: plan.more },
          request: { ...setting.request, peers: setting.request.peers && !solo },
          progress: (text) => progress(`confirmation ${confirmation}, ${ids.length} rows, ${text}`),
        },
        {
          suites: selection.suites.filter((name) => ids.some(({ suite }) => suite === name)),
          isWanted: (id) => ids.some(({ suite, row }) => suite === id.suite && row === id.row),
        },
      );
    }
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
