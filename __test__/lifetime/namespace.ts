import { spawnSync } from 'node:child_process';

/**
 * A command that runs with a `/dev/shm` of its own of `size` (as tmpfs has it: '64m'), in a mount namespace
 * that goes with it: nothing it leaves or fills up is anybody else's.
 */
export function ownDevShm(size: string, command: readonly string[]): [string, string[]] {
  const inside = ['sh', '-c', `mount -t tmpfs -o size=${size},mode=1777 tmpfs /dev/shm && exec "$@"`, 'sh'];
  for (const flags of [['-m'], ['-r', '-m']]) {
    const works = spawnSync('unshare', [...flags, ...inside, 'true'], { stdio: 'ignore' }).status === 0;
    if (works) return ['unshare', [...flags, ...inside, ...command]];
  }
  throw new Error(
    'this test needs unshare(1) and the right to a mount namespace: run it as root, or allow them',
  );
}
