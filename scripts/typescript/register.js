// `node --import=./scripts/typescript/register.js FILE.ts`: runs TypeScript as tsx does, and starts in a quarter of the
// time, because what esbuild made of a file is kept in .cache/typescript. The tests start hundreds of processes.
import { register } from 'node:module';

register('./hooks.js', import.meta.url);
