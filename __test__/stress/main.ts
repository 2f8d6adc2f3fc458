/**
 * `npm run stress -- NAME [--rounds N] [--seed S] [options of its own]` runs one kind of stress. `npm run stress -- all
 * [--share 0.02] [--seed S]` runs all of them, or a share of each. Without a name it lists the kinds.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';

import { KINDS } from './kinds.js';
import { kindOf, stress } from './run.js';
import { compiled, SOURCE_MAPS } from '../fixtures/typescript.js';

const COMMON = {
  rounds: { type: 'string' },
  seed: { type: 'string', default: '1' },
  inside: { type: 'boolean', default: false },
} as const;

function help(): string {
  const names = ['all', ...Object.keys(KINDS)];
  const width = Math.max(...names.map((name) => name.length)) + 2;
  const lines = Object.entries(KINDS).map(([name, kind]) => {
    const options = Object.keys(kind.options ?? {}).map((option) => ` [--${option}]`);
    const full = `${kind.rounds.toLocaleString('en')} ${kind.unit}`;
    return `  ${name.padEnd(width)}${full}: ${kind.what}${options.join('')}`;
  });
  return [
    'usage: npm run stress -- NAME [--rounds N] [--seed S] [options of its own]',
    '       npm run stress -- NAME --help',
    '       npm run stress -- all [--share 0.02] [--seed S]',
    '',
    ...lines,
    `  ${'all'.padEnd(width)}every one of them in turn`,
  ].join('\n');
}

function helpOf(name: string): string {
  const { rounds, unit, what, options = {} } = kindOf(name);
  const lines = Object.entries(options).map(([option, { type, what: text, default: value }]) => {
    const shown =
      type === 'string' ? `--${option} ${value === undefined ? 'X' : String(value)}` : `--${option}`;
    return `  ${shown.padEnd(24)}${text}`;
  });
  const full = `${rounds.toLocaleString('en')} ${unit}`;
  return [
    `${name}: ${what}`,
    `  ${'--rounds N'.padEnd(24)}${full}`,
    `  ${'--seed S'.padEnd(24)}1`,
    ...lines,
  ].join('\n');
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} is '${text}', expected a number above 0`);
  return value;
}

async function one(name: string, args: readonly string[]): Promise<void> {
  const { options: own = {} } = kindOf(name);
  const { values } = parseArgs({ args: [...args], options: { ...own, ...COMMON } });
  const { rounds, seed, inside, ...rest } = values as typeof values & {
    rounds?: string;
    seed: string;
    inside: boolean;
  };
  const summary = await stress(name, {
    rounds: rounds === undefined ? undefined : positive('rounds', rounds),
    seed: Number(seed),
    options: rest as Record<string, string | boolean>,
    isInside: inside,
  });
  console.log(summary);
}

/** Runs it in a process of its own, so that it cannot end the others; how it ended. */
async function apart(args: readonly string[]): Promise<'passed' | `failed (${string})`> {
  const main = await compiled(new URL(import.meta.url));
  const child = spawn(process.execPath, [SOURCE_MAPS, main, ...args], { stdio: 'inherit' });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  return code === 0 ? 'passed' : `failed (${code ?? signal})`;
}

async function all(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { share: { type: 'string', default: '1' }, seed: { type: 'string', default: '1' } },
  });
  const share = positive('share', values.share);
  const table: string[] = [];
  const runs = Object.entries(KINDS).flatMap(([name, kind]) =>
    [[], ...(kind.variants ?? [])].map((variant) => ({ name, kind, variant })),
  );
  for (const { name, kind, variant } of runs) {
    const rounds = Math.ceil(kind.rounds * share);
    const title = [name, ...variant].join(' ');
    const began = performance.now();
    const reason = kind.unavailable?.();
    if (reason === undefined) console.log(`\n${title}: ${rounds} ${kind.unit}, seed ${values.seed}`);
    const order = [name, '--rounds', String(rounds), '--seed', values.seed, ...variant];
    const outcome = reason === undefined ? await apart(order) : `skipped: ${reason}`;
    if (outcome.startsWith('failed')) process.exitCode = 1;
    const seconds = `${((performance.now() - began) / 1000).toFixed(0)} s`;
    table.push(`${title.padEnd(26)}${`${rounds} ${kind.unit}`.padEnd(46)}${seconds.padStart(7)}  ${outcome}`);
  }
  console.log(`\n${table.join('\n')}`);
}

const [name, ...args] = process.argv.slice(2);
try {
  if (name === undefined || name === '--help' || name === '-h') console.log(help());
  else if (args.includes('--help')) console.log(name === 'all' ? help() : helpOf(name));
  else if (name === 'all') await all(args);
  else await one(name, args);
} catch (error) {
  console.error((error as Error).name === 'Fault' ? `fault: ${(error as Error).message}` : error);
  process.exitCode = 1;
}
