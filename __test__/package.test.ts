import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import test from 'ava';

const root = fileURLToPath(new URL('..', import.meta.url));
const binary = fs.readdirSync(root).find((name) => /^shmkit\..*\.node$/.test(name));

const program = `
  const shm = SharedMemory.create(100);
  shm.buf[0] = 42;
  const other = attach(JSON.parse(JSON.stringify(shm)));
  const list = ShareableList.create([1, 'two', null]);
  console.log(other.buf[0], list.toArray().join());
  for (const shared of [shm, list]) shared.unlink();
`;

test('the packed packages work by import and by require, with no compiler on the PATH', (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shmkit-package-'));
  t.teardown(() => fs.rmSync(folder, { recursive: true }));
  const npm = (cwd: string, ...args: string[]): string =>
    execFileSync('npm', args, { cwd, encoding: 'utf8' });
  const pack = (from: string): string => {
    const [packed] = JSON.parse(
      npm(from, 'pack', '--ignore-scripts', '--json', '--pack-destination', folder),
    ) as [{ filename: string; files: Array<{ path: string }> }];
    t.false(packed.files.some((file) => /^(crates|__test__|bench|src|examples)\//.test(file.path)));
    return path.join(folder, packed.filename);
  };

  t.truthy(binary, 'the native module is built');
  const platform = binary!.split('.')[1]!;
  const platformFolder = path.join(folder, platform);
  fs.cpSync(path.join(root, 'npm', platform), platformFolder, { recursive: true });
  for (const file of [binary!, 'shmkitd']) {
    fs.copyFileSync(path.join(root, file), path.join(platformFolder, file));
  }
  const tarballs = [pack(root), pack(platformFolder)];

  const user = path.join(folder, 'user');
  fs.mkdirSync(user);
  npm(user, 'init', '--yes');
  npm(user, 'install', '--offline', '--no-audit', '--no-fund', ...tarballs);
  fs.writeFileSync(
    path.join(user, 'a.mjs'),
    `import { SharedMemory, ShareableList, attach } from 'shmkit';${program}`,
  );
  fs.writeFileSync(
    path.join(user, 'b.cjs'),
    `const { SharedMemory, ShareableList, attach } = require('shmkit');${program}`,
  );
  const companion = path.join(user, 'node_modules', `shmkit-${platform}`, 'shmkitd');
  t.is(fs.statSync(companion).mode & 0o111, 0o111, 'shmkitd can be run');
  const env = { ...process.env, PATH: '/nowhere', NODE_OPTIONS: '' };
  for (const name of ['shm', 'shmkit']) {
    const version = execFileSync(path.join(user, 'node_modules/.bin', name), ['--version'], {
      encoding: 'utf8',
    });
    t.regex(version, /^\d+\.\d+\.\d+\n$/);
  }
  for (const file of ['a.mjs', 'b.cjs']) {
    const output = execFileSync(process.execPath, [file], { cwd: user, env, encoding: 'utf8' });
    t.is(output, '42 1,two,\n', file);
  }
});
