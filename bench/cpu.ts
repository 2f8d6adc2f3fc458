import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

/** From here on other processes disturb what is measured. */
export const NOTICEABLE = 0.1;
/** Milliseconds in which the gate looks at the machine. */
const WINDOW = 250;

/** CPU time in the kernel's ticks, since the machine or a process started. */
interface Reading {
  /** All processors, idle or not. */
  readonly total: number;
  /** All processors, busy. */
  readonly busy: number;
  /** This process and all that it started. */
  readonly own: number;
}

interface ProcessTimes {
  readonly id: string;
  readonly parent: string;
  /** Together with the start time, the pid identifies a process. */
  readonly key: string;
  /** With the time of the children that have ended and were waited for. */
  readonly ticks: number;
}

/** Tells how much CPU time other processes use. */
export class CpuMeter {
  /** Processes once seen below this one: they stay ours when their parent ends. */
  readonly #ours = new Set<string>();

  /** Undefined if the system has no `/proc`. */
  read(): Reading | undefined {
    try {
      const [first = ''] = readFileSync('/proc/stat', 'utf8').split('\n', 1);
      const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = first
        .trim()
        .split(/\s+/)
        .slice(1)
        .map(Number);
      const busy = user + nice + system + irq + softirq + steal;
      const total = busy + idle + iowait;
      return Number.isFinite(total) && total > 0 ? { total, busy, own: this.#own() } : undefined;
    } catch {
      return undefined;
    }
  }

  /** The share of all CPU time that other processes used between two readings; null if unknown. */
  static share(from: Reading | undefined, to: Reading | undefined): number | null {
    if (from === undefined || to === undefined || to.total <= from.total) return null;
    const others = to.busy - from.busy - (to.own - from.own);
    return Math.min(1, Math.max(0, others / (to.total - from.total)));
  }

  /** Its own tree: a process that ended is in its parent's time, if the parent waited for it. */
  #own(): number {
    const processes = readdirSync('/proc')
      .filter((entry) => /^\d+$/.test(entry))
      .map(processTimes)
      .filter((one) => one !== undefined);
    const children = new Map<string, ProcessTimes[]>();
    for (const one of processes) {
      const siblings = children.get(one.parent);
      if (siblings) siblings.push(one);
      else children.set(one.parent, [one]);
    }
    const pending = processes.filter(({ id, key }) => id === String(process.pid) || this.#ours.has(key));
    const seen = new Set<string>();
    let own = 0;
    for (let one = pending.pop(); one !== undefined; one = pending.pop()) {
      if (seen.has(one.key)) continue;
      seen.add(one.key);
      own += one.ticks;
      pending.push(...(children.get(one.id) ?? []));
    }
    for (const key of seen) this.#ours.add(key);
    return own;
  }
}

/** See proc_pid_stat(5); undefined if the process is gone. */
function processTimes(id: string): ProcessTimes | undefined {
  try {
    const text = readFileSync(`/proc/${id}/stat`, 'utf8');
    // The name before it, in parentheses, may contain anything.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [parent = '', started = ''] = [fields[1], fields[19]];
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return { id, parent, key: `${id} ${started}`, ticks };
  } catch {
    return undefined;
  }
}

/** Waits until other processes are quiet, but in a run of the benchmarks no longer than its budget. */
export class IdleGate {
  readonly #meter: CpuMeter;
  readonly #note: (text: string) => void;
  /** Milliseconds. */
  readonly #budget: number;
  #waited = 0;
  #last: number | null | undefined;

  /** `budget` in milliseconds; 0 never waits. */
  constructor(meter: CpuMeter, budget: number, note: (text: string) => void) {
    this.#meter = meter;
    this.#budget = budget;
    this.#note = note;
  }

  /** What was seen while the last row was measured: the gate looks itself only if that was busy. */
  report(othersCpu: number | null): void {
    this.#last = othersCpu;
  }

  /** Resolves when the machine is quiet or the budget is used up. */
  async pass(): Promise<void> {
    if (this.#last === null || (this.#last ?? 1) < NOTICEABLE) return;
    while (this.#waited < this.#budget) {
      const before = this.#meter.read();
      await setTimeout(Math.min(WINDOW, this.#budget - this.#waited));
      const share = CpuMeter.share(before, this.#meter.read());
      if (share === null) return this.#end('how much CPU other processes use is unknown on this system');
      if (share < NOTICEABLE) return;
      this.#waited += WINDOW;
      if (this.#waited >= this.#budget) {
        this.#end(
          `after ${this.#budget / 1000} s in all, other processes still use ${percent(share)} of the CPU: measured all the same`,
        );
      }
    }
  }

  #end(text: string): void {
    this.#waited = this.#budget;
    this.#note(text);
  }
}

/** `0.345` as `35%`. */
export function percent(share: number): string {
  return `${Math.round(100 * share)}%`;
}
