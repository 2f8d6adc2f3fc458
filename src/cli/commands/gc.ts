import type { Command } from 'commander';

import { collectGarbage, segments } from '../../../index.js';

import { print } from '../report.js';
import { counted, humanSize, json, shownName } from '../text.js';

const EXAMPLES = `
Examples:
  shm gc --dry-run    what would be removed
  shm gc --python     also what Python's processes left: psm_* that nobody has open`;

interface Options {
  dryRun?: boolean;
  python?: boolean;
  json?: true;
}

export function addGc(program: Command): void {
  program
    .command('gc')
    .description('remove what dead owners left')
    .option('-n, --dry-run', 'say what would be removed, and remove nothing')
    .option('--python', "also segments of Python's naming that nobody has open")
    .option('--json', 'an object with the names and the bytes')
    .addHelpText('after', EXAMPLES)
    .action(gc);
}

function gc({ dryRun = false, python = false, json: asJson }: Options): void {
  // Their sizes are to be had only before.
  const sizes = new Map(segments().map(({ name, size }) => [name, size]));
  const names = collectGarbage({ dryRun, python });
  const bytes = names.reduce((sum, name) => sum + (sizes.get(name) ?? 0), 0);
  if (asJson) return print(json({ removed: names, bytes, dryRun }, 2));
  const what = names.length === 0 ? 'nothing' : `${counted(names.length, 'segment')}, ${humanSize(bytes)}`;
  print(...names.map(shownName), `${dryRun ? 'would remove' : 'removed'} ${what}`);
}
