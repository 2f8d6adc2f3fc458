// `npm run test:runtimes [-- 20 22 …]`: runs the facade's tests on each Node that we support. `--misuse ROUNDS` also runs
// `npm run stress -- misuse`, and `--no-tests` runs only that. The runtimes come from their npm packages. The first one runs
// everything a second time as on a processor that reorders loads (src/common/memory-order.ts).
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { misuse: { type: 'string' }, 'no-tests': { type: 'boolean', default: false } },
});
const majors = positionals.length > 0 ? positionals : ['20', '22', '24', '26'];
const packageName = `node-${process.platform}-${process.arch}`;

/** The path of a Node of this major version. */
function runtime(major) {
  const folder = resolve('.cache/runtimes', major);
  const binary = resolve(folder, 'node_modules', packageName, 'bin/node');
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true });
    const args = ['install', '--no-save', '--no-package-lock', '--ignore-scripts', '--prefix', folder];
    execFileSync('npm', [...args, `${packageName}@${major}`], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
  return binary;
}

const failed = [];
for (const major of majors) {
  const node = runtime(major);
  const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
  const runs = [];
  if (!values['no-tests']) runs.push(['node_modules/ava/entrypoints/cli.mjs']);
  if (values.misuse !== undefined) {
    runs.push(['--import=tsx', '__test__/stress/main.ts', 'misuse', '--rounds', values.misuse]);
  }
  for (const order of major === majors[0] ? ['', 'weak'] : ['']) {
    for (const args of runs) {
      const run = `Node ${version}${order && `, memory order ${order}`}`;
      console.log(`\n=== ${run}: ${args.find((arg) => /\.m?[jt]s$/.test(arg))}`);
      const env = { ...process.env, SHMKIT_TEST_PYTHONS: 'all', SHMKIT_MEMORY_ORDER: order };
      if (spawnSync(node, args, { stdio: 'inherit', env }).status !== 0) failed.push(run);
    }
  }
}
console.log(failed.length === 0 ? `\nall of ${majors.join(', ')} passed` : `\nfailed: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;
