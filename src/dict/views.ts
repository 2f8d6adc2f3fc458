import * as binding from '#binding';
import { viewOf } from './values.js';

/** @internal The values that the body of a txn looks at in place, with the lock. */
export class Views {
  readonly #native: binding.DictHandle;
  readonly #buffers: ArrayBuffer[] = [];

  constructor(native: binding.DictHandle) {
    this.#native = native;
  }

  /** The value in place; undefined where there is none, or none of which that can be said: then a copy has to do. */
  view(key: string): NodeJS.TypedArray | undefined {
    const found = binding.dictView(this.#native, key);
    if (found?.buffer === undefined) return undefined;
    this.#buffers.push(found.buffer);
    return viewOf(found.buffer, found.kind);
  }

  /** Detaches them all, and forgets what was written to them. */
  end(closed: boolean): void {
    for (const buffer of this.#buffers) binding.detachDictBuffer(buffer);
    if (this.#buffers.length > 0 && !closed) binding.dictRefreshViews(this.#native);
  }
}
