// `npm test`: Rust's tests, then the facade's. The last line counts both.
import { spawn } from 'node:child_process';

/** Runs a command, shows its output, and returns it with the exit code. */
async function show(command, args) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.setEncoding('utf8');
  child.stderr.setEncoding('utf8');
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
    process.stdout.write(chunk);
  });
  child.stderr.on('data', (chunk) => {
    output += chunk;
    process.stderr.write(chunk);
  });
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { code, output };
}

const rust = await show('cargo', ['test', '--workspace', '--no-fail-fast']);
const node = await show(process.execPath, ['node_modules/ava/entrypoints/cli.mjs', ...process.argv.slice(2)]);

const cargo = (word) =>
  [...rust.output.matchAll(new RegExp(`(\\d+) ${word};`, 'g'))].reduce(
    (sum, match) => sum + Number(match[1]),
    0,
  );
const ava = (mark) => node.output.split(mark).length - 1;
const passed = cargo('passed') + ava('\n  ✔ ');
let failed = cargo('failed') + ava('\n  ✘ [fail]');
// A runner that broke down without a count is a failure too.
for (const { code } of [rust, node]) if (code !== 0 && failed === 0) failed++;
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
