// `npm run build:native [-- --target … -x]`: the native module by napi's command, and `shmkitd` beside it. Options are
// those of `napi build`; a build for another platform needs the same of cargo.
import { execFileSync } from 'node:child_process';
import { copyFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const args = process.argv.slice(2);
const { values } = parseArgs({
  args,
  options: { target: { type: 'string' }, x: { type: 'boolean', short: 'x' } },
});
const run = (program, ...rest) => execFileSync(program, rest, { stdio: 'inherit' });

const outputs = ['--output-dir', '.', '--esm', '--js', 'binding.js', '--dts', 'binding.d.ts'];
run(
  'npx',
  'napi',
  'build',
  '--release',
  '--platform',
  '--manifest-path',
  'crates/shmkit-node/Cargo.toml',
  ...outputs,
  ...args,
);

const target = values.target === undefined ? [] : ['--target', values.target];
run('cargo', values.x ? 'zigbuild' : 'build', '--release', '--package', 'shmkitd', ...target);
// Renamed into place: a tracker may be running from the one that is there.
copyFileSync(join('target', values.target ?? '', 'release', 'shmkitd'), 'shmkitd.new');
renameSync('shmkitd.new', 'shmkitd');
