/** The program of `NodePeer`: does what its parent asks over the IPC channel. */
import { Buffer } from 'node:buffer';

import { ShareableList, SharedMemory } from 'shmkit';
import type { Descriptor } from 'shmkit';

import { raceOn } from './barrier.js';
import type { NodeOperations } from './node.js';
import type { Answer, Opened, Target } from './peer.js';
import { fromWire, storable, toWire } from './wire.js';

const handles = new Map<number, SharedMemory | ShareableList>();

function opened(object: SharedMemory | ShareableList): Opened {
  const handle = handles.size + 1;
  handles.set(handle, object);
  return { handle, name: object.name, size: object instanceof ShareableList ? object.length : object.size };
}

function memory(handle: number): SharedMemory {
  const object = handles.get(handle);
  if (!(object instanceof SharedMemory)) throw new Error(`handle ${handle} is no segment`);
  return object;
}

function list(handle: number): ShareableList {
  const object = handles.get(handle);
  if (!(object instanceof ShareableList)) throw new Error(`handle ${handle} is no list`);
  return object;
}

/** JSON has made a descriptor of whatever was not a name. */
const arrived = (target: Target) => target as string | Descriptor;
const named = (name: string | undefined) => (name === undefined ? {} : { name });

const operations: NodeOperations = {
  create: ({ size, name }) => opened(SharedMemory.create(size, named(name))),
  attach: ({ target }) => opened(SharedMemory.attach(arrived(target))),
  read: ({ handle, offset, length }) => memory(handle).buf.toString('hex', offset, offset + length),
  write: ({ handle, offset, hex }) => {
    memory(handle).buf.set(Buffer.from(hex, 'hex'), offset);
    return null;
  },
  createList: ({ items, name }) => opened(ShareableList.create(items.map(storable), named(name))),
  attachList: ({ target }) => opened(ShareableList.attach(arrived(target))),
  get: ({ handle, index }) => toWire(list(handle).get(index)),
  set: ({ handle, index, item }) => {
    list(handle).set(index, storable(item));
    return null;
  },
  items: ({ handle }) => list(handle).toArray().map(toWire),
  format: ({ handle }) => list(handle).format,
  count: ({ handle, item }) => list(handle).count(fromWire(item)),
  close: ({ handle }) => {
    handles.get(handle)?.close();
    return null;
  },
  unlink: ({ handle }) => {
    handles.get(handle)?.unlink();
    return null;
  },
  race: raceOn,
};

function failure(error: unknown): NonNullable<Answer['error']> {
  const { name, message, code } = error as Error & { code?: string };
  return { type: name, message, code };
}

process.on('disconnect', () => process.exit());
process.on('message', (message: { id: number; op: keyof NodeOperations; args: never } | string) => {
  if (typeof message === 'string') return process.exit();
  const { id, op, args } = message;
  try {
    process.send?.({ id, result: operations[op](args) });
  } catch (error) {
    process.send?.({ id, error: failure(error) });
  }
});
