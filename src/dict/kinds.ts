/** What the bytes of a value are: `crates/shmkit/src/dict/value.rs` says. */
import * as binding from '#binding';

/** @internal All kinds, by the names of the engine. */
export const KINDS: Readonly<Partial<Record<string, number>>> = binding.valueKindConstants();

function kindOf(name: string): number {
  const kind = KINDS[name];
  if (kind === undefined) throw new Error(`the native module has no kind of values '${name}'`);
  return kind;
}

export const NULL = kindOf('Null');
export const FALSE = kindOf('False');
export const TRUE = kindOf('True');
export const NUMBER = kindOf('Number');
export const BIGINT = kindOf('Bigint');
export const LATIN1 = kindOf('Latin1');
export const UTF16 = kindOf('Utf16');
export const FLOAT = kindOf('Float');
export const BYTES = kindOf('Bytes');
export const CLONE = kindOf('Clone');
export const MESSAGE_PACK = kindOf('MessagePack');
/** From here on they are objects, which may be equal and not be stored as the same bytes. */
export const OBJECTS = Math.min(CLONE, MESSAGE_PACK);
/** Of what could not be read without the lock. */
export const BUSY = 255;
