// `npm run build:native [-- --target … -x]`: the native module by napi's command, and `shmkitd` beside it. Options are
// those of `napi build`; a build for another platform needs the same of cargo.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, renameSync } from 'node:fs';
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

// Without a dynamic loader, and with musl for glibc, the companion process has started in a fifth of the time: a manager's
// first client waits for it. Where Rust's library for that is not installed (`rustup target add`), it is as the module.
const ask = (...about) => execFileSync('rustc', about, { encoding: 'utf8' }).trim();
const wanted = values.target ?? /^host: (.*)$/m.exec(ask('-vV'))[1];
const musl = wanted.replace(/-gnu$/, '-musl');
const target = existsSync(ask('--print', 'target-libdir', '--target', musl)) ? musl : values.target;
const build = [values.x ? 'zigbuild' : 'build', '--release', '--package', 'shmkitd'];
run('cargo', ...build, ...(target === undefined ? [] : ['--target', target]));
// Renamed into place: a tracker may be running from the one that is there.
copyFileSync(join('target', target ?? '', 'release', 'shmkitd'), 'shmkitd.new');
renameSync('shmkitd.new', 'shmkitd');
