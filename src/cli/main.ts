#!/usr/bin/env node
import { CommanderError } from 'commander';

import { shm } from './program.js';
import { complain } from './report.js';

/** The command was called wrongly. */
const USAGE = 2;

function exitCode(error: unknown): number {
  // Commander has said what it had to say, and ended well where that was a help or a version.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
  complain(error);
  return 1;
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Whoever reads has had enough: `shm ls | head -1`.
  if (error.code === 'EPIPE') process.exit();
  complain(error);
  process.exit(1);
});

try {
  await shm().parseAsync();
} catch (error) {
  process.exitCode = exitCode(error);
}
