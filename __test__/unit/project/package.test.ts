import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import test from 'ava';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const binary = fs.readdirSync(root).find((name) => /^shmkit\..*\.node$/.test(name))!;
const platform = binary.split('.')[1]!;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shmkit-package-'));
/** A project that has installed the packages. */
const user = path.join(folder, 'user');
const installed = path.join(user, 'node_modules', `shmkit-${platform}`);

async function npm(cwd: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('npm', args, { cwd });
  return stdout;
}

/** Makes archives of packages as npm would publish them; the paths of their archives and of the files inside. */
async function pack(...folders: string[]): Promise<{ archive: string; files: string[] }[]> {
  const output = await npm(
    root,
    'pack',
    '--ignore-scripts',
    '--json',
    '--pack-destination',
    folder,
    ...folders,
  );
  const packed = JSON.parse(output) as { filename: string; files: { path: string }[] }[];
  return packed.map(({ filename, files }) => ({
    archive: path.join(folder, filename.replace(/^@/, '').replace('/', '-')),
    files: files.map((file) => file.path),
  }));
}

// The dependencies are packed from this checkout, so that the installation needs neither a registry nor a cache.
test.before('the packages install from their archives', async (t) => {
  const platformFolder = path.join(folder, platform);
  fs.cpSync(path.join(root, 'npm', platform), platformFolder, { recursive: true });
  for (const file of [binary, 'shmkitd'])
    fs.copyFileSync(path.join(root, file), path.join(platformFolder, file));
  const listed = await npm(root, 'ls', '--omit=dev', '--all', '--parseable').catch(
    (error: { stdout: string }) => error.stdout, // it minds packages for other platforms that are here too
  );
  const production = listed.split('\n').filter((line) => line.includes('node_modules'));
  const dependencies = production.filter((line) => !line.includes(`${path.sep}@emnapi${path.sep}`));
  const [shmkit, ...others] = await pack(root, platformFolder, ...new Set(dependencies));
  t.false(shmkit!.files.some((file) => /^(crates|__test__|bench|src|examples)\//.test(file)));

  fs.mkdirSync(user);
  await npm(user, 'init', '--yes');
  const archives = [shmkit!, ...others].map(({ archive }) => archive);
  const cache = path.join(folder, 'cache');
  await npm(user, 'install', '--offline', '--cache', cache, '--no-audit', '--no-fund', ...archives);
});

test.after.always(() => fs.rmSync(folder, { recursive: true }));

/** Runs Node in the project; what it prints, and its exit code. */
async function node(...args: string[]): Promise<string> {
  const env = { ...process.env, PATH: '/nowhere', NODE_OPTIONS: '' };
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: user, env });
  return stdout;
}

/** Runs a module that uses the package, and prints the error of the import or of the use. */
async function failure(flags: string[], use = 'shmkit.SharedMemory.create(8)', before = ''): Promise<string> {
  const program = `${before}; import('shmkit').then((shmkit) => ${use}).then(
    (value) => console.log('no error', value), (error) => console.log(error.code, error.message));`;
  return node(...flags, '--input-type=module', '-e', program);
}

const program = `
  const shm = SharedMemory.create(100);
  shm.buf[0] = 42;
  const other = attach(JSON.parse(JSON.stringify(shm)));
  const list = ShareableList.create([1, 'two', null]);
  console.log(other.buf[0], list.toArray().join());
  for (const shared of [shm, list]) shared.unlink();
`;
const names = '{ SharedMemory, ShareableList, attach }';

for (const [how, file, head] of [
  ['import', 'a.mjs', `import ${names} from 'shmkit';`],
  ['require()', 'b.cjs', `const ${names} = require('shmkit');`],
] as const) {
  test.serial(`the installed package works by ${how}, with no compiler on the PATH`, async (t) => {
    fs.writeFileSync(path.join(user, file), head + program);
    t.is(await node(file), '42 1,two,\n');
  });
}

test.serial('the installed package has its programs', async (t) => {
  t.is(fs.statSync(path.join(installed, 'shmkitd')).mode & 0o111, 0o111, 'shmkitd is executable');
  for (const name of ['shm', 'shmkit']) {
    const { stdout } = await promisify(execFile)(path.join(user, 'node_modules/.bin', name), ['--version']);
    t.regex(stdout, /^\d+\.\d+\.\d+\n$/);
  }
});

