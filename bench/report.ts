import { cpus } from 'node:os';

import Table from 'cli-table3';

import type { Measured, Outcome, Unit } from './harness.js';
import type { Python } from './python.js';
import { isTime, median, ratio, wanted } from './statistics.js';

/** Three digits and a unit. */
export function duration(nanoseconds: number): string {
  const [value, unit] =
    nanoseconds < 1e3
      ? [nanoseconds, 'ns']
      : nanoseconds < 1e6
        ? [nanoseconds / 1e3, 'µs']
        : nanoseconds < 1e9
          ? [nanoseconds / 1e6, 'ms']
          : [nanoseconds / 1e9, 's'];
  return `${digits(value)} ${unit}`;
}

function size(bytes: number): string {
  return `${digits(bytes / 2 ** 20)} MB`;
}

const FIGURES: Record<Unit, (value: number) => string> = { ns: duration, bytes: size };

function digits(value: number): string {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0);
}

function comparison(shmkit: Measured, peer: Measured): [ratio: string, verdict: string] {
  const { target } = peer;
  const { median: middle, min, max, ok } = ratio(shmkit, peer);
  const measured = `${isTime(target) ? 'time ' : ''}${digits(middle)}× (${digits(min)}–${digits(max)})`;
  if (target === undefined) return [measured, ''];
  const aim = isTime(target) ? `time ≤ ${target.time}×` : `≥ ${wanted(target)}×`;
  return [measured, `${aim} ${ok ? 'ok' : 'below'}`];
}

/** Whether shmkit alone keeps to what it may take. */
function allowance({ unit, limit, shmkit }: Outcome): string {
  if (limit === undefined) return '';
  return `≤ ${FIGURES[unit](limit)} ${median(shmkit.samples) <= limit ? 'ok' : 'above'}`;
}

/** One line for each peer: medians, and the ratio as the median of each round's. */
export function table(outcomes: readonly Outcome[]): string {
  const lines = new Table({
    head: ['row', 'shmkit', 'peer', 'peer’s', 'ratio (min–max)', 'target'],
    colAligns: ['left', 'right', 'left', 'right', 'right', 'left'],
    style: { head: [], border: [], compact: true },
  });
  for (const outcome of outcomes) {
    const { row, unit, shmkit, peers } = outcome;
    const figure = FIGURES[unit];
    const ours = figure(median(shmkit.samples));
    const limit = allowance(outcome);
    if (peers.length === 0) lines.push([row, ours, '', '', '', limit]);
    peers.forEach((peer, index) => {
      const first = index === 0;
      const [compared, verdict] = comparison(shmkit, peer);
      const verdicts = [first ? limit : '', verdict].filter((it) => it !== '').join(', ');
      const theirs = figure(median(peer.samples));
      lines.push([first ? row : '', first ? ours : '', peer.name, theirs, compared, verdicts]);
    });
  }
  return lines.toString();
}

/** What the numbers depend on. Nothing in it tells which machine it was. */
export function environment(python: Python | undefined) {
  const processors = cpus();
  return {
    node: process.versions.node,
    v8: process.versions.v8,
    python: python?.version ?? null,
    numpy: python?.numpy ?? null,
    platform: process.platform,
    arch: process.arch,
    cpu: processors[0]?.model ?? 'unknown',
    cores: processors.length,
  };
}
