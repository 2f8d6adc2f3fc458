import test from 'ava';

import { ownDevShm } from '../../fixtures/own-dev-shm.js';
import { run } from '../../fixtures/run.js';
import { names } from './scenarios.js';
import { compiled, SOURCE_MAPS } from '../../fixtures/typescript.js';

const script = await compiled(new URL('scenarios.ts', import.meta.url));

for (const name of names) {
  test.serial(name, async (t) => {
    const [command, args] = ownDevShm('64m', [process.execPath, SOURCE_MAPS, script, name]);
    const { code, signal, output } = await run(command, args);
    t.deepEqual({ code, signal }, { code: 0, signal: null }, output);
  });
}
