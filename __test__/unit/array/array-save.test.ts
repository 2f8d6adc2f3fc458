/** What `save()` leaves on the disk. That numpy reads it is in interop/array-numpy.test.ts. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import { SharedArray } from 'shmkit';

import { freshName } from '../../fixtures/segments.js';

function folderOf(t: ExecutionContext): string {
  const dir = mkdtempSync(path.join(tmpdir(), 'shmkit-save-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  return dir;
}

test('a saved file appears when it is complete, and stays as it was where the array is closed meanwhile', async (t) => {
  const dir = folderOf(t);
  const file = path.join(dir, 'a.npy');
  const pieces = 4;
  const large = () => SharedArray.create([pieces * 2 ** 24], { dtype: 'uint8', name: freshName(t) });
  /** The sizes of all files, drafts included. */
  const sizes = () =>
    readdirSync(dir).map((name) => statSync(path.join(dir, name), { throwIfNoEntry: false })?.size ?? 0);

  const first = large();
  const early = first.save(file);
  first.close();
  await t.throwsAsync(early, { code: 'ERR_SHM_CLOSED' });
  t.deepEqual(sizes(), []);

  using whole = large();
  await whole.save(file);
  const complete = whole.shm.size;
  t.deepEqual(sizes(), [complete]);

  writeFileSync(file, 'before');
  const late = large();
  const saving = late.save(file).then(
    () => 'saved',
    (error: { code: string }) => error.code,
  );
  // The file has its name and its old bytes until the new ones are complete.
  while (!sizes().some((size) => size > 2 ** 24)) await nextTurn();
  late.close();
  const outcome = await saving;
  t.true(outcome === 'ERR_SHM_CLOSED' || outcome === 'saved', outcome);
  t.deepEqual(sizes(), [outcome === 'saved' ? complete : 'before'.length]);
});

test('save() keeps the permissions of the file that it replaces, and follows links', async (t) => {
  const dir = folderOf(t);
  const [file, link, fifo] = ['a.npy', 'link', 'fifo'].map((name) => path.join(dir, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(file, 'before');
  chmodSync(file, 0o640);
  symlinkSync('a.npy', link);
  using a = SharedArray.from([1, 2, 3], { dtype: 'int16', name: freshName(t) });
  await a.save(link);
  t.is(statSync(file).mode & 0o777, 0o640);
  t.true(lstatSync(link).isSymbolicLink());
  const saved = readFileSync(file);
  using same = await SharedArray.load(pathToFileURL(file), { name: freshName(t) });
  t.deepEqual(same.toArray(), [1, 2, 3]);

  execFileSync('mkfifo', [fifo]);
  const [piped] = await Promise.all([readFile(fifo), a.save(fifo)]);
  t.deepEqual(piped, saved, 'what is no file is written as it is');
  t.deepEqual(readdirSync(dir).toSorted(), ['a.npy', 'fifo', 'link']);
});
