// `npm run build [-- --native | --ts] [--debug] [--target TRIPLE] [-x]`: the native module by napi's command with
// `shmkitd` beside it, then dist/ and index.d.ts. `--debug` (`npm run build:debug`) keeps symbols and does not optimize.
// `--target` and `-x` (zig as the linker) are those of `napi build`.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    native: { type: 'boolean', default: false },
    ts: { type: 'boolean', default: false },
    debug: { type: 'boolean', default: false },
    target: { type: 'string' },
    x: { type: 'boolean', short: 'x', default: false },
  },
});
const all = !values.native && !values.ts;
const profile = values.debug ? 'debug' : 'release';
const release = values.debug ? [] : ['--release'];
const run = (program, ...args) => execFileSync(program, args, { stdio: 'inherit' });
const ask = (program, ...args) => execFileSync(program, args, { encoding: 'utf8' }).trim();

if (all || values.native) {
  buildModule();
  buildCompanion();
}
if (all || values.ts) {
  rmSync('.cache/tsc', { recursive: true, force: true });
  run('npx', 'tsc', '-p', 'tsconfig.build.json');
  run('npx', 'rollup', '-c', 'scripts/rollup.config.js', '--silent');
  copyFileSync('src/pool/worker.py', 'dist/worker.py');
}

/** `shmkit.PLATFORM.node`, its types, and `binding.js`, which names its exports for `import`. */
function buildModule() {
  const outputs = ['--manifest-path', 'crates/shmkit-node/Cargo.toml', '--output-dir', '.', '--no-js'];
  const cross = [
    ...(values.target === undefined ? [] : ['--target', values.target]),
    ...(values.x ? ['-x'] : []),
  ];
  run('npx', 'napi', 'build', '--platform', ...outputs, '--dts', 'binding.d.ts', ...release, ...cross);
  const declared = readFileSync('binding.d.ts', 'utf8').matchAll(
    /^export (?:declare )?(?:function|class|const) (?!enum )(\w+)(?![\w<])/gm,
  );
  const names = [...declared].map(([, name]) => name).filter((name) => name !== '__napiBindingTarget');
  writeFileSync(
    'binding.js',
    "// Made by `npm run build`: the exports of the native module.\nimport { native } from './dist/native.js';\n" +
      `export const {\n${names.map((name) => `  ${name},\n`).join('')}} = native;\n`,
  );
}

// Without a dynamic loader, and with musl for glibc, the companion process has started in a fifth of the time: a manager's
// first client waits for it. Where Rust's library for that is not installed (`rustup target add`), it is as the module.
function buildCompanion() {
  const host = /^host: (.*)$/m.exec(ask('rustc', '-vV'))[1];
  const musl = (values.target ?? host).replace(/-gnu$/, '-musl');
  const hasMusl = existsSync(ask('rustc', '--print', 'target-libdir', '--target', musl));
  const target = hasMusl && !values.debug ? musl : values.target;
  const command = values.x ? 'zigbuild' : 'build';
  const triple = target === undefined ? [] : ['--target', target];
  run('cargo', command, '--package', 'shmkitd', ...release, ...triple);
  // Renamed into place: a tracker may be running from the one that is there.
  copyFileSync(join('target', target ?? '', profile, 'shmkitd'), 'shmkitd.new');
  renameSync('shmkitd.new', 'shmkitd');
}
