import { fileURLToPath } from 'node:url';

import test from 'ava';

import { venvPython } from './helpers/python.js';
import { run } from './lifetime/run.js';

const example = (file: string): string => fileURLToPath(new URL(`../examples/${file}`, import.meta.url));
const node = (file: string) => run(process.execPath, ['--import=tsx', example(file)]);

test('txn.ts: what one process writes inside of a txn the other reads', async (t) => {
  const { code, output } = await node('txn.ts');
  t.is(code, 0, output);
  t.is(
    output,
    '[99] is 99, [0:10] is 0 1 2 3 4 5 6 7 8 9\n' +
      '[99] is 198, [0:10] is 0 2 4 6 8 10 12 14 16 18\n' +
      '[99] is 41, [0:10] is 0 3 6 9 12 15 18 21 24 27\n',
  );
});

test('manager-dict: four workers count under their pids, as in the Python original', async (t) => {
  const printed = /^(process \d+ wrote \d+ times\n){4}2000 in \d+ ms\n$/;
  const [ours, original] = await Promise.all([
    node('manager-dict/main.ts'),
    run(venvPython(), [example('manager-dict/original.py')]),
  ]);
  for (const { code, output } of [ours, original]) {
    t.is(code, 0, output);
    t.regex(output, printed);
  }
});
