import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

import type { Command } from 'commander';

import type { SegmentInfo } from '../../../index.js';

import { paint } from '../colour.js';
import { inspectorOf } from '../inspect/inspectors.js';
import type { Inspected } from '../inspect/inspector.js';
import { find } from '../lookup.js';
import { count } from '../numbers.js';
import { complain, print } from '../report.js';
import { columns } from '../table.js';
import { age, counted, humanSize, json, printable, shownName, shownPid } from '../text.js';

const EXAMPLES = `
Examples:
  shm inspect board             a list: its first items
  shm inspect raw --limit 4096  raw bytes: the first 4096 of them`;

interface Options {
  limit?: number;
  json?: true;
}

export function addInspect(program: Command): void {
  program
    .command('inspect')
    .description('all that is known of a segment, and the first things in it')
    .argument('<name>')
    .option('--limit <count>', 'show so many items, values or bytes', count)
    .option('--json', 'an object, with what is in the segment as its `contents`')
    .addHelpText('after', EXAMPLES)
    .action(inspect);
}

function inspect(name: string, { limit, json: asJson }: Options): void {
  const info = find(name);
  const { contents, facts, body } = lookInto(info, limit);
  if (asJson) return print(json({ ...info, contents }, 2));
  const lines = [...known(info), ...facts].map(([what, value]) => [paint('bold', what), value]);
  print(...columns(lines, ['left', 'left']));
  if (body.length > 0) print('', ...body);
}

/** What cannot be opened, another user's say, is told all the same: as far as it is known. */
function lookInto(info: SegmentInfo, limit?: number): Inspected {
  try {
    return inspectorOf(info)(info, limit);
  } catch (error) {
    complain(error);
    process.exitCode = 1;
    return { contents: null, facts: [], body: [] };
  }
}

/** What is known of every segment. */
function known({
  name,
  size,
  kind,
  owners,
  attached,
  leaked,
  uid,
  mode,
  created,
}: SegmentInfo): [string, string][] {
  return [
    ['name', shownName(name)],
    ['size', size < 1024 ? counted(size, 'byte') : `${humanSize(size)} (${size} bytes)`],
    ['kind', kind],
    ['owners', processes(owners)],
    ['attached', processes(attached)],
    ['leaked', leaked ? paint('yellow', 'yes') : 'no'],
    ['user', `${uid}, mode ${mode.toString(8).padStart(4, '0')}`],
    ['created', `${created.toISOString()}, ${age(created)} ago`],
  ];
}

function processes(pids: readonly number[]): string {
  return pids.map((pid) => `${shownPid(pid)} ${command(pid)}`.trimEnd()).join(', ') || 'none';
}

/** What a process calls itself, as long as it is there. */
function command(pid: number): string {
  if (pid === 0) return '(in another PID namespace)';
  try {
    // Not its `comm`, which Node 24 and later call MainThread.
    const [program = ''] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return `(${printable(basename(program))})`;
  } catch {
    return '';
  }
}
