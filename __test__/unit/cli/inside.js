// Runs commands in a /dev/shm of its own, for `world.ts` on the other side of the IPC channel. Plain JavaScript:
// there is one of it for each test, and it starts at once.
import { Buffer } from 'node:buffer';
import { spawn } from 'node:child_process';

const kept = new Map();

function start({ command, args, env }) {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: 'pipe' });
  const output = { stdout: [], stderr: [] };
  for (const name of ['stdout', 'stderr']) child[name].on('data', (chunk) => output[name].push(chunk));
  child.stdin.on('error', () => {}); // it may end without having read
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      const [stdout, stderr] = [output.stdout, output.stderr].map((chunks) => Buffer.concat(chunks));
      resolve({ code, signal, stdout: stdout.toString('base64'), stderr: stderr.toString() });
    });
  });
  return { child, ended };
}

const operations = {
  async run(request) {
    const { child, ended } = start(request);
    child.stdin.end();
    return ended;
  },
  /** Starts a process that stays, and tells its first line. */
  async keep(request) {
    const { child, ended } = start(request);
    const line = await new Promise((resolve, reject) => {
      child.stdout.once('data', (chunk) => resolve(chunk.toString().trim()));
      ended.then(({ stderr }) => reject(new Error(`it ended at once: ${stderr}`)), reject);
    });
    kept.set(child.pid, { child, ended });
    return { pid: child.pid, line };
  },
  /** Ends a process that was kept: by itself, or by a signal. */
  async end({ pid, signal }) {
    const { child, ended } = kept.get(pid);
    kept.delete(pid);
    if (signal) child.kill(signal);
    else child.stdin.end();
    return ended;
  },
};

process.on('message', async ({ id, op, request }) => {
  try {
    process.send({ id, result: await operations[op](request) });
  } catch (error) {
    process.send({ id, error: String(error) });
  }
});
process.on('disconnect', () => {
  for (const { child } of kept.values()) child.kill('SIGKILL');
  process.exit();
});
process.send({ id: 0 });
