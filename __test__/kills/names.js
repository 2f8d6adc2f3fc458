/** What the processes of the kill test agree on. Plain JavaScript: they start a thousand times. */

/** Names that everybody makes and removes, strangers too. */
export const contested = ['contested-a', 'contested-b', 'contested-c'];
/** Names that nobody removes: they go with their last owner. */
export const kept = ['kept-a', 'kept-b', 'kept-c', 'kept-d'];

/** Bytes of a stranger's segment, and of no other. */
export const strangersSize = 12_345;

/** Random numbers that a seed repeats. */
export function random(seed) {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}
