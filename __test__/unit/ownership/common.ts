/** What the scenarios have in common. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { SharedMemory } from 'shmkit';

import { trackers } from '../../fixtures/trackers.js';
import { until } from '../../fixtures/wait.js';
import { Actor, node } from './process.js';

export const LEDGERS = `/dev/shm/.shmkit-${process.geteuid!()}`;
export const NO_TRACKER = { env: { ...process.env, SHMKIT_TRACKER: 'off' } };
export const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shmkit-ownership-'));
process.once('exit', () => fs.rmSync(folder, { recursive: true }));

/** A segment that only this process has a say in. */
export function untracked(name: string): SharedMemory {
  return SharedMemory.create(64, { name, track: false });
}

/** A process that owns `name`, and is at it. */
export async function owner(name: string, options: Parameters<typeof node>[1] = {}): Promise<Actor> {
  // Without a tracker it looks at the ledgers once, in a thread, which must not find what the scenario puts there.
  const settle = options === NO_TRACKER ? 'while (threads() > before) await new Promise(setImmediate);' : '';
  const actor = node(
    `const threads = () => fs.readdirSync('/proc/self/task').length;
     const before = threads();
     SharedMemory.create(4096, { name: '${name}' }).buf[0] = 42;
     ${settle}
     say('made');
     hold();`,
    options,
  );
  assert.equal(await actor.line(), 'made');
  return actor;
}

export async function oneTracker(): Promise<number> {
  await until(
    'there is one tracker, to be connected to',
    () => trackers().length === 1 && fs.existsSync(`${LEDGERS}/tracker`),
  );
  return trackers()[0]!;
}

/** A shared library that does this when Node loads it. */
export function addon(name: string, code: string): string {
  const source = path.join(folder, `${name}.c`);
  const library = path.join(folder, `${name}.node`);
  const include =
    '#define _GNU_SOURCE\n#include <unistd.h>\n#include <signal.h>\n#include <stdlib.h>\n#include <sched.h>\n';
  fs.writeFileSync(source, `${include}__attribute__((constructor)) static void loaded(void) { ${code} }\n`);
  execFileSync('gcc', ['-shared', '-fPIC', '-o', library, source]);
  return library;
}

export function ledgers(): string[] {
  return fs.readdirSync(LEDGERS).filter((file) => file.endsWith('.ledger'));
}

/** By name. */
export type Scenarios = Record<string, () => Promise<void>>;
