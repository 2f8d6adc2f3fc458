// What the run prints at its end: tables and a plot, of plain characters and without colours.
import Table from 'cli-table3';
import { bandName } from './bands.js';
import type { Cost } from './compare.js';
import type { Band } from './summary.js';

const plain = { head: [], border: [] };
const missing = '-';

export function number(value: number, digits = 0): string {
  if (!Number.isFinite(value)) return missing;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function megabytes(bytes: number): string {
  return `${number(bytes / 1e6, 1)} MB`;
}

/** How long it has been since `start`, as performance.now() gave it. */
export function seconds(start: number): string {
  return `${number((performance.now() - start) / 1000, 1)} s`;
}

export function resultTable(bands: readonly Band[], withPython: boolean): string {
  const table = new Table({
    head: ['miles', 'flights', 'mean delay', '95% interval', ...(withPython ? ['Python'] : [])],
    colAligns: ['left', 'right', 'right', 'right', 'left'],
    style: plain,
  });
  bands.forEach(({ flights, mean, low, high, difference }, band) => {
    const interval = `${number(low, 3)} to ${number(high, 3)}`;
    const agreement = difference === 0 ? 'the same' : `differs by ${difference.toExponential(1)}`;
    const cells = [bandName(band), number(flights), number(mean, 3), interval];
    table.push(withPython ? [...cells, agreement] : cells);
  });
  return table.toString();
}

/** One line for each band, over a common axis in minutes: its interval as dashes, its mean as an `o`. */
export function intervalPlot(bands: readonly Band[], width = 72): string {
  const ends = bands.flatMap(({ low, mean, high }) => [low, mean, high]).filter(Number.isFinite);
  const left = Math.floor(Math.min(...ends));
  const right = Math.max(Math.ceil(Math.max(...ends)), left + 1);
  const column = (minutes: number) => Math.round(((minutes - left) / (right - left)) * (width - 1));

  const lines = bands.map(({ low, mean, high }, band) => {
    const cells = new Array<string>(width).fill(' ');
    if (Number.isFinite(low + mean + high)) {
      cells.fill('-', column(low), column(high) + 1);
      cells[column(mean)] = 'o';
    }
    return `${bandName(band).padStart(14)} |${cells.join('').trimEnd()}`;
  });

  const step = Math.ceil((right - left) / 8);
  const axis = new Array<string>(width).fill('-');
  let labels = '';
  for (let minutes = left; minutes <= right; minutes += step) {
    axis[column(minutes)] = '+';
    labels = labels.padEnd(column(minutes)) + minutes;
  }
  lines.push(`${'minutes'.padStart(14)} +${axis.join('')}`, `${' '.repeat(16)}${labels}`);
  return lines.join('\n');
}

export function costTable(costs: readonly Cost[], resamples: number): string {
  const table = new Table({
    head: ['columns by', 'all values read', `${number(resamples)} resamples`, 'memory'],
    colAligns: ['left', 'right', 'right', 'right'],
    style: plain,
  });
  for (const { way, read, resampled, memory } of costs) {
    const times = [read, resampled].map((time) => `${number(time, 1)} ms`);
    table.push([way, ...times, memory === undefined ? missing : signed(memory)]);
  }
  return table.toString();
}

function signed(bytes: number): string {
  return (bytes < 0 ? '' : '+') + megabytes(bytes);
}
