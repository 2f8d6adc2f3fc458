// The progress bar. All it knows it reads from the control board.
import { Presets, SingleBar } from 'cli-progress';
import type { ShareableList } from 'shmkit';
import { resamplesDone } from './board.js';

/** Shows how far the workers are for as long as `work` runs. */
export async function withProgress<T>(board: ShareableList, total: number, work: Promise<T>): Promise<T> {
  const format = '{bar} {percentage}% | {value} of {total} resamples | {duration_formatted}';
  // Without a terminal it writes a line now and then, and no control codes.
  const plainLines = { noTTYOutput: true, notTTYSchedule: 5000 };
  const bar = new SingleBar(
    // Signals are for main.ts (`gracefulExit` would answer them here).
    { format, barsize: 30, stream: process.stdout, gracefulExit: false, ...plainLines },
    Presets.shades_classic,
  );
  bar.start(total, 0);
  const timer = setInterval(() => bar.update(resamplesDone(board)), 100);
  try {
    const result = await work;
    bar.update(resamplesDone(board));
    return result;
  } finally {
    clearInterval(timer);
    bar.stop();
  }
}
