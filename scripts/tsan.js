// `npm run stress -- tsan` starts this: the tests of locks between threads (`sync.rs` and `sync_waiter_threads.rs`) under
// ThreadSanitizer. The standard library must be instrumented too, or its mutexes and `Arc`s look like races. So it is compiled
// from source, by Debian's compiler. Its packages are unpacked in `.cache/tsan`, and nothing is installed.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';

const target = 'x86_64-unknown-linux-gnu';
const cache = resolve('.cache/tsan');
const root = join(cache, 'root');
const output = (program, args, cwd) => execFileSync(program, args, { cwd, encoding: 'utf8' });

/** Runs a program of apt with lists of its own: the system's lists may be years old, and only root can update them. */
function apt(program, ...args) {
  const folders = [`Dir::State::lists=${cache}/lists`, `Dir::Cache=${cache}/archives`];
  const options = [...folders, 'APT::Sandbox::User=root'].flatMap((option) => ['-o', option]);
  return output(program, [...options, ...args], cache);
}

/** The first group of the pattern in the description of the newest version of a package. */
function field(name, pattern) {
  const found = pattern.exec(apt('apt-cache', 'show', '--no-all-versions', name))?.[1];
  if (found === undefined) throw new Error(`apt knows no package ${name} with ${pattern}`);
  return found;
}

/** Downloads and unpacks the compiler, the library's source and the sanitizer's runtime. */
function unpack() {
  for (const folder of ['lists/partial', 'archives/archives/partial']) {
    mkdirSync(join(cache, folder), { recursive: true });
  }
  apt('apt-get', '--quiet', 'update');
  const rust = field('rustc-web', /^Version: (\d+\.\d+)/m);
  if (Number(rust.split('.')[1]) < 88) throw new Error(`Debian's rustc-web is ${rust}; 1.88 is needed`);
  const llvm = field(`libstd-rust-web-${rust}`, /^Depends:.* libllvm(\d+)/m);
  const names = ['rustc-web', `libstd-rust-web-${rust}`, 'libstd-rust-web-dev', 'rust-web-src'];
  const llvms = [`libllvm${llvm}`, `libclang-rt-${llvm}-dev`, `llvm-${llvm}`];
  apt('apt-get', 'download', ...names, ...llvms);
  const unpacked = `${root}.new`;
  rmSync(unpacked, { recursive: true, force: true });
  for (const file of readdirSync(cache)) {
    if (!file.endsWith('.deb')) continue;
    output('dpkg', ['-x', file, unpacked], cache);
    rmSync(join(cache, file));
  }
  // Debian's compiler comes without the runtime. clang's, of the same LLVM, works under the name that it looks for.
  const runtime = `/usr/lib/llvm-${llvm}/lib/clang/${llvm}/lib/linux/libclang_rt.tsan-x86_64.a`;
  const wanted = join(unpacked, 'usr/lib/rustlib', target, 'lib/librustc-stable_rt.tsan.a');
  symlinkSync(join(root, runtime), wanted);
  // Reports get the names of functions from it.
  symlinkSync(`usr/lib/llvm-${llvm}/bin/llvm-symbolizer`, join(unpacked, 'llvm-symbolizer'));
  renameSync(unpacked, root);
}

if (process.platform !== 'linux' || process.arch !== 'x64' || !existsSync('/etc/debian_version')) {
  throw new Error('this script runs ThreadSanitizer only on Debian (or a derivative) on x86-64');
}
if (!existsSync(root)) unpack();
const options = ['-Zbuild-std=std,panic_unwind,test', '--target', target, '--target-dir', 'target/tsan'];
const tests = ['--package', 'shmkit', '--test', 'sync', '--test', 'sync_waiter_threads'];
const { status } = spawnSync('cargo', ['test', ...options, ...tests, '--', ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: {
    ...process.env,
    RUSTC: join(root, 'usr/bin/rustc'),
    RUSTC_BOOTSTRAP: '1',
    RUSTFLAGS: '-Zsanitizer=thread',
    LD_LIBRARY_PATH: join(root, 'usr/lib/x86_64-linux-gnu'),
    TSAN_OPTIONS: `halt_on_error=1 external_symbolizer_path=${join(root, 'llvm-symbolizer')}`,
  },
});
process.exitCode = status ?? 1;
