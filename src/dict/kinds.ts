/** Kinds of values that the binding makes as well: `crates/shmkit-node/src/dict/value.rs` has what their bytes are. */
export const NULL = 0;
export const FALSE = 1;
export const TRUE = 2;
export const NUMBER = 3;
export const BIGINT = 4;
export const LATIN1 = 5;
export const UTF16 = 6;
/** A number that Python wrote as a float although it is a whole one. */
export const FLOAT = 7;

/** Those that are the facade's alone. */
export const BYTES = 16;
/** The first of the typed arrays. */
export const ARRAY = 17;
/** From here on they are objects, which may be equal and not be stored as the same bytes. */
export const OBJECTS = 66;
/** A structured clone, as V8 writes it: what MessagePack has no type for, or would change. */
export const CLONE = OBJECTS;
/** What Python can read too: plain objects and arrays. */
export const MESSAGE_PACK = 67;
/** Of what could not be read without the lock. */
export const BUSY = 255;
