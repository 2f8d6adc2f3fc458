/** Workers in Node, which get what structured cloning has (`message-codec.ts`). */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { pack, unpack } from './message-codec.js';
import type { EncodedMessage } from './message-codec.js';
import type { Program } from './program.js';

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url));

/** Flags of a program that is no file, and those that only one process can have. */
const ONLY_OURS =
  /^(-(e|p|pe|c|i)$|--(eval|print|check|interactive|input-type|inspect|debug-port|watch|test)\b)/;

/** The flags of this process, for another one: loaders, conditions, memory. */
function flags(): string[] {
  let ours = false;
  return process.execArgv.filter((arg) => {
    if (arg.startsWith('-')) ours = ONLY_OURS.test(arg); // else it is the value of the flag before it
    return !ours;
  });
}

/** A module's functions, called by Node. */
export function nodeProgram(url: string): Program {
  return {
    start: () =>
      fork(WORKER, [url], {
        execArgv: flags(),
        serialization: 'advanced',
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      }),
    pack: (value, what): EncodedMessage => pack(value, what),
    unpack: (bytes, open) => unpack(bytes as Uint8Array, open),
  };
}
