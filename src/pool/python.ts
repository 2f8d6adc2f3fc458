/**
 * Workers in Python, which get what both languages have, as JSON: `worker.py` is the other side. What JSON has not is an
 * object with the key `$` alone: `{"$": ["bytes", "…"]}`.
 */
import { Buffer } from 'node:buffer';
import { spawn } from 'node:child_process';
import { types } from 'node:util';
import { fileURLToPath } from 'node:url';

import { checkType, typeOfArray } from '../array/dtype.js';
import { shmError, show } from '../common/errors.js';
import type { SharedObject } from '../common/shared-object.js';
import { byName, isShared } from './message-codec.js';
import type { EncodedMessage, Sent } from './message-codec.js';
import type { Program } from './program.js';

const WORKER = fileURLToPath(new URL('./worker.py', import.meta.url));

/** A module's functions, called by this Python. */
export function pythonProgram(python: string, url: string): Program {
  return {
    start: () =>
      spawn(python, [WORKER, fileURLToPath(url)], {
        serialization: 'json',
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      }),
    pack,
    unpack: (bytes, open) => unpack(bytes as string, open),
  };
}

type Tagged = readonly [tag: string, ...content: unknown[]];

function pack(value: unknown, what: string): EncodedMessage {
  const packer = new Packer();
  try {
    const tree = packer.copy(value);
    const sent = packer.objects.map(byName);
    return { bytes: JSON.stringify({ sent, value: tree }), objects: packer.objects };
  } catch (cause) {
    if (!(cause instanceof Unsendable) && !(cause instanceof RangeError)) throw cause;
    throw shmError('ERR_SHM_VALUE', `${what} cannot be sent to Python: ${cause.message}`);
  }
}

class Unsendable extends Error {}

class Packer {
  readonly objects: SharedObject[] = [];
  /** What the value at hand is inside of. */
  readonly #above = new Set<object>();

  copy(value: unknown): unknown {
    switch (typeof value) {
      case 'string':
      case 'boolean':
        return value;
      case 'undefined':
        return null;
      case 'number':
        if (Number.isSafeInteger(value) ? !Object.is(value, -0) : value % 1 !== 0 && Number.isFinite(value)) {
          return value;
        }
        return tagged('float', Object.is(value, -0) ? '-0' : String(value));
      case 'bigint':
        return tagged('int', String(value));
      case 'object':
        return value === null ? null : this.#object(value);
      default:
        throw new Unsendable(`${show(value)} is nothing that Python has`);
    }
  }

  #object(value: object): unknown {
    if (isShared(value)) {
      const known = this.objects.indexOf(value);
      return tagged('shared', known >= 0 ? known : this.objects.push(value) - 1);
    }
    if (types.isDate(value)) return tagged('date', value.getTime());
    if (Buffer.isBuffer(value) || types.isAnyArrayBuffer(value)) return tagged('bytes', base64(value));
    const type = typeOfArray(value);
    if (type !== undefined) return tagged('array', type.name, base64(value as ArrayBufferView));
    if (this.#above.has(value)) throw new Unsendable('it is in itself');
    this.#above.add(value);
    const copy = Array.isArray(value) ? Array.from(value, (item) => this.copy(item)) : this.#plain(value);
    this.#above.delete(value);
    return copy;
  }

  #plain(value: object): unknown {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== null && prototype !== Object.prototype) {
      throw new Unsendable(`${show(value)} is nothing that Python has`);
    }
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    const copies = entries.map(([key, item]) => [key, this.copy(item)] as const);
    return copies.some(([key]) => key === '$') ? tagged('dict', copies) : Object.fromEntries(copies);
  }
}

function tagged(...content: Tagged): { $: Tagged } {
  return { $: content };
}

function base64(bytes: ArrayBufferView | ArrayBufferLike): string {
  const buffer = ArrayBuffer.isView(bytes)
    ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : Buffer.from(bytes);
  return buffer.toString('base64');
}

function unpack(text: string, open: (sent: Sent) => SharedObject): unknown {
  const { sent, value } = JSON.parse(text) as { sent: Sent[]; value: unknown };
  return revive(value, sent.map(open));
}

function revive(value: unknown, objects: readonly SharedObject[]): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => revive(item, objects));
  const special = (value as { $?: Tagged }).$;
  if (special !== undefined) return untagged(special, objects);
  return fromEntries(Object.entries(value), objects);
}

function fromEntries(entries: [string, unknown][], objects: readonly SharedObject[]): unknown {
  return Object.fromEntries(entries.map(([key, item]) => [key, revive(item, objects)]));
}

function untagged([tag, ...content]: Tagged, objects: readonly SharedObject[]): unknown {
  const [first, second] = content as [never, string];
  switch (tag) {
    case 'shared':
      return objects[first];
    case 'float':
      return Number(first);
    case 'int':
      return BigInt(first);
    case 'date':
      return new Date(first);
    case 'bytes':
      return Buffer.from(first, 'base64');
    case 'array':
      return typedArray(first, second);
    case 'dict':
      return fromEntries(first, objects);
    case 'error':
      return errorOf(first);
    default:
      throw shmError('ERR_SHM_VALUE', `the worker sent ${show(tag)}, of which this version does not know`);
  }
}

function typedArray(dtype: string, text: string): ArrayBufferView {
  const { Class, itemSize } = checkType(dtype);
  const bytes = Uint8Array.from(Buffer.from(text, 'base64')); // in a buffer of its own, from its beginning
  return new Class(bytes.buffer, 0, bytes.length / itemSize);
}

/** What Python says of an exception. */
interface Raised {
  readonly name: string;
  readonly message: string;
  readonly traceback?: string;
  readonly code?: string;
  readonly errno?: number;
}

/** An exception of Python's: an `Error` with its class's name, and its traceback in the stack. */
function errorOf({ name, message, traceback, code, errno }: Raised): Error {
  const error = new Error(message);
  const stack = [`${name}: ${message}`, traceback].filter((part) => part !== undefined).join('\n');
  for (const [key, value] of Object.entries({ name, stack })) {
    Object.defineProperty(error, key, { value, enumerable: false, writable: true, configurable: true });
  }
  return Object.assign(error, code !== undefined && { code }, errno !== undefined && { errno });
}
