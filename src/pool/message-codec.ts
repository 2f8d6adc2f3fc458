/**
 * Values on their way between processes: what structured cloning has, and two things that it has not. A shared object
 * arrives attached, and an error with its class, code, cause and own properties.
 *
 * Both are replaced by an empty view each, a stand-in, that V8's serializer asks about as a "host object". So they may be
 * anywhere, many times and in cycles, and what is read back needs no second look.
 */
import { types } from 'node:util';
import { DefaultDeserializer, DefaultSerializer } from 'node:v8';

import { closedError, shmError, show } from '../common/errors.js';
import { UNCLONEABLE } from '../common/shared-object.js';
import type { Descriptor, SharedObject } from '../common/shared-object.js';

/** A shared object in an encoded message: one that the receiver has already, by its number, or one to attach to. */
export type Sent = number | { readonly descriptor: Descriptor; readonly owned: boolean };

/** An error's class, and what its constructor needs. */
type ErrorHead = readonly [kind: string, ...args: string[]];

export interface EncodedMessage {
  /** To Node a structured clone, to Python JSON. */
  readonly bytes: Uint8Array | string;
  /** Each shared object in it, once, in the order in which they are opened. */
  readonly objects: readonly SharedObject[];
}

export function isShared(value: unknown): value is SharedObject {
  return (
    typeof value === 'object' &&
    value !== null &&
    (value as { uncloneable?: unknown }).uncloneable === UNCLONEABLE
  );
}

/** How a shared object is sent where the receiver does not have it: attached, and not owned. */
export function byName(object: SharedObject): Sent {
  if (object.closed) throw closedError(object.name);
  return { descriptor: object.toJSON(), owned: false };
}

/**
 * @throws `ERR_SHM_VALUE` for what cannot be cloned, saying `what` it is; `ERR_SHM_CLOSED` for a shared object that is.
 */
export function pack(
  value: unknown,
  what: string,
  send: (objects: readonly SharedObject[]) => readonly Sent[] = (objects) => objects.map(byName),
): EncodedMessage {
  const packer = new Packer();
  const root = packer.copy(value);
  const details = packer.details();
  const writer = new Writer(packer.standIns);
  const sent = send(packer.objects);
  try {
    writer.writeHeader();
    for (const part of [sent, packer.errors.map(headOf), details, root]) writer.writeValue(part);
    return { bytes: writer.releaseBuffer(), objects: packer.objects };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw Object.assign(shmError('ERR_SHM_VALUE', `${what} cannot be sent to another process: ${why}`), {
      cause,
    });
  }
}

/** What was packed, with the shared objects that `open` gives. */
export function unpack(bytes: Uint8Array, open: (sent: Sent) => SharedObject): unknown {
  const reader = new Reader(bytes);
  reader.readHeader();
  reader.objects = (reader.readValue() as Sent[]).map(open);
  reader.errors = (reader.readValue() as ErrorHead[]).map(emptyError);
  const details = reader.readValue() as Detail[][];
  details.forEach((own, index) => fill(reader.errors[index]!, own));
  return reader.readValue();
}

/** A property of an error. */
type Detail = [key: string, value: unknown, enumerable: boolean];

class Packer {
  readonly objects: SharedObject[] = [];
  readonly errors: Error[] = [];
  /** What stands for a shared object, and for an error, by its number. */
  readonly standIns = new Map<object, [what: number, index: number]>();
  readonly #copies = new Map<object, unknown>();

  /** The value, with stand-ins; what has none in it may be the value itself. */
  copy(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value;
    const known = this.#copies.get(value);
    if (known !== undefined) return known;
    if (isShared(value)) return this.#standIn(value, OBJECT, this.objects.push(value) - 1);
    if (isError(value)) return this.#standIn(value, ERROR, this.errors.push(value) - 1);
    if (Array.isArray(value)) return this.#copyArray(value);
    if (types.isMap(value)) {
      const copy = this.#remember(value, new Map<unknown, unknown>());
      for (const [key, item] of value) copy.set(this.copy(key), this.copy(item));
      return copy;
    }
    if (types.isSet(value)) {
      const copy = this.#remember(value, new Set<unknown>());
      for (const item of value) copy.add(this.copy(item));
      return copy;
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== null && prototype !== Object.prototype) return value;
    const copy = this.#remember(value, Object.create(null) as Record<string, unknown>);
    for (const [key, item] of Object.entries(value)) copy[key] = this.copy(item);
    return copy;
  }

