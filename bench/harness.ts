/** Does something so many times and says how many nanoseconds it took; or, in a row of sizes, how many bytes. */
export type Run = (iterations: number) => number | Promise<number>;

/** What a row is about. */
export type Unit = 'ns' | 'bytes';

/** What the issue asks for: to be so many times as fast or small, or to take at most so many times as long. */
export type Target = { readonly faster: number } | { readonly smaller: number } | { readonly time: number };

/** What shmkit is measured against. */
export interface Peer {
  readonly name: string;
  readonly run: Run;
  readonly target?: Target;
  /** Runs a smaller job, and its time counts so many times. Default 1. */
  readonly scale?: number;
}

/** A row that is set up: all of it does the same work. */
export interface Contest {
  readonly shmkit: Run;
  readonly peers: readonly Peer[];
  /** The most that shmkit may take, whatever the peers do; in the row's unit. */
  readonly limit?: number;
  /** Throws where the work was not done. Called at the end, outside of what is timed. */
  readonly verify?: () => void;
}

/** One line of the report. */
export interface Row {
  readonly name: string;
  /** Operations in one iteration; times are given for one operation. Default 1. */
  readonly ops?: number;
  /** Default `ns`. */
  readonly unit?: Unit;
  /**
   * So many rounds at most, of one iteration each: a run starts processes and reads one figure off them, and a
   * longer run would tell no more.
   */
  readonly readings?: number;
  /** Sets it up. What it leaves goes to the context's clean-up, which runs when the row is done. */
  open(): Contest | Promise<Contest>;
}

/** How long to measure. */
export interface Budget {
  /** Nanoseconds that a round of one contender should take. */
  readonly round: number;
  readonly warmups: number;
  readonly rounds: number;
  /** After so many nanoseconds a row stops, once it has the fewest rounds. */
  readonly row: number;
  readonly fewest: number;
}

export const FULL: Budget = { round: 30e6, warmups: 3, rounds: 21, row: 8e9, fewest: 7 };
export const QUICK: Budget = { round: 2e6, warmups: 1, rounds: 3, row: 0.3e9, fewest: 2 };

/** A contender's nanoseconds (or bytes) for one operation, one sample for each round. */
export interface Measured {
  readonly name: string;
  readonly iterations: number;
  readonly samples: number[];
  readonly target?: Target;
  readonly scale?: number;
}

/** A row's outcome; the first contender is shmkit. */
export interface Outcome {
  readonly row: string;
  readonly unit: Unit;
  readonly limit?: number;
  readonly shmkit: Measured;
  readonly peers: readonly Measured[];
}

const MAX_ITERATIONS = 1e7;

let consumed: unknown;

/** Times a body that runs in this process. What it returns is kept, so that no compiler drops the work. */
export function timed(body: (iterations: number) => unknown): Run {
  return (iterations) => {
    const start = process.hrtime.bigint();
    consumed = body(iterations);
    return Number(process.hrtime.bigint() - start);
  };
}

/** The last result of any body; read it and the work cannot have been for nothing. */
export function lastResult(): unknown {
  return consumed;
}

/** How many iterations about half fill a round, or more; counting them warms the code up as well. */
async function calibrate(run: Run, round: number, breathe: Breathe): Promise<number> {
  let iterations = 1;
  for (;;) {
    await breathe();
    const time = await run(iterations);
    if (time >= round / 2 || iterations >= MAX_ITERATIONS) break;
    // At most tenfold: the first, cold iterations say little about the later ones.
    iterations = Math.ceil(iterations * Math.min(10, (0.9 * round) / Math.max(time, 1)));
  }
  return iterations;
}

/** How many iterations fill a round, where so many took that long. */
function filling(round: number, iterations: number, time: number): number {
  return Math.max(1, Math.min(MAX_ITERATIONS, Math.round((iterations * round) / Math.max(time, 1))));
}

/** Called before each run, outside of what is timed. */
type Breathe = () => Promise<void>;

/** Measures a row in interleaved rounds, so that all contenders meet the same weather. */
export async function measure(row: Row, budget: Budget, breathe: Breathe): Promise<Outcome> {
  const { shmkit, peers, limit, verify } = await row.open();
  const lanes = [{ name: 'shmkit', run: shmkit }, ...peers].map((peer: Peer) => ({
    peer,
    iterations: 1,
    samples: [] as number[],
  }));
  const { readings } = row;
  if (readings === undefined) {
    for (const lane of lanes) lane.iterations = await calibrate(lane.peer.run, budget.round, breathe);
  }
  const [warmups, rounds] =
    readings === undefined ? [budget.warmups, budget.rounds] : [1, Math.min(readings, budget.rounds)];
  const start = process.hrtime.bigint();
  for (let round = -warmups; round < rounds; round++) {
    for (const lane of lanes) {
      const { peer, iterations, samples } = lane;
      await breathe();
      const time = await peer.run(iterations);
      if (round >= 0) samples.push((time * (peer.scale ?? 1)) / (iterations * (row.ops ?? 1)));
      // What was counted first was counted cold.
      else if (readings === undefined) lane.iterations = filling(budget.round, iterations, time);
    }
    const elapsed = Number(process.hrtime.bigint() - start);
    if (elapsed > budget.row && round + 1 >= budget.fewest) break;
  }
  verify?.();
  const [ours, ...theirs] = lanes.map(({ peer: { name, target, scale }, iterations, samples }) => ({
    name,
    iterations,
    samples,
    ...(target && { target }),
    ...(scale !== undefined && { scale }),
  }));
  return {
    row: row.name,
    unit: row.unit ?? 'ns',
    ...(limit !== undefined && { limit }),
    shmkit: ours!,
    peers: theirs,
  };
}
