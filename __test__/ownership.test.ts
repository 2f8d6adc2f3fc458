import { fileURLToPath } from 'node:url';

import test from 'ava';

import { ownDevShm } from './lifetime/namespace.js';
import { run } from './lifetime/run.js';
import { names } from './ownership/scenarios.js';
import { TYPESCRIPT } from './helpers/typescript.js';

const script = fileURLToPath(new URL('ownership/scenarios.ts', import.meta.url));

for (const name of names) {
  test.serial(name, async (t) => {
    const [command, args] = ownDevShm('64m', [process.execPath, TYPESCRIPT, script, name]);
    const { code, signal, output } = await run(command, args);
    t.deepEqual({ code, signal }, { code: 0, signal: null }, output);
  });
}
