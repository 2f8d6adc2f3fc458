// Both implementations of each protocol, in TypeScript and in Rust, step by step beside each other: ./conformance/driver.ts.
// More steps: `npm run stress -- conformance`.
import test from 'ava';

import { run } from '../fixtures/run.js';
import { compiled, SOURCE_MAPS } from '../fixtures/typescript.js';

const STEPS = 250;
const driver = await compiled(new URL('conformance/driver.ts', import.meta.url));

for (const [order, seed] of [
  ['', 1],
  ['weak', 2],
] as const) {
  const where = order === '' ? '' : ', as where loads are reordered';
  test(`the facade and the engine agree in each answer and each word${where}`, async (t) => {
    const env = { ...process.env, SHMKIT_MEMORY_ORDER: order };
    const { code, output } = await run(
      process.execPath,
      [SOURCE_MAPS, driver, `${seed}`, `${STEPS}`],
      100,
      env,
    );
    t.is(code, 0, output);
    t.regex(output, /^\d+ steps$/m);
  });
}
