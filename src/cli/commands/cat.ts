import { Buffer } from 'node:buffer';
import { once } from 'node:events';

import type { Command } from 'commander';

import type { SharedMemory } from '../../../index.js';

import { open } from '../lookup.js';
import { json } from '../text.js';

/** Bytes that are in memory at a time; a multiple of 3, so that each chunk is whole in base64. */
const CHUNK = 3 << 18;
/** What no text has that a terminal is to show. */
const CONTROL = /[^\P{Cc}\t\n\r]/u;

const EXAMPLES = `
Examples:
  shm cat frames > frames.bin
  shm cat frames | xxd | less`;

interface Options {
  force?: true;
  json?: true;
}

export function addCat(program: Command): void {
  program
    .command('cat')
    .description("write a segment's bytes to stdout")
    .argument('<name>')
    .option('-f, --force', 'write binary bytes to a terminal, too')
    .option('--json', 'an object with name, size and base64')
    .addHelpText('after', EXAMPLES)
    .action(cat);
}

async function cat(name: string, { force, json: asJson }: Options): Promise<void> {
  using memory = open(name);
  if (asJson) return await writeJson(memory); // which is open until then
  const check = process.stdout.isTTY && !force ? textOnly(memory) : () => {};
  for (const chunk of chunks(memory)) {
    check(chunk);
    await write(chunk);
  }
  check(Buffer.alloc(0));
}

async function writeJson(memory: SharedMemory): Promise<void> {
  const { name, size } = memory;
  await write(json({ name, size, base64: '' }).slice(0, -2));
  for (const chunk of chunks(memory)) await write(chunk.toString('base64'));
  await write('"}\n');
}

function* chunks(memory: SharedMemory): Generator<Buffer> {
  for (let offset = 0; offset < memory.size; offset += CHUNK) {
    yield memory.read(offset, Math.min(CHUNK, memory.size - offset));
  }
}

/** Looks at the very bytes that are written next: others may change the segment meanwhile. */
function textOnly({ name }: SharedMemory): (chunk: Uint8Array) => void {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const isText = (chunk: Uint8Array): boolean => {
    try {
      return !CONTROL.test(decoder.decode(chunk, { stream: chunk.length > 0 }));
    } catch {
      return false;
    }
  };
  return (chunk) => {
    if (isText(chunk)) return;
    throw new Error(`'${name}' has binary bytes: pipe them (shm cat … | xxd), or write them with --force`);
  };
}

async function write(chunk: Uint8Array | string): Promise<void> {
  if (!process.stdout.write(chunk)) await once(process.stdout, 'drain');
}