/** What a user may do first. */
const uses = [
  'shmkit.SharedMemory.create(8)',
  "shmkit.SharedMemory.attach('x')",
  'shmkit.SharedMemory.createAsync(8)',
  "shmkit.ShareableList.create([1, 'a', 2.5, null, true])",
  "shmkit.SharedArray.create([2], { dtype: 'float64' })",
  'shmkit.SharedArray.from([1, 2])',
  'shmkit.SharedDict.create()',
  'shmkit.SharedQueue.create({ slots: 2 })',
  'shmkit.SharedBroadcast.create({ slots: 2 })',
  "shmkit.SharedMutex.createOrAttach('x')",
  "shmkit.SharedEvent.createOrAttach('x')",
  'new shmkit.SharedMemoryManager().start()',
  "new shmkit.Pool('/module.mjs')",
  'shmkit.segments()',
  'shmkit.collectGarbage()',
  "shmkit.unlink('x')",
];

for (const [system, arch] of [
  ['darwin', 'arm64'],
  ['win32', 'x64'],
  ['linux', 'riscv64'],
]) {
  test.serial(`on ${system}-${arch} the import succeeds, and the first use names the platform`, async (t) => {
    const before = `Object.defineProperty(process, 'platform', { value: '${system}' });
      Object.defineProperty(process, 'arch', { value: '${arch}' })`;
    const all = `(async () => {
      const errors = [];
      for (const use of [${uses.map((use) => `() => ${use}`).join()}]) {
        await new Promise((done) => done(use())).then(() => errors.push(use + ' does not fail'), ({ code, message }) => {
          errors.push(code + ' ' + message);
        });
      }
      return [...new Set(errors)].join('\\n');
    })()`;
    const expected =
      `no error ERR_SHM_UNSUPPORTED shmkit does not support ${system}-${arch}; ` +
      'the supported platforms are Linux on x64 and arm64, with glibc or musl\n';
    t.is(await failure([], all, before), expected);
  });
}

const disabled =
  "ERR_SHM_NOT_LOADED shmkit's native module could not be loaded: native addons are disabled in this process; " +
  'start Node without --no-addons, and with --allow-addons beside --permission\n';

test.serial('where addons are disabled, the error says so', async (t) => {
  t.is(await failure(['--no-addons']), disabled);
});

test.serial('where the permission model forbids addons, the error says so', async (t) => {
  const flag = process.allowedNodeEnvironmentFlags.has('--permission')
    ? '--permission'
    : '--experimental-permission';
  const flags = ['--no-warnings', flag, '--allow-fs-read=*'];
  t.is(await failure(flags), disabled);
  t.is(
    await failure([...flags, '--allow-fs-write=*', '--allow-addons'], 'shmkit.segments().length >= 0'),
    'no error true\n',
  );
});

/** Replaces a file of the installed platform's package while a test runs. */
function replace(t: { teardown(undo: () => void): void }, file: string, content: string): void {
  const [there, aside] = [path.join(installed, file), path.join(folder, file)];
  fs.renameSync(there, aside);
  t.teardown(() => fs.renameSync(aside, there));
  fs.writeFileSync(there, content);
}

test.serial('a package for the platform that is missing is named', async (t) => {
  fs.renameSync(installed, `${installed}-aside`);
  t.teardown(() => fs.renameSync(`${installed}-aside`, installed));
  t.regex(
    await failure([]),
    /^ERR_SHM_NOT_LOADED .*: neither shmkit-linux-\w+-gnu nor shmkit-linux-\w+-musl is installed; run npm install /,
  );
});

test.serial('a binary that is none says what the system says', async (t) => {
  replace(t, binary, 'not a library');
  t.regex(
    await failure([]),
    /^ERR_SHM_NOT_LOADED .* could not be loaded: .*(invalid ELF header|file too short)/,
  );
});

test.serial('a binary of another version is refused', async (t) => {
  const about = JSON.parse(fs.readFileSync(path.join(installed, 'package.json'), 'utf8')) as object;
  replace(t, 'package.json', JSON.stringify({ ...about, version: '0.0.1' }));
  const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as {
    version: string;
  };
  t.is(
    await failure([]),
    `ERR_SHM_NOT_LOADED shmkit's native module could not be loaded: shmkit-${platform} is version 0.0.1, ` +
      `and shmkit is ${version}; install both again, with the same version\n`,
  );
});
