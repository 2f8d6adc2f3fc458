/** The names that the processes share. Plain JavaScript, because they start a thousand times. */

/** Names that every process creates and unlinks, strangers too. */
export const contested = ['contested-a', 'contested-b', 'contested-c'];
/** Names that no process unlinks: they end with their last owner. */
export const kept = ['kept-a', 'kept-b', 'kept-c', 'kept-d'];

/** The size of a stranger's segment, which no other segment has. */
export const strangersSize = 12_345;
