// The mean arrival delay of three million flights by distance, with 95% confidence intervals from a bootstrap:
// the columns lie in shared memory once, and all workers, in Node and in Python, work on them in place.
//
// This file is about how a run ends; what it does is in pipeline.ts.
import { constants } from 'node:os';
import { UsageError, parseOptions } from './options.js';
import { runPipeline } from './pipeline.js';

const options = parseOptions(process.argv);
const stop = new AbortController();
let stoppedBy: NodeJS.Signals | undefined;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (stoppedBy) process.exit(128 + constants.signals[signal]); // the second one waits for nothing
    stoppedBy = signal;
    stop.abort(); // fails whatever the pipeline waits for
  });
}

// There is nothing to tidy up, even after a SIGKILL: workers end with their pool, and segments with their owners.
let exitCode = 0;
try {
  await runPipeline(options, stop.signal);
} catch (error) {
  exitCode = error instanceof UsageError ? UsageError.exitCode : 1;
  if (!stoppedBy) console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
}
if (stoppedBy) {
  exitCode = 128 + constants.signals[stoppedBy];
  console.error(`stopped by ${stoppedBy}: the workers are ended and the shared memory is removed`);
}
process.exit(exitCode);
