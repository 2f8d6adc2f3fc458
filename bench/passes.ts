import type { Alone } from './alone.js';
import type { Cleanup } from './cleanup.js';
import { CpuMeter } from './cpu.js';
import type { IdleGate } from './cpu.js';
import type { Plan } from './plan.js';
import type { OpenedRow, SuiteRequest } from './protocol.js';
import { addPass, emptyOutcome, Results } from './results.js';
import type { RowId } from './results.js';
import { WorkerProcess } from './worker-process.js';

/** One checkout and what was measured with it. */
export class Side extends Results {
  readonly directory: string;
  /** The start of all names of its segments. */
  readonly prefix: string;
  /** Rows that the other side does not have. */
  readonly alone: RowId[] = [];

  constructor(directory: string, prefix: string) {
    super();
    this.directory = directory;
    this.prefix = prefix;
  }
}

/** What all passes of a run have in common. */
export interface Setting {
  /** One checkout, or two that are measured in turn. */
  readonly sides: readonly Side[];
  readonly plan: Plan;
  /** Whether rows are measured without rounds, as a confirmation of how long they take alone. */
  readonly isAlone: boolean;
  /** The least time of the reference in an earlier run. */
  readonly reference: number | null;
  readonly request: Omit<SuiteRequest, 'suite' | 'prefix'>;
  readonly cleanup: Cleanup;
  readonly meter: CpuMeter;
  readonly gate: IdleGate;
  readonly progress: (text: string) => void;
}

/** Measures rows once more in fresh processes, one for each side. `turn` says which side is the first one. */
export async function measurePass(
  setting: Setting,
  suites: readonly string[],
  isWanted: (id: RowId) => boolean,
  turn: number,
): Promise<void> {
  const { cleanup, sides } = setting;
  const { depth } = cleanup;
  const inTurn = turn % 2 === 0 ? sides : sides.toReversed();
  const started = await Promise.allSettled(
    inTurn.map(async (side) => {
      const worker = await WorkerProcess.start(side.directory);
      cleanup.defer(() => worker.stop());
      return { side, worker };
    }),
  );
  const workers = started.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
  for (const suite of suites) await measureSuite(setting, workers, suite, isWanted);
  await cleanup.unwind(depth);
}

interface SideWorker {
  readonly side: Side;
  readonly worker: WorkerProcess;
}

async function measureSuite(
  setting: Setting,
  workers: readonly SideWorker[],
  suite: string,
  isWanted: (id: RowId) => boolean,
): Promise<void> {
  const { request, gate, progress, cleanup } = setting;
  const names: string[][] = [];
  for (const { side, worker } of workers) {
    const { environment, rows } = await worker.request('suite', { ...request, suite, prefix: side.prefix });
    if (!side.suites.some(({ name }) => name === suite))
      side.suites.push({ name: suite, environment, rows: [] });
    names.push(rows.filter((row) => isWanted({ suite, row })));
  }
  const [first = []] = names;
  workers.forEach(({ side }, index) => {
    for (const row of names[index]!) {
      const isEverywhere = names.every((others) => others.includes(row));
      if (!isEverywhere && !side.alone.some((id) => id.suite === suite && id.row === row)) {
        side.alone.push({ suite, row });
      }
    }
  });
  for (const row of first.filter((one) => names.every((others) => others.includes(one)))) {
    await gate.pass();
    progress(`${suite}: ${row}`);
    try {
      await measureRow(setting, workers, { suite, row });
    } catch (error) {
      throw new Error(`${suite}: ${row}: ${(error as Error).message}`, { cause: error });
    }
    await cleanup.breathe();
  }
  for (const { worker } of workers) await worker.request('end', null);
}

/** Round by round: A B, B A, A B, … so that both meet the same state of the machine, and none is always first. */
async function measureRow(
  { plan, meter, gate, isAlone, reference }: Setting,
  workers: readonly SideWorker[],
  id: RowId,
): Promise<void> {
  const before = meter.read();
  const lanes: { side: Side; worker: WorkerProcess; opened: OpenedRow; rounds: number[][] }[] = [];
  for (const { side, worker } of workers) {
    lanes.push({ side, worker, opened: await worker.request('open', id.row), rounds: [] });
  }
  const limit = isAlone
    ? 0
    : Math.min(plan.rounds, ...lanes.map(({ opened }) => opened.readings ?? Infinity));
  const start = process.hrtime.bigint();
  for (let round = 0; round < limit; round++) {
    const inTurn = round % 2 === 0 ? lanes : lanes.toReversed();
    for (const { worker, rounds } of inTurn) rounds.push(await worker.request('round', null));
    const elapsed = Number(process.hrtime.bigint() - start);
    if (elapsed > plan.row && round + 1 >= plan.fewest) break;
  }
  const alone = plan.alone === 0 ? [] : await askAlone(plan.alone, reference, lanes);
  for (const { worker } of lanes) await worker.request('close', null);
  const othersCpu = CpuMeter.share(before, meter.read());
  gate.report(othersCpu);
  for (const [index, { side, opened, rounds }] of lanes.entries()) {
    let outcome = side.find(id);
    if (outcome === undefined) {
      outcome = emptyOutcome(id.row, opened);
      side.suites.find(({ name }) => name === id.suite)!.rows.push(outcome);
    }
    const own = alone[index];
    if (own) outcome.alone.push(own);
    if (!isAlone) addPass(outcome, opened, rounds, othersCpu);
  }
}

/** One side after the other, because two at once would disturb each other. */
async function askAlone(
  budget: number,
  earlier: number | null,
  lanes: readonly SideWorker[],
): Promise<(Alone | null)[]> {
  const alone: (Alone | null)[] = [];
  for (const { side, worker } of lanes) {
    const known = [earlier, side.reference()].filter((time) => time !== null);
    const reference = known.length === 0 ? null : Math.min(...known);
    alone.push(await worker.request('alone', { budget, reference }));
  }
  return alone;
}
