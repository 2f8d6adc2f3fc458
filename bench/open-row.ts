import type { Peer, Row, Run } from './harness.js';
import type { OpenedRow, SuiteRequest } from './protocol.js';

/** Called before each run, outside of what is timed. */
export type Breathe = () => Promise<void>;

const MAX_ITERATIONS = 1e7;

interface Lane {
  readonly peer: Peer;
  iterations: number;
}

/** A row that is set up, calibrated and warm: ready for rounds. */
export class OpenRow {
  readonly #row: Row;
  readonly #lanes: readonly Lane[];
  readonly #limit: number | undefined;
  readonly #verify: (() => void) | undefined;
  readonly #breathe: Breathe;

  private constructor(
    row: Row,
    lanes: readonly Lane[],
    limit: number | undefined,
    verify: (() => void) | undefined,
    breathe: Breathe,
  ) {
    this.#row = row;
    this.#lanes = lanes;
    this.#limit = limit;
    this.#verify = verify;
    this.#breathe = breathe;
  }

  /** Sets up shmkit and, if `peers` is true, all peers. */
  static async open(
    row: Row,
    { peers, round, warmups }: Pick<SuiteRequest, 'peers' | 'round' | 'warmups'>,
    breathe: Breathe,
  ): Promise<OpenRow> {
    const contest = await row.open();
    const contenders: Peer[] = [{ name: 'shmkit', run: contest.shmkit }];
    if (peers) contenders.push(...contest.peers);
    const lanes = contenders.map((peer): Lane => ({ peer, iterations: 1 }));
    const isReading = row.readings !== undefined;
    if (!isReading) {
      for (const lane of lanes) lane.iterations = await calibrate(lane.peer.run, round, breathe);
    }
    for (let warmup = isReading ? Math.min(1, warmups) : warmups; warmup > 0; warmup--) {
      for (const lane of lanes) {
        await breathe();
        const time = await lane.peer.run(lane.iterations);
        // The first count was made with cold code.
        if (!isReading) lane.iterations = fillingIterations(round, lane.iterations, time);
      }
    }
    return new OpenRow(row, lanes, contest.limit, contest.verify, breathe);
  }

  /** What the coordinator needs to know of the row. */
  get description(): OpenedRow {
    const { unit = 'ns', readings } = this.#row;
    return {
      unit,
      ...(readings !== undefined && { readings }),
      ...(this.#limit !== undefined && { limit: this.#limit }),
      contenders: this.#lanes.map(({ peer: { name, target, scale }, iterations }) => ({
        name,
        iterations,
        ...(target && { target }),
        ...(scale !== undefined && { scale }),
      })),
    };
  }

  /** Runs all contenders once. Returns nanoseconds (or bytes) for one operation of each. */
  async round(): Promise<number[]> {
    const samples: number[] = [];
    for (const { peer, iterations } of this.#lanes) {
      await this.#breathe();
      const figure = await peer.run(iterations);
      samples.push((figure * (peer.scale ?? 1)) / (iterations * (this.#row.ops ?? 1)));
    }
    return samples;
  }

  /** Throws if a contender did not do the work. */
  verify(): void {
    this.#verify?.();
    for (const { peer } of this.#lanes) peer.verify?.();
  }
}

/** Returns a number of iterations that fills half a round or more; counting them also warms the code up. */
async function calibrate(run: Run, round: number, breathe: Breathe): Promise<number> {
  let iterations = 1;
  for (;;) {
    await breathe();
    const time = await run(iterations);
    if (time >= round / 2 || iterations >= MAX_ITERATIONS) return iterations;
    // At most tenfold: the first, cold iterations say little about later ones.
    iterations = Math.ceil(iterations * Math.min(10, (0.9 * round) / Math.max(time, 1)));
  }
}

/** The number of iterations that fills a round, given the time that some of them took. */
function fillingIterations(round: number, iterations: number, time: number): number {
  return Math.max(1, Math.min(MAX_ITERATIONS, Math.round((iterations * round) / Math.max(time, 1))));
}
