/** Repeats an operation `iterations` times; returns the nanoseconds it took or, in a row of sizes, the bytes. */
export type Run = (iterations: number) => number | Promise<number>;

/** What a row measures. */
export type Unit = 'ns' | 'bytes';

/** What the row should reach: N times as fast or as small as the peer, or at most N times the peer's time. */
export type Target = { readonly faster: number } | { readonly smaller: number } | { readonly time: number };

/** What shmkit is measured against. */
export interface Peer {
  readonly name: string;
  readonly run: Run;
  readonly target?: Target;
  /** The peer runs a smaller job; its time is multiplied by this. Default 1. */
  readonly scale?: number;
  /** Throws if the peer did not do the work. Called at the end, if the peer was measured. */
  readonly verify?: () => void;
}

/** A row that is set up. All contenders do the same work. */
export interface Contest {
  readonly shmkit: Run;
  readonly peers: readonly Peer[];
  /** The most that shmkit may take, independent of the peers; in the row's unit. */
  readonly limit?: number;
  /** Throws if the work was not done. Called at the end, outside of what is timed. */
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
   * The most rounds of this row in one pass, each of one iteration. For rows that read one figure from fresh
   * processes, where more iterations would tell nothing more.
   */
  readonly readings?: number;
  /** Sets the row up. What must be undone goes to the context's clean-up, which runs when the row is done. */
  open(): Contest | Promise<Contest>;
}

let consumed: unknown;

/** Times a body that runs in this process. Its result is kept, so that no compiler drops the work. */
export function timed(body: (iterations: number) => unknown): Run {
  return (iterations) => {
    const start = process.hrtime.bigint();
    consumed = body(iterations);
    return Number(process.hrtime.bigint() - start);
  };
}

/** The last result of any body. Because it can be read, no compiler may drop the work. */
export function lastResult(): unknown {
  return consumed;
}
