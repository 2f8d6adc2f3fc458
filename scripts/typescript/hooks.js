import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { bundle } from './bundle.js';

/** TypeScript's imports name the JavaScript that a file is compiled to. */
export async function resolve(specifier, context, next) {
  if (/^(?:\.{1,2}\/|file:).*\.js(?:\?|$)/.test(specifier) && context.parentURL?.startsWith('file:')) {
    const url = new URL(specifier.replace(/\.js(?=\?|$)/, '.ts'), context.parentURL);
    if (existsSync(url)) return { url: url.href, shortCircuit: true };
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (!url.startsWith('file:') || !/\.ts(?:$|\?)/.test(url)) return next(url, context);
  return {
    format: 'module',
    source: await readFile(await bundle(fileURLToPath(url)), 'utf8'),
    shortCircuit: true,
  };
}
