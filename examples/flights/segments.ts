// The segments of one run.
import { randomBytes } from 'node:crypto';
import { type ListItem, ShareableList, SharedMemory, type SharedObject } from 'shmkit';

/** Makes segments under one random prefix, and removes them all at the end, however the process ends. */
export class Segments {
  readonly prefix = `flights-${randomBytes(4).toString('hex')}`;
  readonly #named: SharedObject[] = [];

  constructor() {
    // For process.exit() and errors that nobody catches. Only SIGKILL gets past it: see orphan.ts.
    process.once('exit', () => this.unlink());
  }

  memory(part: string, bytes: number): SharedMemory {
    return this.#keep(SharedMemory.create(bytes, { name: `${this.prefix}-${part}` }));
  }

  list(part: string, items: Iterable<ListItem>): ShareableList {
    return this.#keep(ShareableList.create(items, { name: `${this.prefix}-${part}` }));
  }

  /** Removes the names. Whoever is attached, as this process is, keeps the memory. */
  unlink(): void {
    for (const object of this.#named.splice(0)) {
      try {
        object.unlink();
      } catch (error) {
        // Somebody removed it by hand: that is what was wanted.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') console.error(String(error));
      }
    }
  }

  #keep<T extends SharedObject>(object: T): T {
    this.#named.push(object);
    return object;
  }
}
