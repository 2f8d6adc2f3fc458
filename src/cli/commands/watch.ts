import { setTimeout as sleep } from 'node:timers/promises';

import type { Command } from 'commander';

import { segments } from '../../../index.js';

import { paint } from '../colour.js';
import { positive, seconds } from '../numbers.js';
import { sorted, sortOption } from '../order.js';
import type { Order } from '../order.js';
import { print } from '../report.js';
import { Screen } from '../screen.js';
import { segmentTable } from '../table.js';
import { json } from '../text.js';
import { totalsLine, totalsOf } from '../totals.js';
import type { Totals } from '../totals.js';

const BAR = 20;
const EXAMPLES = `
Examples:
  shm watch                              until Ctrl-C
  shm watch --json --interval 10 >> log  a line of JSON every 10 seconds`;

interface Options {
  interval: number;
  count?: number;
  sort: Order;
  json?: true;
}

export function addWatch(program: Command): void {
  program
    .command('watch')
    .description('list all segments again and again')
    .option('--interval <seconds>', 'from one look to the next', seconds, 1)
    .option('--count <frames>', 'end after so many looks', positive)
    .addOption(sortOption('size'))
    .option('--json', 'one line with an object for each look')
    .addHelpText('after', EXAMPLES)
    .action(watch);
}

async function watch({ interval, count = Infinity, sort, json: asJson }: Options): Promise<void> {
  if (asJson) return repeat(interval, count, () => print(jsonLine(sort)));
  const screen = Screen.open();
  if (screen === undefined) return repeat(interval, count, () => print(...frame(sort)));
  try {
    await repeat(interval, count, () => screen.draw(frame(sort, screen.rows)));
  } finally {
    screen.close();
  }
}

/** Until it has been often enough, or somebody ends it. */
async function repeat(interval: number, count: number, look: () => void): Promise<void> {
  const stop = new AbortController();
  const { signal } = stop;
  const end = () => stop.abort();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, end);
  for (let looks = 1; !signal.aborted; looks++) {
    look();
    if (looks >= count) return;
    await sleep(interval * 1000, undefined, { signal }).catch(() => {});
  }
}

function jsonLine(sort: Order): string {
  const infos = sorted(segments(), sort);
  const { bytes, free, total } = totalsOf(infos);
  return json({ time: new Date(), bytes, free, total, segments: infos });
}

/** The table and its totals; of more segments than fit into `rows`, the first. */
function frame(sort: Order, rows = Infinity): string[] {
  const infos = sorted(segments(), sort);
  const totals = totalsOf(infos);
  const table = segmentTable(infos);
  const room = Math.max(1, rows - 2);
  const fits = table.length <= room;
  const more = fits ? [] : [paint('dim', `… ${table.length - room + 1} more`)];
  const shown = fits ? table : table.slice(0, room - 1);
  return [...shown, ...more, `${bar(totals)}${totalsLine(totals)}`];
}

/** How full `/dev/shm` is, whoever filled it. */
function bar({ free, total }: Totals): string {
  if (total === 0) return '';
  const used = 1 - free / total;
  const full = Math.round(used * BAR);
  const text = `[${'#'.repeat(full)}${'-'.repeat(BAR - full)}] `;
  return used < 0.75 ? text : paint(used < 0.9 ? 'yellow' : 'red', text);
}
