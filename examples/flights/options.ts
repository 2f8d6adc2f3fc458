// The command line.
import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';

export interface Options {
  /** Only the first `rows` flights of the file; all without it. */
  rows?: number;
  resamples: number;
  workers: number;
  /** A Python to try; `false` for none; `true` to look for one. */
  python: string | boolean;
  compare: boolean;
}

/** A command line that makes no sense. */
export class UsageError extends Error {
  static readonly exitCode = 2;
}

export function parseOptions(argv: readonly string[]): Options {
  const program = new Command('flights')
    .description('95% intervals of the mean arrival delay, by many processes over the same shared columns')
    .option('--rows <n>', 'use only the first n flights (default: all)', integer(1, 1e9))
    .option('--resamples <n>', 'bootstrap resamples', integer(2, 1e6), 2000)
    .option('--workers <n>', 'worker processes', integer(1, 256), availableParallelism())
    .option(
      '--python <path>',
      'Python to cross-check with (default: the first one with numpy, made if there is none)',
    )
    .option('--no-python', 'do without the Python worker')
    .option('--no-compare', 'do not measure the same columns sent by process.send')
    .allowExcessArguments(false)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : UsageError.exitCode));
  return program.parse(argv).opts<Options>();
}

function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}
