import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/** Whether a process with these arguments is one. */
export type IsTracker = (args: readonly string[]) => boolean;

export const isShmkitTracker: IsTracker = ([program = '', role]) =>
  basename(program) === 'shmkitd' && role === 'tracker';

/** The ids of the trackers that see the same `/dev/shm` as a process does: those of its mount namespace. */
export function trackers(of: number | 'self' = 'self', isTracker = isShmkitTracker): number[] {
  const namespace = readlinkSync(`/proc/${of}/ns/mnt`);
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return isTracker(args) && readlinkSync(`/proc/${pid}/ns/mnt`) === namespace;
      } catch {
        return false; // gone meanwhile, or somebody else's
      }
    })
    .map(Number);
}
