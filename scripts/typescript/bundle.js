import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const CACHE = new URL('../../.cache/typescript/', import.meta.url);
/** What `using` and decorators are compiled to: the oldest Node that is supported. */
const TARGET = 'node20.19';
/** Older bundles are made anew. */
const VERSION = 2;

/**
 * Bundles a TypeScript module with all that it imports by relative paths, unless that has been done and none of these
 * files has changed. Returns the path of the JavaScript.
 */
export async function bundle(path) {
  const cached = new URL(`${hash(`${VERSION}\0${TARGET}\0${path}`)}.js`, CACHE);
  try {
    const code = await readFile(cached, 'utf8');
    // The first line has the files, and the hash of what was in them.
    const { inputs, state } = JSON.parse(code.slice(2, code.indexOf('\n')));
    if (stateOf(inputs) === state) return fileURLToPath(cached);
  } catch {
    // It is compiled for the first time, or a file is gone.
  }
  const { code, inputs } = await compile(path);
  const line = `//${JSON.stringify({ inputs, state: stateOf(inputs) })}\n`;
  await mkdir(CACHE, { recursive: true });
  const fresh = new URL(`${hash(path)}.${process.pid}.${Math.random()}`, CACHE);
  await writeFile(fresh, line + code);
  await rename(fresh, cached);
  return fileURLToPath(cached);
}

async function compile(path) {
  const { build } = await import('esbuild');
  const { outputFiles, metafile } = await build({
    entryPoints: [path],
    absWorkingDir: '/',
    bundle: true,
    external: ['#binding'],
    format: 'esm',
    metafile: true,
    outfile: path.replace(/\.ts$/, '.js'), // where the source map's paths begin, and so does its root
    sourceRoot: pathToFileURL(`${dirname(path)}/`).href,
    packages: 'external',
    platform: 'node',
    plugins: [ownFiles],
    sourcemap: 'inline',
    target: TARGET,
    write: false,
  });
  return { code: outputFiles[0].text, inputs: Object.keys(metafile.inputs).map((input) => `/${input}`) };
}

/** In a bundle each file still has its own URL, and a program beside it in JavaScript is not taken for it. */
const ownFiles = {
  name: 'own-files',
  setup(build) {
    build.onResolve({ filter: /^\.{1,2}\/.*\.js$/ }, ({ path, resolveDir }) => {
      const source = join(resolveDir, path.replace(/\.js$/, '.ts'));
      return existsSync(source) ? { path: source } : undefined;
    });
    build.onLoad({ filter: /\.[jt]s$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replaceAll(
        /\bimport\.meta\.(url|dirname|filename)\b/g,
        (_, property) => JSON.stringify(metaOf(path)[property]),
      ),
      loader: path.endsWith('.ts') ? 'ts' : 'js',
    }));
  },
};

function metaOf(path) {
  return { url: pathToFileURL(path).href, dirname: dirname(path), filename: path };
}

function stateOf(files) {
  return hash(files.map((file) => readFileSync(file)).join('\0'));
}

function hash(text) {
  return createHash('sha256').update(text).digest('hex');
}
