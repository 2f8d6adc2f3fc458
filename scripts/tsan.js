// `npm run tsan [-- filter …]`: the locks' tests between threads (`sync.rs` and `sync_sleepers.rs`) under ThreadSanitizer.
// It has to see the standard library too, or takes its mutexes and `Arc`s for races: so that is compiled from source,
// by a compiler of Debian's which comes with it. Its packages are unpacked in `.cache/tsan`, and nothing is installed.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';

const target = 'x86_64-unknown-linux-gnu';
const cache = resolve('.cache/tsan');
const root = join(cache, 'root');
const output = (program, args, cwd) => execFileSync(program, args, { cwd, encoding: 'utf8' });

/** Asks apt with lists of our own, because the system's may be years old and are root's. */
function apt(program, ...args) {
  const folders = [`Dir::State::lists=${cache}/lists`, `Dir::Cache=${cache}/archives`];
  const options = [...folders, 'APT::Sandbox::User=root'].flatMap((option) => ['-o', option]);
  return output(program, [...options, ...args], cache);
}

/** What matches in the description of the newest version of a package. */
function field(name, pattern) {
  const found = pattern.exec(apt('apt-cache', 'show', '--no-all-versions', name))?.[1];
  if (found === undefined) throw new Error(`apt knows no package ${name} with ${pattern}`);
  return found;
}

/** Fetches and unpacks the compiler, the library's source and the sanitizer's runtime. */
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
  // Debian's compiler has no runtime of its own: it finds clang's, of the same LLVM, under the name that it looks for.
  const runtime = `/usr/lib/llvm-${llvm}/lib/clang/${llvm}/lib/linux/libclang_rt.tsan-x86_64.a`;
  const wanted = join(unpacked, 'usr/lib/rustlib', target, 'lib/librustc-stable_rt.tsan.a');
  symlinkSync(join(root, runtime), wanted);
  // And this is how reports get the names of functions.
  symlinkSync(`usr/lib/llvm-${llvm}/bin/llvm-symbolizer`, join(unpacked, 'llvm-symbolizer'));
  renameSync(unpacked, root);
}

if (process.platform !== 'linux' || process.arch !== 'x64' || !existsSync('/etc/debian_version')) {
  throw new Error('ThreadSanitizer is run on Debian and its kin, on x86-64');
}
if (!existsSync(root)) unpack();
const options = ['-Zbuild-std=std,panic_unwind,test', '--target', target, '--target-dir', 'target/tsan'];
const tests = ['--package', 'shmkit', '--test', 'sync', '--test', 'sync_sleepers'];
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
