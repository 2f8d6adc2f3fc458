/** `.npy` files. */
import { Buffer } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import type { Stats } from 'node:fs';
import { access, open, realpath, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import * as binding from '#binding';
import { locationFrom } from './source.js';
import type { Location } from './source.js';

/** Bytes of a file that have all of the longest header. */
const { head: HEAD } = binding.npyConstants();
/** Bytes that are written at once. Node writes no more than 2 GB. */
const PIECE = 2 ** 24;

/** A file, and where its elements are. */
export interface NpyFile {
  readonly file: string;
  readonly location: Location;
}

/** @throws As `node:fs`; `ERR_SHM_NOT_AN_ARRAY`, `ERR_SHM_CORRUPT`, `ERR_SHM_DTYPE`, `ERR_SHM_SIZE`. */
export async function openNpy(path: string | URL): Promise<NpyFile> {
  const file = path instanceof URL ? fileURLToPath(path) : path;
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const head = await readAt(handle, 0, Math.min(size, HEAD));
    return { file, location: locationFrom(binding.locateInFile(head, size, file)) };
  } finally {
    await handle.close();
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

/**
 * Writes a file. It appears under its name when it is complete, or not at all, and keeps the permissions of the file that it
 * replaces. What is no file, such as a pipe, is written as it is.
 * @param check Throws once the elements are gone; called before each piece.
 * @throws As `node:fs`, and what `check` throws.
 */
export async function writeFile(
  path: string | URL,
  header: Uint8Array,
  elements: Uint8Array,
  check: () => void,
): Promise<void> {
  const target = await targetOf(path);
  if (target.stats?.isFile() === false) {
    await withFile(target.file, 'w', (handle) => writePieces(handle, header, elements, check));
    return;
  }
  if (target.stats !== undefined) await access(target.file, constants.W_OK); // a rename would not ask
  const draft = join(dirname(target.file), `.shmkit-${randomUUID()}.tmp`);
  try {
    await withFile(draft, 'wx', async (handle) => {
      if (target.stats !== undefined) await copyPermissions(target.stats, handle);
      await writePieces(handle, header, elements, check);
    });
    await rename(draft, target.file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

interface Target {
  readonly file: string;
  /** Of what is there. */
  readonly stats: Stats | undefined;
}

/** What a path leads to, through symbolic links. */
async function targetOf(path: string | URL): Promise<Target> {
  const named = path instanceof URL ? fileURLToPath(path) : path;
  try {
    const file = await realpath(named);
    return { file, stats: await stat(file) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return { file: named, stats: undefined };
  }
}

async function copyPermissions({ mode, uid, gid }: Stats, handle: FileHandle): Promise<void> {
  const own = await handle.stat();
  // Only root may give a file away; for anybody else it stays the writer's.
  if (own.uid !== uid || own.gid !== gid) await handle.chown(uid, gid).catch(() => undefined);
  await handle.chmod(mode & 0o777);
}

async function writePieces(
  handle: FileHandle,
  header: Uint8Array,
  elements: Uint8Array,
  check: () => void,
): Promise<void> {
  for (const bytes of [header, elements]) {
    const { length } = bytes; // 0 once the buffer is gone
    for (let at = 0; at < length;) {
      check();
      const { bytesWritten } = await handle.write(bytes, at, Math.min(length - at, PIECE));
      at += bytesWritten;
    }
  }
}

async function withFile(
  file: string,
  flags: string,
  use: (handle: FileHandle) => Promise<void>,
): Promise<void> {
  const handle = await open(file, flags);
  try {
    await use(handle);
  } finally {
    await handle.close();
  }
}
