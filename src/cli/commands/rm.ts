import type { Command } from 'commander';

import { unlink } from '../../../index.js';
import type { SegmentInfo } from '../../../index.js';

import { find } from '../lookup.js';
import { Questions } from '../question.js';
import { complain, print } from '../report.js';
import { counted, json, printable } from '../text.js';

const EXAMPLES = `
Examples:
  shm rm frames              asks first, if a living process uses it
  shm rm --force psm_1a2b3c psm_4d5e6f`;

interface Options {
  force?: true;
  json?: true;
}

export function addRm(program: Command): void {
  program
    .command('rm')
    .description('remove segments; whoever is attached stays attached')
    .argument('<name...>')
    .option('-f, --force', 'also those that a living process owns or has attached')
    .option('--json', 'an object with what was removed and what refused, and why')
    .addHelpText('after', EXAMPLES)
    .action(rm);
}

async function rm(names: string[], { force, json: asJson }: Options): Promise<void> {
  const removed: string[] = [];
  const refused: { name: string; why: string }[] = [];
  const questions = process.stdin.isTTY && !force ? new Questions() : undefined;
  for (const name of names) {
    try {
      const users = usersOf(find(name));
      if (users !== '' && !force) await permit(name, users, questions);
      unlink(name);
      removed.push(name);
    } catch (error) {
      refused.push({ name, why: (error as Error).message });
      complain(error);
    }
  }
  questions?.close();
  if (asJson) print(json({ removed, refused }, 2));
  if (refused.length > 0) process.exitCode = 1;
}

/** Whether it may go though it is in use; else an error says why not. */
async function permit(name: string, users: string, questions?: Questions): Promise<void> {
  const inUse = `'${name}' is in use, ${users}`;
  if (questions === undefined) throw new Error(`${inUse}; --force removes it all the same`);
  if (!(await questions.agrees(printable(`${inUse}. Remove it? [y/N] `)))) {
    throw new Error(`'${name}' stays`);
  }
}

/** `owned by process 12 and attached by processes 12, 34`, or nothing. */
function usersOf({ owners, attached }: SegmentInfo): string {
  const uses: [string, number[]][] = [
    ['owned', owners],
    ['attached', attached],
  ];
  return uses
    .map(([use, pids]): [string, number[]] => [use, pids.filter((pid) => pid !== process.pid)])
    .filter(([, pids]) => pids.length > 0)
    .map(([use, pids]) => `${use} by ${processes(pids)}`)
    .join(' and ');
}

function processes(pids: readonly number[]): string {
  const here = pids.filter((pid) => pid !== 0);
  const elsewhere = pids.length - here.length;
  const parts: string[] = [];
  if (here.length > 0) parts.push(`${here.length === 1 ? 'process' : 'processes'} ${here.join(', ')}`);
  if (elsewhere > 0) {
    parts.push(`${counted(elsewhere, 'process', 'processes')} in another PID namespace`);
  }
  return parts.join(' and ');
}
