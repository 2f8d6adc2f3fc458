import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { Peer } from './peer.js';
import type { Answer, Operations } from './peer.js';

const OLDEST_MINOR = 9;
const PROGRAM = fileURLToPath(new URL('../python/peer.py', import.meta.url));
const VENV_PYTHON = fileURLToPath(new URL('../../.cache/venv/bin/python3', import.meta.url));
const ASK = `import json, sys, _posixshmem
print(json.dumps([sys.implementation.name, *sys.version_info[:3], sys.executable]))`;

/** Whether the tests run with every Python on this machine. */
export const wantsAllPythons = process.env['SHMKIT_TEST_PYTHONS'] === 'all';

/** An interpreter that runs here. */
export interface Python {
  /** Such as `3.13`. */
  version: string;
  path: string;
  minor: number;
}

function list(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** Everything on this machine that could be a CPython, the likeliest first. */
function candidates(): string[] {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).flatMap((folder) =>
    list(folder)
      .filter((file) => /^python3(\.\d+)?$/.test(file))
      .map((file) => join(folder, file)),
  );
  const versions = join(process.env['PYENV_ROOT'] ?? join(homedir(), '.pyenv'), 'versions');
  return [
    ...onPath,
    ...list(versions).map((version) => join(versions, version, 'bin', 'python3')),
    VENV_PYTHON,
  ];
}

/** Runs a candidate: a version manager's stand-in is on the PATH for versions that it refuses to start. */
async function examine(path: string): Promise<Python | undefined> {
  try {
    const { stdout } = await promisify(execFile)(path, ['-c', ASK], { timeout: 20_000 });
    const [name, major, minor, , executable] = JSON.parse(stdout) as [string, number, number, number, string];
    if (name !== 'cpython' || major !== 3 || minor < OLDEST_MINOR) return undefined;
    return { version: `${major}.${minor}`, path: executable, minor };
  } catch {
    return undefined;
  }
}

/**
 * The oldest and the newest CPython on this machine that the package supports; one of each minor version if
 * `SHMKIT_TEST_PYTHONS` is `all`, as in `npm run test:runtimes`. The oldest comes first. The tests need at least one.
 */
export async function findPythons(): Promise<Python[]> {
  const found = await Promise.all(candidates().map(examine));
  const byMinor = new Map<number, Python>();
  for (const python of found) {
    if (python && !byMinor.has(python.minor)) byMinor.set(python.minor, python);
  }
  if (byMinor.size === 0) {
    throw new Error(`the tests need CPython 3.${OLDEST_MINOR} or newer as python3; none that runs was found`);
  }
  const all = [...byMinor].sort(([a], [b]) => a - b).map(([, python]) => python);
  if (wantsAllPythons) return all;
  return all.filter((_, index) => index === 0 || index === all.length - 1);
}

/** The interpreter that has numpy. */
export function venvPython(): string {
  if (!existsSync(VENV_PYTHON))
    throw new Error('run `node scripts/python.js` first: it makes .cache/venv with numpy');
  return VENV_PYTHON;
}

/** What only a peer in Python can do. */
export interface PythonOperations extends Operations {
  /** Evaluates an expression over `a`, an array of this type over a segment; `np` is numpy. */
  numpy(args: { handle: number; dtype: string; shape: number[]; expression: string }): unknown;
}

/** A Python process that speaks JSON lines. */
export class PythonPeer extends Peer<PythonOperations> {
  readonly #child: ChildProcess;

  constructor(path: string) {
    const child = spawn(path, ['-E', '-X', 'utf8', PROGRAM], { stdio: ['pipe', 'pipe', 'pipe'] });
    super(child);
    this.#child = child;
    createInterface(child.stdout).on('line', (line) => this.settle(JSON.parse(line) as Answer));
  }

  protected override transmit(line: object): void {
    this.#child.stdin?.write(`${JSON.stringify(line)}\n`);
  }

  protected override dismiss(): void {
    this.#child.stdin?.end();
  }
}
