// What a child process does when its parent is gone.
import type { SharedObject } from 'shmkit';

/**
 * Ends this process when its parent dies without a word. No one else is left then to remove the segments, so
 * it does that too; it does not matter which child comes first.
 *
 * A child sees that its parent is gone when its event loop runs. Returns what to call when the work is done:
 * it lets go of the parent, so that this process can end.
 */
export function endWithParent(segments: readonly SharedObject[]): () => void {
  const end = () => {
    for (const segment of segments) {
      try {
        segment.unlink();
      } catch {
        // Another child was faster.
      }
    }
    process.exit(1);
  };
  if (!process.connected) end();
  process.once('disconnect', end);
  return () => {
    process.off('disconnect', end);
    if (process.connected) process.disconnect();
  };
}

/**
 * A Ctrl-C in the terminal reaches every process of the run. The parent decides what happens then, and ends
 * its children.
 */
export function leaveInterruptsToParent(): void {
  process.on('SIGINT', () => {});
}
