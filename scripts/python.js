// Makes .cache/venv with numpy, for the tests that have a real Python at the other end. Quick when done.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const OLDEST = [3, 9];
const VENV = join(dirname(dirname(fileURLToPath(import.meta.url))), '.cache', 'venv');
const VENV_PYTHON = join(VENV, 'bin', 'python3');

function run(program, ...args) {
  return spawnSync(program, args, { encoding: 'utf8', env: { ...process.env, PIP_NO_INPUT: '1' } });
}

function fail(message, detail = '') {
  console.error(`${message}${detail && `\n${detail.trimEnd()}`}`);
  process.exit(1);
}

/** Whether this interpreter starts (a version manager's stand-in may not), is recent and can make a venv. */
function usable(program) {
  const check = `import sys, venv, ensurepip; sys.exit(sys.version_info[:2] < (${OLDEST.join(', ')}))`;
  return run(program, '-c', check).status === 0;
}

if (run(VENV_PYTHON, '-c', 'import numpy').status !== 0) {
  const python = ['python3', '/usr/bin/python3', '/usr/local/bin/python3'].find(usable);
  if (python === undefined) {
    fail(
      `The tests need Python ${OLDEST.join('.')} or newer as python3, with its venv module; install it first.`,
    );
  }
  const made = run(python, '-m', 'venv', '--clear', VENV);
  if (made.status !== 0)
    fail('Could not make a virtual environment in .cache/venv.', made.stderr || made.stdout);
  const installed = run(VENV_PYTHON, '-m', 'pip', 'install', '--quiet', 'numpy');
  if (installed.status !== 0) fail('Could not install numpy into .cache/venv.', installed.stderr);
}
