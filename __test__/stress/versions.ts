/**
 * Builds of two versions on one machine: the Node package and the Python wheel of the next layouts beside those of today's.
 * Whatever one of them makes, the other refuses with `ERR_SHM_VERSION`, and leaves it as it is.
 */
import { execFile, execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual, promisify } from 'node:util';

import { venvPython } from '../fixtures/python.js';
import { segmentPath } from '../fixtures/segments.js';
import { secondsSince } from './harness.js';
import type { Run } from './kinds.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** The files that name the version of a layout. */
const LAYOUTS = [
  'dict/layout.rs',
  'ownership/format.rs',
  'ring/broadcast/layout.rs',
  'ring/queue/layout.rs',
  'segment/lock_header.rs',
];
const VERSION = /LayoutVersion::only\(1\)/g;

/** A build of the Node package or of the Python wheel. */
interface Side {
  readonly language: 'Node' | 'Python';
  readonly version: number;
  /** Runs code in a process, which prints one JSON value. */
  run(code: string): Promise<unknown>;
}

/** How each language makes and attaches to a structure, and closes it. */
const STRUCTURES = {
  queue: {
    Node: ["SharedQueue.create({ name, slots: 2, dtype: 'int32' })", 'SharedQueue.attach(name)'],
    Python: ["shmkit.SharedQueue.create(2, name=name, dtype='i4')", 'shmkit.SharedQueue.attach(name)'],
  },
  broadcast: {
    Node: ["SharedBroadcast.create({ name, slots: 2, dtype: 'int32' })", 'SharedBroadcast.attach(name)'],
    Python: [
      "shmkit.SharedBroadcast.create(2, name=name, dtype='i4')",
      'shmkit.SharedBroadcast.attach(name)',
    ],
  },
  dict: {
    Node: ['SharedDict.create({ name })', 'SharedDict.attach(name)'],
    Python: ['shmkit.SharedDict.create(name=name)', 'shmkit.SharedDict.attach(name)'],
  },
  mutex: {
    Node: ['SharedMutex.createOrAttach(name)', 'SharedMutex.attach(name)'],
    Python: ['shmkit.SharedMutex.create_or_attach(name)', 'shmkit.SharedMutex.attach(name)'],
  },
  event: {
    Node: ['SharedEvent.createOrAttach(name)', 'SharedEvent.attach(name)'],
    Python: ['shmkit.SharedEvent.create_or_attach(name)', 'shmkit.SharedEvent.attach(name)'],
  },
} as const;

export const run: Run = async (harness, rounds) => {
  const began = performance.now();
  const dir = mkdtempSync(join(tmpdir(), 'shmkit-versions-'));
  try {
    const sides = [node(ROOT, 1), python(undefined, 1), ...nextVersions(dir)];
    let pairs = 0;
    for (let round = 0; round < rounds; round++) {
      for (const structure of Object.keys(STRUCTURES) as (keyof typeof STRUCTURES)[]) {
        for (const [maker, other] of sides.flatMap((one) => sides.map((two) => [one, two] as const))) {
          if (maker === other) continue;
          const found = await meet(structure, maker, other, `shmkit-versions-${process.pid}-${pairs++}`);
          const expected = maker.version === other.version ? 'attached' : 'ERR_SHM_VERSION';
          if (found !== expected) {
            const what = `${maker.language} ${maker.version} made the ${structure}`;
            harness.fault(`${what}, and ${other.language} ${other.version}: ${found}, expected ${expected}`);
          }
        }
      }
    }
    return `${pairs} meetings of two builds in ${secondsSince(began)} s: no fault`;
  } finally {
    rmSync(dir, { recursive: true });
  }
};

