import test from 'ava';

import { ownDevShm } from '../fixtures/own-dev-shm.js';
import { run } from '../fixtures/run.js';
import { names } from './lifetime/scenarios.js';
import { compiled, SOURCE_MAPS } from '../fixtures/typescript.js';

const script = await compiled(new URL('lifetime/scenarios.ts', import.meta.url));

for (const name of names) {
  test(name, async (t) => {
    const node = [process.execPath, '--expose-gc', SOURCE_MAPS, script, name];
    const [command, args] = ownDevShm(name.startsWith('a full') ? '16m' : '2g', node);
    const { code, signal, output } = await run(command, args);
    t.deepEqual({ code, signal }, { code: 0, signal: null }, output);
  });
}
