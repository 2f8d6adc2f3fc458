// `node scripts/python.js [--numpy]`: makes .cache/venv with numpy, for the tests and examples that have a real Python at
// the other end. Without `--numpy` it also builds the Python binding's wheel and installs it there; .cache/python has
// it unpacked, for every other Python. Quick when nothing has changed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const OLDEST = [3, 9];
const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const CACHE = join(ROOT, '.cache');
const VENV = join(CACHE, 'venv');
const VENV_PYTHON = join(VENV, 'bin', 'python3');

function run(program, ...args) {
  return spawnSync(program, args, {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, PIP_NO_INPUT: '1' },
  });
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
      `no Python ${OLDEST.join('.')} or newer with its venv module was found as python3; install it first`,
    );
  }
  const made = run(python, '-m', 'venv', '--clear', VENV);
  if (made.status !== 0) {
    fail('could not make a virtual environment in .cache/venv', made.stderr || made.stdout);
  }
  const installed = run(VENV_PYTHON, '-m', 'pip', 'install', '--quiet', 'numpy');
  if (installed.status !== 0) fail('could not install numpy into .cache/venv', installed.stderr);
}

if (process.argv.includes('--numpy')) process.exit();

const BINDING = join(ROOT, 'crates', 'shmkit-python');
const UNPACKED = join(CACHE, 'python');
const WHEELS = join(CACHE, 'wheels');
const STAMP = join(WHEELS, 'stamp');

/** All that the wheel is made of. */
function sources() {
  const folders = [BINDING, join(ROOT, 'crates', 'shmkit', 'src')];
  const files = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name)),
  );
  const manifests = ['Cargo.toml', 'Cargo.lock', join('crates', 'shmkit', 'Cargo.toml')];
  return [...files, ...manifests.map((file) => join(ROOT, file))].sort();
}

/** Changes with any of them, and with the interpreter. */
function fingerprint() {
  const hash = createHash('sha256').update(run(VENV_PYTHON, '--version').stdout);
  for (const file of sources()) hash.update(`\0${relative(ROOT, file)}\0`).update(readFileSync(file));
  return hash.digest('hex');
}

const pip = (...args) => run(VENV_PYTHON, '-m', 'pip', '--disable-pip-version-check', 'install', ...args);

function buildBinding() {
  if (run(VENV_PYTHON, '-m', 'maturin', '--version').status !== 0) {
    const installed = pip('--quiet', 'maturin>=1.9,<2');
    if (installed.status !== 0) fail('could not install maturin into .cache/venv', installed.stderr);
  }
  rmSync(WHEELS, { recursive: true, force: true });
  mkdirSync(WHEELS, { recursive: true });
  // The tag is of this machine, and not of the oldest Linux: the tests have no use for more.
  const options = ['--release', '--manifest-path', join(BINDING, 'Cargo.toml')];
  const outputs = ['--compatibility', 'linux', '--interpreter', VENV_PYTHON, '--out', WHEELS];
  const built = run(VENV_PYTHON, '-m', 'maturin', 'build', ...options, ...outputs);
  if (built.status !== 0) fail('could not build the Python binding', built.stderr || built.stdout);
  const wheel = readdirSync(WHEELS).find((file) => file.endsWith('.whl'));
  if (wheel === undefined) fail('maturin made no wheel', built.stdout);
  return join(WHEELS, wheel);
}

const current = fingerprint();
const made = existsSync(STAMP) ? readFileSync(STAMP, 'utf8') : '';
if (made !== current || run(VENV_PYTHON, '-c', 'import shmkit').status !== 0) {
  const wheel = buildBinding();
  const installed = pip('--quiet', '--force-reinstall', '--no-deps', '--no-index', wheel);
  if (installed.status !== 0) fail('could not install the Python binding', installed.stderr);
  rmSync(UNPACKED, { recursive: true, force: true });
  const unpacked = run(VENV_PYTHON, '-m', 'zipfile', '-e', wheel, UNPACKED);
  if (unpacked.status !== 0) fail('could not unpack the Python binding', unpacked.stderr);
  writeFileSync(STAMP, current);
}
