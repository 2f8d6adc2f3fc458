import { arrayIn } from '../array/array.js';
import type { SharedArray } from '../array/array.js';
import { attachKind } from '../segment/memory.js';
import type { SharedMemory } from '../segment/memory.js';
import type { Descriptor } from '../common/shared-object.js';

/** So many bytes stay mapped at most when nothing is done with them. */
const MOST = 256 << 20;
/** And for so many milliseconds. */
const FOR = 2000;

/**
 * Segments that a worker keeps mapped from one part of an array to the next, and from one `mapArray` to the next: mapping
 * one and touching its pages anew, and V8's collection of its buffer, cost more than half of what light work on it does.
 */
export class MappingCache {
  /** By what tells segments apart; the longest unused first. */
  readonly #segments = new Map<string, SharedMemory>();
  #timer: NodeJS.Timeout | undefined;

  /** As `attach`. To close the array leaves its segment mapped. */
  open(descriptor: Descriptor): SharedArray {
    // Never looked at, so it costs next to nothing; where it is gone, or may not be opened, this says so.
    const fresh = attachKind('array', descriptor, { foreign: true });
    const key = `${String(descriptor.id)} ${fresh.readOnly}`;
    const known = this.#segments.get(key);
    this.#segments.delete(key);
    const segment = known === undefined || known.closed ? fresh : known;
    if (segment !== fresh) fresh.close();
    this.#segments.set(key, segment);
    return arrayIn(segment, descriptor);
  }

  /** Nothing is done with them for now. */
  rest(): void {
    if (this.#segments.size === 0) return;
    let bytes = 0;
    for (const { size } of this.#segments.values()) bytes += size;
    this.#drop((left) => left > MOST, bytes);
    this.#timer ??= setTimeout(() => this.#drop(() => true), FOR).unref();
    this.#timer.refresh();
  }

  #drop(isTooMuch: (bytes: number) => boolean, bytes = 0): void {
    for (const [key, segment] of this.#segments) {
      if (!isTooMuch(bytes)) return;
      this.#segments.delete(key);
      bytes -= segment.size;
      segment.close();
    }
  }
}
