import { Command, InvalidArgumentError } from 'commander';
import { resolve, sep } from 'node:path';

import { SUITE_NAMES } from './suites/names.js';

/** The exit code of a comparison that found a regression. */
export const REGRESSION = 1;
/** The exit code if nothing was measured: the command is wrong, or a row failed. */
export const FAILURE = 2;

/** What the command line asks for. */
export interface Options {
  /** Empty for all suites. */
  readonly suites: readonly string[];
  readonly quick: boolean;
  readonly python: string;
  /** Only rows whose name contains this. */
  readonly row: string;
  readonly json: string | undefined;
  /** The results of an earlier run. */
  readonly compare: string | undefined;
  /** Another checkout. */
  readonly against: string | undefined;
  /** 0.05 for 5 %. */
  readonly threshold: number;
  readonly passes: number | undefined;
}

interface Given {
  quick?: true;
  python: string;
  row?: string;
  json?: string;
  compare?: string;
  against?: string;
  threshold: number;
  passes?: number;
}

/** Reads the command line; ends the process with FAILURE if it is wrong. */
export function parseOptions(argv: readonly string[]): Options {
  const program = new Command('bench')
    .description(
      'Medians, and ratios to peers that are measured in the same interleaved rounds; comparisons with an earlier run or another checkout.',
    )
    .argument('[suite...]', `of ${SUITE_NAMES.join(', ')} (default: all)`)
    .option('--quick', 'small sizes, few rounds, rough numbers; comparisons find only large changes')
    .option('--row <text>', 'only rows whose name contains this')
    .option('--json <file>', 'write all samples and what they depend on')
    .option('--compare <old.json>', 'compare with the results of an earlier run')
    .option('--against <directory>', 'compare with another checkout, measured in the same rounds')
    .option('--threshold <percent>', 'exit with 1 if a row is slower by more', positive, 5)
    .option('--passes <number>', 'fresh processes in which each row is measured', atLeastOne)
    .option('--python <path>', 'the Python to compare with', 'python3')
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : FAILURE))
    .parse(argv);
  const given = program.opts<Given>();
  const fail = (message: string): never => program.error(`error: ${message}`);
  for (const name of program.args) {
    if (!(SUITE_NAMES as readonly string[]).includes(name)) {
      fail(`no suite '${name}'; there are ${SUITE_NAMES.join(', ')}`);
    }
  }
  if (given.compare !== undefined && given.against !== undefined) {
    fail('--compare and --against exclude each other; pass one of them');
  }
  return {
    suites: program.args,
    quick: given.quick ?? false,
    // Workers run in the directory of their checkout.
    python: given.python.includes(sep) ? resolve(given.python) : given.python,
    row: given.row ?? '',
    json: given.json,
    compare: given.compare,
    against: given.against === undefined ? undefined : resolve(given.against),
    threshold: given.threshold / 100,
    passes: given.passes,
  };
}

function positive(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError('expected a number above 0.');
}

function atLeastOne(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError('expected a whole number, at least 1.');
}
