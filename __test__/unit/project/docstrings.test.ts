import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import test from 'ava';

import { run } from '../../fixtures/run.js';
import type { Ended } from '../../fixtures/run.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const declarations = path.join(root, 'index.d.ts');

const check = (file: string): Promise<Ended> =>
  run(process.execPath, [path.join(root, 'scripts/docstrings.js'), file]);

test('every declaration of index.d.ts and every member has a docstring', async (t) => {
  const { code, output } = await check(declarations);
  t.is(output, '');
  t.is(code, 0);
});

test('a declaration and a member without a docstring are reported', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shmkit-docstrings-'));
  t.teardown(() => fs.rmSync(folder, { recursive: true }));
  const copy = path.join(folder, 'index.d.ts');
  const text = fs.readFileSync(declarations, 'utf8');
  const without = text.replace(/^declare class SharedMemory .*\n/m, '$&    undocumented(): void;\n');
  t.not(without, text);
  fs.writeFileSync(copy, `${without}\ndeclare function alsoUndocumented(): void;\n`);

  const { code, output } = await check(copy);
  t.is(code, 1);
  const lines = output.trimEnd().split('\n');
  t.is(lines.length, 2);
  t.regex(lines[0]!, /index\.d\.ts:\d+: SharedMemory\.undocumented has no docstring$/);
  t.regex(lines[1]!, /index\.d\.ts:\d+: alsoUndocumented has no docstring$/);
});
