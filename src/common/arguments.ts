import * as binding from '#binding';

import { outOfRange, shmError, unknownOption, wrongType } from './errors.js';
import type { Descriptor } from './shared-object.js';

/** Checks of what users pass, each done before anything is changed. */

/** A whole number of bytes, 1 to 2^53 - 1. */
export function checkSize(size: unknown): number {
  if (typeof size !== 'number') throw wrongType('size', 'a number of bytes', size);
  if (!Number.isSafeInteger(size) || size <= 0)
    throw outOfRange('size', 'a whole number of bytes, 1 or more', size);
  return size;
}

/** A string without lone surrogates; the engine checks the rest. */
export function checkName(name: unknown): string {
  if (typeof name !== 'string') throw wrongType('name', 'a string', name);
  if (!name.isWellFormed()) throw shmError('ERR_SHM_NAME', "a segment's name must not have lone surrogates");
  return name;
}

export function checkBoolean(what: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== 'boolean') throw wrongType(what, 'true or false', value);
  return value;
}

/** Permission bits. */
export function checkMode(mode: unknown): number {
  if (mode === undefined) return 0o600;
  if (typeof mode !== 'number') throw wrongType('mode', 'a number of permission bits', mode);
  if (!Number.isInteger(mode) || mode < 0 || mode > 0o777) throw outOfRange('mode', 'from 0 to 0o777', mode);
  return mode;
}

/**
 * Inherits nothing: a property that something added to `Object.prototype` is not an option. V8 reads instances of a class
 * several times as fast as objects without a prototype.
 */
class Bare {
  static {
    Reflect.deleteProperty(this.prototype, 'constructor');
    Object.setPrototypeOf(this.prototype, null);
  }
}

/** No options. */
const NONE = Object.freeze(new Bare()) as Record<string, never>;

/**
 * The own properties of an options object, each of which must be known: a misspelt `readOnly` must not give a writable
 * handle. The result inherits nothing.
 */
export function checkOptions<T extends object>(
  options: T | undefined,
  known: readonly string[],
): T | Record<string, never> {
  if (options === undefined) return NONE;
  if (typeof options !== 'object' || options === null) throw wrongType('options', 'an object', options);
  const own = ownProperties(options);
  for (const key in own) {
    if (!isKnown(key, known)) throw unknownOption(key, known);
  }
  return own;
}

/** `known.includes(key)`, in half the time for lists as short as these. */
function isKnown(key: string, known: readonly string[]): boolean {
  for (let i = 0; i < known.length; i++) if (known[i] === key) return true;
  return false;
}

function ownProperties<T extends object>(object: T): T {
  return Object.assign(new Bare(), object) as T;
}

/** The options of what has a name of its own, which they may say once more. */
export function checkNamed<T extends { name?: string }>(
  name: string,
  options: T | undefined,
  known: readonly string[],
): T & { name: string } {
  const given = checkOptions(options, known);
  if (given.name !== undefined && given.name !== name) {
    throw wrongType('the option name', 'left out, or what the first argument is', given.name);
  }
  return Object.assign(ownProperties(given as T), { name: checkName(name) });
}

/** A whole number from 0 to `limit`. */
export function checkIndex(what: string, value: unknown, limit: number): number {
  if (typeof value !== 'number') throw wrongType(what, 'a number', value);
  if (!Number.isInteger(value) || value < 0 || value > limit) {
    throw outOfRange(what, `a whole number from 0 to ${limit}`, value);
  }
  return value;
}

/** A whole number, 1 or more. */
export function checkCount(what: string, value: unknown): number {
  if (typeof value !== 'number') throw wrongType(what, 'a number', value);
  if (!Number.isSafeInteger(value) || value < 1) throw outOfRange(what, 'a whole number, 1 or more', value);
  return value;
}

/** What somebody named: a bare name, or a descriptor of the given kind. */
export function checkTarget(
  target: unknown,
  kind: string,
): { name: string; readOnly: boolean | undefined; id: string | undefined } {
  if (typeof target === 'string') return { name: checkName(target), readOnly: undefined, id: undefined };
  const { name, readOnly, id } = checkDescriptor(target, kind);
  if (readOnly !== undefined && typeof readOnly !== 'boolean') {
    throw wrongType("the descriptor's readOnly", 'true or false', readOnly);
  }
  return { name, readOnly, id: id as string | undefined };
}

/** The own properties of a descriptor, of that kind if one is given. The result inherits nothing. */
export function checkDescriptor(given: unknown, expected?: string): Descriptor {
  const fields: Partial<Record<string, unknown>> =
    typeof given === 'object' && given !== null ? ownProperties(given) : {};
  const { version, kind, name, id } = fields;
  if (kind === undefined || name === undefined) {
    throw wrongType(
      'what to attach to',
      "a shared object's toJSON(), or with the attach() of its class a name",
      given,
    );
  }
  if (typeof kind !== 'string') throw wrongType("the descriptor's kind", 'a string', kind);
  if (id !== undefined && typeof id !== 'string') throw wrongType("the descriptor's id", 'a string', id);
  const number =
    version === undefined ? undefined : checkIndex("the descriptor's version", version, 2 ** 32 - 1);
  binding.checkDescriptor(number, kind, checkName(name), id, expected);
  return fields as Descriptor;
}

const { version: DESCRIPTOR_VERSION } = binding.descriptorConstants();

/** The descriptor of a shared object; its kind may have details of its own. */
export function descriptorOf(kind: string, name: string, id: string, details: object = {}): Descriptor {
  return { version: DESCRIPTOR_VERSION, kind, name, id, ...details };
}