/** One makes it, and the other attaches to it: `attached`, an error's code, or what was changed by that. */
async function meet(
  structure: keyof typeof STRUCTURES,
  maker: Side,
  other: Side,
  name: string,
): Promise<string> {
  const path = segmentPath(name);
  try {
    await maker.run(making(maker, STRUCTURES[structure][maker.language][0], name));
    const before = readFileSync(path);
    const found = await other.run(attaching(other, STRUCTURES[structure][other.language][1], name));
    const isChanged = maker.version !== other.version && !isDeepStrictEqual(readFileSync(path), before);
    return isChanged ? 'its bytes were changed' : String(found);
  } finally {
    rmSync(path, { force: true });
    rmSync(segmentPath(`${name}.lk`), { force: true });
  }
}

/** Untracked and left alone, so that it is there when its maker has ended. */
function making({ language }: Side, expression: string, name: string): string {
  if (language === 'Node') {
    const untracked = expression
      .replace(/ \}\)$/, ', track: false })')
      .replace('(name)', '(name, { track: false })');
    return `const name = '${name}'; ${untracked}.close(); console.log('null');`;
  }
  const untracked = expression.replace(/\)$/, ', track=False)');
  return `import shmkit\nname = '${name}'\n${untracked}.close()\nprint('null')`;
}

function attaching({ language }: Side, expression: string, name: string): string {
  if (language === 'Node') {
    return `const name = '${name}';
      try { ${expression}.close(); console.log('"attached"'); }
      catch (error) { console.log(JSON.stringify(error.code ?? String(error))); }`;
  }
  return `import json, shmkit
name = '${name}'
try:
    ${expression}.close()
    print('"attached"')
except Exception as error:
    print(json.dumps(getattr(error, 'code', repr(error))))`;
}

/** A checkout or a copy of one. */
function node(directory: string, version: number): Side {
  const classes = 'SharedQueue, SharedBroadcast, SharedDict, SharedMutex, SharedEvent';
  const start = `import { ${classes} } from 'shmkit';\n`;
  return {
    language: 'Node',
    version,
    run: (code) => json(process.execPath, ['--input-type=module', '-e', start + code], directory, {}),
  };
}

/** The installed wheel, or one that lies in a folder. */
function python(folder: string | undefined, version: number): Side {
  const env = folder === undefined ? {} : { PYTHONPATH: folder };
  return {
    language: 'Python',
    version,
    run: (code) => json(venvPython(), ['-c', code], ROOT, env),
  };
}

async function json(
  program: string,
  args: readonly string[],
  cwd: string,
  env: Record<string, string>,
): Promise<unknown> {
  const { stdout } = await promisify(execFile)(program, args, { cwd, env: { ...process.env, ...env } });
  return JSON.parse(stdout);
}

/** Builds this checkout with the version of each layout incremented. */
function nextVersions(dir: string): Side[] {
  const source = join(dir, 'source');
  for (const path of ['Cargo.toml', 'Cargo.lock', 'crates'])
    cpSync(join(ROOT, path), join(source, path), { recursive: true });
  for (const file of LAYOUTS) {
    const path = join(source, 'crates/shmkit/src', file);
    const code = readFileSync(path, 'utf8');
    if (!VERSION.test(code)) throw new Error(`${file} names no version of a layout`);
    writeFileSync(path, code.replace(VERSION, 'LayoutVersion::only(2)'));
  }
  const target = join(ROOT, 'target', 'versions');
  const packages = ['--package', 'shmkit-node', '--package', 'shmkit-python'];
  execFileSync('cargo', ['build', ...packages, '--target-dir', target], { cwd: source, stdio: 'inherit' });

  const built = (name: string): string => join(target, 'debug', `lib${name}.so`);
  const pack = join(dir, 'package');
  for (const path of ['package.json', 'dist', 'binding.js'])
    cpSync(join(ROOT, path), join(pack, path), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(pack, 'node_modules'));
  copyFileSync(built('shmkit_node'), join(pack, `shmkit.${process.platform}-${process.arch}-gnu.node`));
  const wheel = join(dir, 'wheel');
  cpSync(join(ROOT, '.cache/python'), wheel, { recursive: true });
  copyFileSync(built('shmkit_python'), join(wheel, 'shmkit/shmkit.abi3.so'));
  return [node(pack, 2), python(wheel, 2)];
}
