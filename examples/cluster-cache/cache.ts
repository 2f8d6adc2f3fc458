import { hash } from 'node:crypto';

import { SharedDict, SharedMutex } from 'shmkit';

export interface CacheOptions {
  /** Milliseconds that a value is good for. */
  ttl: number;
  /** So many values at most: for one more, the one that came first goes. The same number in all processes. */
  maxEntries: number;
  /** Bytes that they may take. Where that is too little for so many values, all of them go now and then. */
  maxByteLength: number;
  /** Milliseconds to wait for another process that computes the value; `ERR_SHM_TIMEOUT` after that. */
  timeout?: number;
}

/** Since there is the cache. */
export interface Stats {
  /** How often a value was asked for, */
  requests: number;
  /** and was there, or another one who asked had it computed; */
  hits: number;
  /** and how often one was computed. */
  misses: number;
  entries: number;
}

interface Entry<V> {
  value: V;
  /** As Date.now() has it, which is the same in all processes. */
  expires: number;
  slot: number;
}

/**
 * A cache that all processes share that open it by the same name: the workers of `node:cluster`, those of pm2, or
 * programs that know nothing of each other.
 *
 * In the dict: `=KEY` is an entry, `#0` to `#(maxEntries - 1)` are a ring of the keys in the order in which they came, and
 * `added` says how many there were.
 */
export class SharedCache<V> implements Disposable {
  readonly name: string;
  readonly #dict: SharedDict;
  /** In a dict of its own, where counting goes on when the other one is full. */
  readonly #counters: SharedDict<number>;
  readonly #ttl: number;
  readonly #maxEntries: number;
  readonly #timeout: number;
  /** What this process waits for, so that it takes part in each lock once. */
  readonly #pending = new Map<string, Promise<V>>();

  constructor(name: string, { ttl, maxEntries, maxByteLength, timeout = 10_000 }: CacheOptions) {
    this.name = name;
    this.#dict = SharedDict.createOrAttach(name, { maxByteLength });
    this.#counters = SharedDict.createOrAttach(`${name}-counters`);
    this.#ttl = ttl;
    this.#maxEntries = maxEntries;
    this.#timeout = timeout;
  }

  /** The value, or what `compute` gives: whoever asks for it meanwhile, in any process, waits for that. */
  async get(key: string, compute: () => Promise<V>): Promise<V> {
    this.#counters.increment('requests');
    const entry = this.#fresh(key);
    if (entry !== undefined) return this.#hit(entry.value);
    const pending = this.#pending.get(key);
    if (pending !== undefined) return this.#hit(await pending);

    const computed = this.#computeOnce(key, compute).finally(() => this.#pending.delete(key));
    this.#pending.set(key, computed);
    return computed;
  }

  stats(): Stats {
    const entries = [...this.#dict.keys()].filter((key) => key.startsWith('=')).length;
    return { requests: 0, hits: 0, misses: 0, ...this.#counters.toObject(), entries };
  }

  close(): void {
    this.#dict.close();
    this.#counters.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #fresh(key: string): Entry<V> | undefined {
    const entry = this.#dict.get(`=${key}`) as Entry<V> | undefined;
    return entry !== undefined && Date.now() < entry.expires ? entry : undefined;
  }

  #hit(value: V): V {
    this.#counters.increment('hits');
    return value;
  }

  /** With a lock for this key, and not a mark in the dict: of one who is killed the next one has the lock at once. */
  async #computeOnce(key: string, compute: () => Promise<V>): Promise<V> {
    using mutex = SharedMutex.createOrAttach(`${this.name}-${hash('sha256', key)}`);
    using _ = await mutex.lock({ timeout: this.#timeout });
    try {
      const entry = this.#fresh(key);
      if (entry !== undefined) return this.#hit(entry.value); // another process was faster
      const value = await compute();
      this.#put(key, value);
      this.#counters.increment('misses');
      return value;
    } finally {
      unlinkIfThere(mutex); // those who wait have it open; who comes later makes another one
    }
  }

  #put(key: string, value: V): void {
    const expires = Date.now() + this.#ttl;
    const put = (): void =>
      this.#dict.txnSync((txn) => {
        const old = txn.get(`=${key}`) as Entry<V> | undefined;
        const slot = old?.slot ?? (txn.increment('added') - 1) % this.#maxEntries;
        if (old === undefined) {
          const oldest = txn.get(`#${slot}`);
          if (oldest !== undefined) txn.delete(`=${oldest as string}`);
          txn.set(`#${slot}`, key);
        }
        txn.set(`=${key}`, { value, expires, slot });
      });
    try {
      put();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ERR_SHM_FULL' && code !== 'ENOSPC') throw error;
      this.#dict.clear(); // `added` and the ring as well: it begins afresh
      put();
    }
  }
}

function unlinkIfThere(mutex: SharedMutex): void {
  try {
    mutex.unlink();
  } catch (error) {
    // The one who had the lock before us did so.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
