import { measureAlone } from './alone.js';
import type { Alone, AloneRequest } from './alone.js';
import type { Peer, Row } from './harness.js';
import { calibrate, fillingIterations } from './iterations.js';
import type { Breathe } from './iterations.js';
import type { OpenedRow, SuiteRequest } from './protocol.js';

interface Lane {
  readonly peer: Peer;
  iterations: number;
  /** Nanoseconds (or bytes) that they took the last time. */
  figure: number;
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
    const lanes = contenders.map((peer): Lane => ({ peer, iterations: 1, figure: 0 }));
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
    for (const lane of this.#lanes) {
      const { peer, iterations } = lane;
      await this.#breathe();
      lane.figure = await peer.run(iterations);
      samples.push((lane.figure * (peer.scale ?? 1)) / (iterations * (this.#row.ops ?? 1)));
    }
    return samples;
  }

  /** Measures shmkit without its peers; null if a row has sizes, or readings of which there are few. */
  async alone(request: AloneRequest): Promise<Alone | null> {
    const { unit, readings, ops = 1 } = this.#row;
    if (unit === 'bytes' || readings !== undefined) return null;
    const [{ peer, iterations, figure }] = this.#lanes as readonly [Lane];
    const known = { iterations, time: figure > 0 ? figure : await peer.run(iterations) };
    const { time, reference } = await measureAlone(peer.run, known, request, this.#breathe);
    return { time: time / ops, reference };
  }

  /** Throws if a contender did not do the work. */
  verify(): void {
    this.#verify?.();
    for (const { peer } of this.#lanes) peer.verify?.();
  }
}
