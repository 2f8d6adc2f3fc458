import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import pLimit from 'p-limit';

import { findPythons, venvPython, wantsAllPythons } from '../fixtures/python.js';
import { ownDevShm } from '../fixtures/own-dev-shm.js';
import { run } from '../fixtures/run.js';

// The Python binding, by real Python processes: each scenario in a process and a /dev/shm of its own, with every CPython
// on this machine. The wheel is for all of them, so they share what `scripts/python.js` unpacked.
const folder = fileURLToPath(new URL('python-binding', import.meta.url));
const script = join(folder, 'scenarios.py');
const wheel = fileURLToPath(new URL('../../.cache/python', import.meta.url));
const sources = readdirSync(folder).filter((file) => file.endsWith('.py'));
const names = sources.flatMap((file) =>
  [...readFileSync(join(folder, file), 'utf8').matchAll(/^@scenario\ndef (\w+)\(/gm)].map(
    ([, name]) => name!,
  ),
);

const NEEDS_NUMPY = new Set([
  'arrays_are_numpys_in_place',
  'arrays_of_numpy_in_a_dict',
  'arrays_outlive_their_segment',
  'numpys_arrays_outlive_a_shared_one',
  'numpys_items_of_a_broadcast',
  'numpys_items_of_a_queue',
  'numpys_slots_stay_mapped',
]);

/** The number of scenarios at once: each has processes of its own, whose waits have watchdogs. */
const limit = pLimit(2);

// Each scenario with one of them, in turn, unless all are wanted: the wheel is the same for all.
const pythons = await findPythons();
names.forEach((name, index) => {
  if (NEEDS_NUMPY.has(name)) return;
  const turn = [pythons[index % pythons.length]!];
  for (const { version, path } of wantsAllPythons ? pythons : turn) {
    test(`${name.replaceAll('_', ' ')} (CPython ${version})`, scenario, path, name);
  }
});
for (const name of NEEDS_NUMPY) test(name.replaceAll('_', ' '), scenario, venvPython(), name);

async function scenario(t: ExecutionContext, python: string, name: string): Promise<void> {
  const environment = [`PYTHONPATH=${wheel}`, 'PYTHONDONTWRITEBYTECODE=1'];
  const [command, args] = ownDevShm('64m', ['env', ...environment, python, script, name]);
  const { code, signal, output } = await limit(() => run(command, args));
  t.deepEqual({ code, signal, output }, { code: 0, signal: null, output: '' });
}
