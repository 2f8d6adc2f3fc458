// Checks three rules of ARCHITECTURE.md: only `crates/shmkit/src/sys` talks to the operating system; `unsafe` is only there and
// in the files that ARCHITECTURE.md lists; and a module of the engine uses only the layers below it. Prints a line for each
// violation.
import { readdirSync, readFileSync } from 'node:fs';

const SYS = 'crates/shmkit/src/sys/';
const HEADING = '## Files with unsafe';
/** Parts of the standard library that talk to the operating system; an exit code does not. */
const SYSTEM = /\b(?:rustix|libc)\b|\bstd::(?:fs|os|net|process)\b(?!::ExitCode\b)/g;
/** A path into `std` in braces, such as `use std::{fs, io}`, which SYSTEM does not see. */
const BRACES = /\bstd::\{[^;]*\b(?:fs|os|net|process)\b/;
const ENGINE = 'crates/shmkit/src/';
/** The modules of the engine, and those directly below each: the layers of ARCHITECTURE.md. */
const BELOW = {
  sys: [],
  error: ['sys'],
  bytes: ['error'],
  segment: ['bytes'],
  descriptor: ['segment'],
  ownership: ['descriptor'],
  sync: ['ownership'],
  list: ['bytes'],
  array: ['segment'],
  dict: ['segment'],
  ring: ['sync', 'array'],
  manager: ['ownership'],
};
/** A comment, or a string or character with its text in a group. */
const TOKEN =
  /\/\/.*|\/\*[^]*?\*\/|r(#*)"([^]*?)"\1|"((?:\\[^]|[^"\\])*)"|'(?:\\(?:u\{\w+\}|x\w\w|.)|[^\\'\n])'/g;
const TESTS = /^#\[cfg\(test\)\]\s*mod \w+ \{[^]*/m;

/** The code of a Rust file without comments and tests, and the texts of its strings. */
function read(path) {
  const strings = [];
  const source = readFileSync(path, 'utf8').replace(TESTS, '');
  const code = source.replaceAll(TOKEN, (_token, _hashes, raw, plain) => {
    const text = raw ?? plain;
    return text === undefined ? ' ' : `"${strings.push(text) - 1}"`;
  });
  return { code, strings };
}

/** The paths in the fenced block below the heading. */
function listed() {
  const [, section = ''] = readFileSync('ARCHITECTURE.md', 'utf8').split(`${HEADING}\n`);
  const block = /^```\w*\n([^]*?)^```/m.exec(section)?.[1] ?? '';
  return new Set(block.split('\n').filter(Boolean));
}

/** All modules below one. */
function below(module) {
  return BELOW[module].flatMap((it) => [it, ...below(it)]);
}

/** The modules of the engine that some code names by paths from `crate` on. */
function used(code) {
  const paths = [...code.matchAll(/\bcrate::(?:(\w+)|\{([^;]*)\};)/g)];
  return paths
    .flatMap(([, name, list = '']) => name ?? [...list.matchAll(/(?<![:\w])\w+/g)].map(([it]) => it))
    .filter((name) => name in BELOW);
}

const paths = readdirSync('crates', { recursive: true })
  .map((path) => `crates/${path.replaceAll('\\', '/')}`)
  .filter((path) => /^crates\/[^/]+\/src\/.*\.rs$/.test(path))
  .sort();
const isTest = (path) => path.endsWith('/tests.rs') || path.includes('/tests/');
const violations = [];
const allowed = listed();
const withUnsafe = new Set();

for (const path of paths.filter((it) => !it.startsWith(SYS) && !isTest(it))) {
  const { code, strings } = read(path);
  for (const item of new Set([...(code.match(SYSTEM) ?? []), ...(code.match(BRACES) ?? [])])) {
    violations.push(`${path}: uses ${item}, which is for ${SYS}`);
  }
  for (const text of strings.filter((it) => /^\/(proc|dev\/shm)\b/.test(it))) {
    violations.push(`${path}: has the path "${text}", which is for ${SYS}`);
  }
  if (/\bunsafe\b/.test(code)) {
    withUnsafe.add(path);
    if (!allowed.has(path)) violations.push(`${path}: has unsafe code and is not listed in ARCHITECTURE.md`);
  }
}
for (const path of paths.filter((it) => it.startsWith(ENGINE) && !isTest(it))) {
  const [module] = /^(\w+)/.exec(path.slice(ENGINE.length));
  if (module === 'lib') continue;
  if (!(module in BELOW))
    violations.push(`${path}: ${module} is no layer of the engine; add it to this script`);
  const layers = new Set(module in BELOW ? [module, ...below(module)] : []);
  for (const other of new Set(used(read(path).code))) {
    if (!layers.has(other)) violations.push(`${path}: uses ${other}, which is not a layer below ${module}`);
  }
}
for (const path of allowed) {
  if (!paths.includes(path)) violations.push(`ARCHITECTURE.md: lists ${path}, which does not exist`);
  else if (!withUnsafe.has(path)) violations.push(`ARCHITECTURE.md: lists ${path}, which has no unsafe code`);
}
if (paths.length === 0) violations.push('crates: there are no Rust files');
for (const violation of violations) console.error(violation);
process.exitCode = violations.length > 0 ? 1 : 0;
