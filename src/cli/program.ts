import { createRequire } from 'node:module';

import { Command } from 'commander';

import { addCat } from './commands/cat.js';
import { addGc } from './commands/gc.js';
import { addInspect } from './commands/inspect.js';
import { addLs } from './commands/ls.js';
import { addRm } from './commands/rm.js';
import { addWatch } from './commands/watch.js';
import { printable } from './text.js';

const { version } = createRequire(import.meta.url)('shmkit/package.json') as { version: string };

/** The whole command line. What is wrong with it is thrown, as a `CommanderError`. */
export function shm(): Command {
  const program = new Command('shm')
    .description('What is in shared memory: whose it is, what it holds, and what was left behind.')
    .version(version)
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => {
        const lines = text.trimEnd().split('\n').map(printable);
        write(`${lines.join('\n').replace(/^error:/, 'shm:')}\n`);
      },
    });
  for (const add of [addLs, addInspect, addCat, addRm, addGc, addWatch]) add(program);
  return program;
}
