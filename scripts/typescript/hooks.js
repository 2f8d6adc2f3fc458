import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const CACHE = new URL('../../.cache/typescript/', import.meta.url);
/** What `using` and decorators are compiled to: the oldest Node that is supported. */
const TARGET = 'node20.19';

/** TypeScript's imports name the JavaScript that a file is compiled to. */
export async function resolve(specifier, context, next) {
  if (/^\.{1,2}\/.*\.js(?:\?|$)/.test(specifier) && context.parentURL?.startsWith('file:')) {
    const url = new URL(specifier.replace(/\.js(?=\?|$)/, '.ts'), context.parentURL);
    if (existsSync(url)) return { url: url.href, shortCircuit: true };
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (!url.startsWith('file:') || !/\.ts(?:$|\?)/.test(url)) return next(url, context);
  return { format: 'module', source: await compiled(fileURLToPath(url)), shortCircuit: true };
}

async function compiled(path) {
  const source = await readFile(path, 'utf8');
  const key = createHash('sha256').update(`${TARGET}\0${path}\0${source}`).digest('hex');
  const cached = new URL(`${key}.js`, CACHE);
  try {
    return await readFile(cached, 'utf8');
  } catch {
    // It is compiled for the first time.
  }
  const { transform } = await import('esbuild');
  const options = { loader: 'ts', format: 'esm', target: TARGET, sourcemap: 'inline', sourcefile: path };
  const { code } = await transform(source, options);
  await mkdir(CACHE, { recursive: true });
  const fresh = new URL(`${key}.${process.pid}`, CACHE);
  await writeFile(fresh, code);
  await rename(fresh, cached);
  return code;
}
