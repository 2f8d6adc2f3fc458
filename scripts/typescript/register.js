// `node --import=./scripts/typescript/register.js FILE.ts`: runs TypeScript as tsx does, and starts in a fraction of the
// time, because what esbuild made of a file and its imports is kept, as one module, in .cache/typescript. The tests start
// hundreds of processes.
import { register } from 'node:module';

process.setSourceMapsEnabled(true); // stacks name the lines of the sources
register('./hooks.js', import.meta.url);
