/** What a dict must agree with: lmdb with values that V8 has serialized. */
import { Buffer } from 'node:buffer';
import { deserialize, serialize } from 'node:v8';

import { open } from 'lmdb';

/** An environment of lmdb that several processes have open. */
export class Lmdb {
  #db;

  constructor(path) {
    this.#db = open({
      path,
      encoding: 'binary',
      keyEncoding: 'binary',
      noSync: true,
      overlappingSync: false,
      cache: false,
      compression: false,
      mapSize: 4 * 2 ** 30,
    });
  }

  get(key) {
    const raw = this.#db.get(Buffer.from(key));
    return raw === undefined ? undefined : deserialize(Buffer.from(raw));
  }

  has(key) {
    return this.#db.doesExist(Buffer.from(key));
  }

  set(key, value) {
    this.#db.putSync(Buffer.from(key), serialize(value));
  }

  delete(key) {
    return this.#db.removeSync(Buffer.from(key));
  }

  clear() {
    this.#db.clearSync();
  }

  get size() {
    return this.#db.getStats().entryCount;
  }

  *entries() {
    for (const { key, value } of this.#db.getRange()) {
      yield [Buffer.from(key).toString(), deserialize(Buffer.from(value))];
    }
  }

  /** Runs the body in a txn, which is undone if it throws. It may be inside another txn. */
  txn(body) {
    return this.#db.transactionSync(body);
  }

  /** Sees from now on what other processes have written. */
  refresh() {
    this.#db.resetReadTxn();
  }

  async close() {
    await this.#db.close();
  }
}

/** The keys of one actor while all actors write at once. They are written to lmdb at the end. */
export class Own {
  #values = new Map();
  #undo;
  #changed = new Set();

  constructor(entries) {
    for (const [key, value] of entries) this.#values.set(key, serialize(value));
  }

  get(key) {
    const raw = this.#values.get(key);
    return raw === undefined ? undefined : deserialize(raw);
  }

  has(key) {
    return this.#values.has(key);
  }

  set(key, value) {
    this.#note(key);
    this.#values.set(key, serialize(value));
  }

  delete(key) {
    this.#note(key);
    return this.#values.delete(key);
  }

  #note(key) {
    if (this.#undo === undefined) this.#changed.add(key);
    else if (!this.#undo.has(key)) this.#undo.set(key, this.#values.get(key));
  }

  async txn(body) {
    const undo = (this.#undo = new Map());
    try {
      const result = await body();
      for (const key of undo.keys()) this.#changed.add(key);
      return result;
    } catch (error) {
      for (const [key, raw] of undo) {
        if (raw === undefined) this.#values.delete(key);
        else this.#values.set(key, raw);
      }
      throw error;
    } finally {
      this.#undo = undefined;
    }
  }

  *changes() {
    for (const key of this.#changed) yield [key, this.get(key)];
  }

  get keys() {
    return this.#values.keys();
  }
}