  /** The properties of all errors. Those of an error may hold more of them. */
  details(): Detail[][] {
    const all: Detail[][] = [];
    for (const error of this.errors) {
      all.push(detailsOf(error).map(([key, value, enumerable]) => [key, this.copy(value), enumerable]));
    }
    return all;
  }

  #copyArray(value: unknown[]): unknown[] {
    if (!value.some((item) => typeof item === 'object' && item !== null)) return value;
    const copy: unknown[] = this.#remember(value, []);
    copy.length = value.length;
    value.forEach((item, index) => (copy[index] = this.copy(item))); // leaves holes as they are
    return copy;
  }

  #standIn(value: object, what: number, index: number): Uint8Array {
    const view = this.#remember(value, new Uint8Array(0));
    this.standIns.set(view, [what, index]);
    return view;
  }

  #remember<T>(value: object, copy: T): T {
    this.#copies.set(value, copy);
    return copy;
  }
}

/** What a host object is: a view as Node writes it, or a stand-in. */
const VIEW = 0;
const OBJECT = 1;
const ERROR = 2;

/** V8 calls these; their types are not in `@types/node`. */
interface Hooks {
  _writeHostObject(value: object): void;
  _readHostObject(): unknown;
}
const { _writeHostObject: writeView } = DefaultSerializer.prototype as unknown as Hooks;
const { _readHostObject: readView } = DefaultDeserializer.prototype as unknown as Hooks;

class Writer extends DefaultSerializer {
  readonly #standIns: ReadonlyMap<object, readonly [what: number, index: number]>;

  constructor(standIns: ReadonlyMap<object, readonly [what: number, index: number]>) {
    super();
    this.#standIns = standIns;
  }

  _writeHostObject(value: object): void {
    const standIn = this.#standIns.get(value);
    if (standIn !== undefined) {
      for (const number of standIn) this.writeUint32(number);
    } else {
      this.writeUint32(VIEW);
      writeView.call(this, value);
    }
  }
}

class Reader extends DefaultDeserializer {
  objects: readonly SharedObject[] = [];
  errors: readonly Error[] = [];

  _readHostObject(): unknown {
    const what = this.readUint32();
    if (what === VIEW) return readView.call(this);
    return (what === OBJECT ? this.objects : this.errors)[this.readUint32()];
  }
}

const CLASSES = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

function isError(value: object): value is Error {
  return types.isNativeError(value) || value instanceof DOMException;
}

/** An error of an unknown class arrives as one of the class that it extends. */
function headOf(error: Error): ErrorHead {
  if (error instanceof DOMException) return ['DOMException', error.message, error.name];
  if (error instanceof AggregateError) return ['AggregateError'];
  const kind = Object.entries(CLASSES).find(([, of]) => of !== Error && error instanceof of)?.[0];
  return [kind ?? 'Error'];
}

function emptyError([kind, ...args]: ErrorHead): Error {
  if (kind === 'DOMException') return new DOMException(...args);
  if (kind === 'AggregateError') return new AggregateError([]);
  return new CLASSES[kind as keyof typeof CLASSES]();
}

/** What an error has of its own, as far as it is no code. */
function detailsOf(error: Error): Detail[] {
  const details: Detail[] = [];
  for (const key of new Set([...Object.getOwnPropertyNames(error), 'name', 'message', 'stack', 'code'])) {
    const value: unknown = Reflect.get(error, key);
    if (value === undefined || typeof value === 'function' || typeof value === 'symbol') continue;
    if (error instanceof DOMException && key !== 'stack' && !Object.hasOwn(error, key)) continue;
    details.push([key, value, Object.getOwnPropertyDescriptor(error, key)?.enumerable ?? key === 'code']);
  }
  return details;
}

function fill(error: Error, own: readonly Detail[]): void {
  Reflect.deleteProperty(error, 'stack');
  for (const [key, value, enumerable] of own) {
    if (key === 'name' && error.name === value) continue;
    Object.defineProperty(error, key, { value, enumerable, writable: true, configurable: true });
  }
}

/** What was thrown, without what cannot be sent. */
export function bare(thrown: unknown, deep = true): unknown {
  if (typeof thrown !== 'object' || thrown === null || !isError(thrown)) return show(thrown);
  const error = emptyError(headOf(thrown));
  const own = detailsOf(thrown).flatMap(([key, value, enumerable]): Detail[] => {
    if (isSendable(value)) return [[key, value, enumerable]];
    return deep && key === 'cause' ? [[key, bare(value, false), enumerable]] : [];
  });
  fill(error, own);
  return error;
}

function isSendable(value: unknown): boolean {
  try {
    pack(value, 'it');
    return true;
  } catch {
    return false;
  }
}
