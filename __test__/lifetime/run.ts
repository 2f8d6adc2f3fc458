import { spawn } from 'node:child_process';

/** How a process ended, and what it printed. */
export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  output: string;
}

/** Runs a command to its end; one that takes longer than `seconds` is killed, and so a failure. */
export async function run(
  command: string,
  args: readonly string[],
  seconds = 100,
  env = process.env,
): Promise<Ended> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  const watchdog = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
  child.stdout.setEncoding('utf8');
  child.stderr.setEncoding('utf8');
  let output = '';
  const collect = (chunk: string): void => void (output += chunk);
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve({ code, signal, output }));
    });
  } finally {
    clearTimeout(watchdog);
  }
}
