import { fstatSync, lstatSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import type { ExecutionContext } from 'ava';

/** Where the system keeps segments. */
const DIRECTORY = '/dev/shm';

let last = 0;

export function segmentPath(name: string): string {
  return join(DIRECTORY, name);
}

/** A name that nobody else has, with this at its end; whatever has it after the test is removed. */
export function freshName(t: ExecutionContext, end = ''): string {
  const name = `shmkit-test-${process.pid}-${++last}${end}`;
  t.teardown(() => rmSync(segmentPath(name), { force: true, recursive: true }));
  return name;
}

/** Whether there is anything of this name. */
export function exists(name: string): boolean {
  return lstatSync(segmentPath(name), { throwIfNoEntry: false }) !== undefined;
}

/** The descriptors that this process has of segments, with their paths. */
function descriptors(): [fd: number, path: string][] {
  return readdirSync('/proc/self/fd').flatMap((fd): [number, string][] => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      // The process's ledger stays open for as long as it lives.
      const mine = path.startsWith(DIRECTORY) && !path.startsWith(`${DIRECTORY}/.shmkit-`);
      return mine ? [[Number(fd), path]] : [];
    } catch {
      return []; // the descriptor of the listing itself
    }
  });
}

/** What this process holds of segments: descriptors and mappings. Unnamed and unlinked ones count. */
export function holdings(): string[] {
  const open = descriptors().map(([, path]) => `open: ${path}`);
  const maps = readFileSync('/proc/self/maps', 'utf8').split('\n');
  return [...open, ...maps.filter((line) => line.includes(` ${DIRECTORY}/`))].sort();
}

/** Bytes of memory behind segments that this process is making and has not given a name yet. */
export function bytesInTheMaking(): number {
  let bytes = 0;
  for (const [fd, path] of descriptors()) {
    if (path.startsWith(`${DIRECTORY}/#`)) bytes += fstatSync(fd).blocks * 512;
  }
  return bytes;
}

/** Checks that an action, whatever its outcome, leaves no descriptor and no mapping behind. */
export function leavesNothing<T>(t: ExecutionContext, action: () => T): T {
  const before = holdings();
  const result = action();
  t.deepEqual(holdings(), before, 'a descriptor or a mapping is left behind');
  return result;
}
