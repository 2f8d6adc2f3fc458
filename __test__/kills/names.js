/** What the processes of the kill test agree on. Plain JavaScript: they start a thousand times. */

/** Names that everybody makes and removes, strangers too. */
export const contested = ['contested-a', 'contested-b', 'contested-c'];
/** Names that nobody removes: they go with their last owner. */
export const kept = ['kept-a', 'kept-b', 'kept-c', 'kept-d'];

/** Bytes of a stranger's segment, and of no other. */
export const strangersSize = 12_345;
