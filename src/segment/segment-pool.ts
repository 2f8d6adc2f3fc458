import { checkOptions, checkSize } from '../common/arguments.js';
import { outOfRange, shmError, wrongType } from '../common/errors.js';
import { SharedMemory } from './memory.js';

/** Options for a segment pool. */
export interface SegmentPoolOptions {
  /**
   * Bytes of idle segments to keep. If there are more, the one that was idle longest is unlinked. Default 256
   * MB (2 ** 28).
   */
  maxBytes?: number;
}

const MAX_BYTES = 256 << 20;
const PAGE = 4096;

/**
 * Segments that are reused: the first access to fresh memory costs many times what the work on it does.
 *
 * ```js
 * using pool = new SegmentPool();
 * const frame = pool.acquire(6_000_000); // at least this long, with whatever was in it before
 * send(frame.toJSON());
 * // … and when it is no longer in use
 * pool.release(frame);
 * ```
 */
export class SegmentPool implements Disposable {
  readonly #maxBytes: number;
  /** Those that nobody has, the longest unused first. */
  readonly #idle = new Set<SharedMemory>();
  readonly #lent = new WeakSet<SharedMemory>();
  #bytes = 0;
  #closed = false;

  constructor(options?: SegmentPoolOptions) {
    const { maxBytes = MAX_BYTES } = checkOptions(options, ['maxBytes']);
    if (typeof maxBytes !== 'number') throw wrongType('maxBytes', 'a number of bytes', maxBytes);
    if (!(maxBytes >= 0)) throw outOfRange('maxBytes', '0 or more bytes', maxBytes);
    this.#maxBytes = maxBytes;
  }

  /** Bytes of all idle segments: those that were released and not acquired again. */
  get idleBytes(): number {
    return this.#bytes;
  }

  /**
   * Returns a segment of at least `size` bytes, which this process owns: a released one with its old contents,
   * or a fresh one.
   * @throws `ERR_SHM_CLOSED` if the pool is closed; otherwise as `SharedMemory.create`.
   */
  acquire(size: number): SharedMemory {
    const room = roomFor(checkSize(size));
    if (this.#closed) throw shmError('ERR_SHM_CLOSED', 'the segment pool is closed');
    const segment = this.#take(room) ?? SharedMemory.create(room);
    this.#lent.add(segment);
    return segment;
  }

  /** The one of this size that was used last, whose memory may still be in the processor's cache. */
  #take(room: number): SharedMemory | undefined {
    let found: SharedMemory | undefined;
    for (const segment of this.#idle) {
      if (segment.closed) {
        this.#forget(segment);
        remove(segment);
      } else if (segment.size === room) found = segment;
    }
    if (found !== undefined) this.#forget(found);
    return found;
  }

  #forget(segment: SharedMemory): void {
    this.#idle.delete(segment);
    this.#bytes -= segment.size;
  }

  /**
   * Takes a segment back. A process that still has it open shares it with the next one that acquires it.
   * @throws `ERR_SHM_NOT_LENT` if it was not acquired here or was released already.
   */
  release(segment: SharedMemory): void {
    if (!this.#lent.delete(segment)) {
      const message = 'only a segment that was acquired from this pool can be released, and only once';
      throw shmError('ERR_SHM_NOT_LENT', message, (segment as SharedMemory | undefined)?.name);
    }
    if (segment.closed || this.#closed) return remove(segment);
    this.#idle.add(segment);
    this.#bytes += segment.size;
    for (const oldest of this.#idle) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#forget(oldest);
      remove(oldest);
    }
  }

  /** Unlinks the idle segments. Acquired ones are unlinked when they are released. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const segment of this.#idle) {
      this.#forget(segment);
      remove(segment);
    }
  }

  /** Calls `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** Sizes between which it is not told: a page, then four from one power of two to the next. */
function roomFor(size: number): number {
  if (size <= PAGE) return PAGE;
  const step = Math.max(PAGE, 2 ** (Math.floor(Math.log2(size - 1)) - 2));
  return Math.ceil(size / step) * step;
}

function remove(segment: SharedMemory): void {
  segment.close();
  try {
    segment.unlink();
  } catch (error) {
    // Somebody has done so already.
    if ((error as { code?: string }).code !== 'ENOENT') throw error;
  }
}
