import type { Alone } from './alone.js';
import type { Target, Unit } from './harness.js';
import type { Environment, OpenedRow } from './protocol.js';

/** What was measured of one contender of a row. */
export interface Measured {
  readonly name: string;
  readonly target?: Target;
  readonly scale?: number;
  /** Of one sample; a number for each pass. */
  readonly iterations: number[];
  /** Nanoseconds (or bytes) for one operation: a list for each pass, with a sample for each round. */
  readonly samples: number[][];
}

/** A row's samples. */
export interface Outcome {
  readonly row: string;
  readonly unit: Unit;
  readonly limit?: number;
  /** The share (0 to 1) of all CPU time that other processes used, for each pass; null if unknown. */
  readonly othersCpu: (number | null)[];
  /** shmkit without its peers, for each pass; empty if the row cannot be measured so. */
  readonly alone: Alone[];
  readonly shmkit: Measured;
  readonly peers: readonly Measured[];
}

/** The outcomes of a suite. */
export interface SuiteOutcome {
  readonly name: string;
  readonly environment: Environment;
  readonly rows: Outcome[];
}

/** Names a row. */
export interface RowId {
  readonly suite: string;
  readonly row: string;
}

/** Everything that was measured of one checkout. */
export class Results {
  readonly suites: SuiteOutcome[];

  constructor(suites: readonly SuiteOutcome[] = []) {
    this.suites = [...suites];
  }

  find({ suite, row }: RowId): Outcome | undefined {
    return this.suites.find(({ name }) => name === suite)?.rows.find((outcome) => outcome.row === row);
  }

  /** The least time of the reference; null if it was never measured. */
  reference(): number | null {
    const all = this.suites.flatMap(({ rows }) => rows.flatMap(({ alone }) => alone));
    return all.length === 0 ? null : Math.min(...all.map(({ reference }) => reference));
  }

  /** The ids of all rows. */
  ids(): RowId[] {
    return this.suites.flatMap(({ name, rows }) => rows.map(({ row }) => ({ suite: name, row })));
  }
}

/** Makes room for the samples of a row. */
export function emptyOutcome(row: string, { unit, limit, contenders }: OpenedRow): Outcome {
  const [shmkit, ...peers] = contenders.map(({ name, target, scale }): Measured => ({
    name,
    ...(target && { target }),
    ...(scale !== undefined && { scale }),
    iterations: [],
    samples: [],
  }));
  return {
    row,
    unit,
    ...(limit !== undefined && { limit }),
    othersCpu: [],
    alone: [],
    shmkit: shmkit!,
    peers,
  };
}

/** Adds a pass. Peers that are not available in every pass keep only the passes in which they were. */
export function addPass(
  outcome: Outcome,
  { contenders }: OpenedRow,
  rounds: readonly (readonly number[])[],
  othersCpu: number | null,
): void {
  outcome.othersCpu.push(othersCpu);
  contenders.forEach(({ name, iterations }, index) => {
    const measured = index === 0 ? outcome.shmkit : outcome.peers.find((peer) => peer.name === name);
    measured?.iterations.push(iterations);
    measured?.samples.push(rounds.map((round) => round[index]!));
  });
}

/** The mean of a row's passes; null if unknown. */
export function meanOthersCpu({ othersCpu }: Outcome): number | null {
  const known = othersCpu.filter((share) => share !== null);
  if (known.length === 0) return null;
  return known.reduce((sum, share) => sum + share, 0) / known.length;
}
