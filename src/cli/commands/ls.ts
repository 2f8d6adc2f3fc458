import type { Command } from 'commander';

import { segments } from '../../../index.js';

import { sorted, sortOption } from '../order.js';
import type { Order } from '../order.js';
import { print } from '../report.js';
import { segmentTable } from '../table.js';
import { json } from '../text.js';
import { totalsLine, totalsOf } from '../totals.js';

const EXAMPLES = `
Examples:
  shm ls --sort size        the largest first
  shm ls --leaked --json    what nobody owns any more, for a program`;

export function addLs(program: Command): void {
  program
    .command('ls')
    .description('list all segments, whoever made them: Node, Python or another')
    .addOption(sortOption('name'))
    .option('--leaked', 'only those whose owners are dead')
    .option('--json', 'an array of objects')
    .addHelpText('after', EXAMPLES)
    .action(ls);
}

function ls({ sort, leaked, json: asJson }: { sort: Order; leaked?: true; json?: true }): void {
  const all = sorted(segments(), sort);
  const infos = leaked ? all.filter((info) => info.leaked) : all;
  if (asJson) print(json(infos, 2));
  else print(...segmentTable(infos), totalsLine(totalsOf(infos)));
}
