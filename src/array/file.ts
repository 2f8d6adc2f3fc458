/** `.npy` files. */
import { Buffer } from 'node:buffer';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { shmError } from '../common/errors.js';
import type { TypeFacts } from './dtype.js';
import { isNpy, headerRange, parseNpy, PREAMBLE } from './npy.js';
import { sizeOf, shown } from './shape.js';
import type { Order } from './shape.js';
import { shapeOfNpy, typeOfDescr } from './source.js';

/** Node writes no more than 2 GB at once. */
const PIECE = 2 ** 30;

/** What a file's header says. */
export interface NpyFile {
  readonly file: string;
  readonly type: TypeFacts;
  readonly shape: number[];
  readonly order: Order;
  /** Where the elements begin. */
  readonly start: number;
}

/** @throws As `node:fs`; `ERR_SHM_NOT_AN_ARRAY`, `ERR_SHM_CORRUPT`, `ERR_SHM_DTYPE`, `ERR_SHM_SIZE`. */
export async function openNpy(path: string | URL): Promise<NpyFile> {
  const file = path instanceof URL ? fileURLToPath(path) : path;
  const handle = await open(file, 'r');
  try {
    const head = await readAt(handle, 0, PREAMBLE);
    if (!isNpy(head)) throw shmError('ERR_SHM_NOT_AN_ARRAY', `${file} is no .npy file`);
    const npy = await headerOf(handle, head, file);
    const type = typeOfDescr(npy.descr, file);
    const shape = shapeOfNpy(npy.shape, file);
    const needed = npy.offset + sizeOf(shape) * type.itemSize;
    const { size } = await handle.stat();
    if (size < needed) {
      const what = `${type.name} of shape ${shown(shape)}`;
      throw shmError('ERR_SHM_SIZE', `${what} needs ${needed} bytes, and ${file} has ${size}`);
    }
    return { file, type, shape, order: npy.order === 'C' ? 'C' : 'F', start: npy.offset };
  } finally {
    await handle.close();
  }
}

async function headerOf(handle: FileHandle, head: Buffer, file: string) {
  try {
    const { offset, length } = headerRange(head);
    const text = await readAt(handle, offset, length);
    if (text.length < length) throw new Error('its header is cut');
    return parseNpy(text.toString(head[6]! >= 3 ? 'utf8' : 'latin1'), offset + length);
  } catch (error) {
    throw shmError('ERR_SHM_CORRUPT', `${file} is damaged: ${(error as Error).message}`);
  }
}

/** So many bytes, or as many as there are. */
async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

export async function writeFile(path: string | URL, header: Uint8Array, elements: Uint8Array): Promise<void> {
  const handle = await open(path, 'w');
  try {
    for (const bytes of [header, elements]) {
      for (let at = 0; at < bytes.length; at += PIECE)
        await handle.appendFile(bytes.subarray(at, at + PIECE));
    }
  } finally {
    await handle.close();
  }
}
