import { isDeepStrictEqual } from 'node:util';

import { SharedDict } from 'shmkit';

import type { Context } from '../context.js';
import { ownLoops } from '../dict/loops.js';
import type { Store } from '../dict/loops.js';
import { timed } from '../harness.js';
import type { Peer, Row, Run, Target } from '../harness.js';
import { openLmdb } from '../dict/lmdb.js';
import type { Database } from '../dict/lmdb.js';
import { BATCH, distant } from '../dict/peers.js';
import type { Sources } from '../dict/peers.js';
import { entries, KINDS, useAllKinds, WEIGHTS, weightOf } from '../dict/values.js';
import type { Entries, Kind, Values } from '../dict/values.js';

const NAMES: Record<Kind, string> = {
  int: 'int',
  text: 'str of 20',
  object: 'object',
  kilobyte: 'str of 1 KB',
  bytes: 'Buffer of 1 KB',
};

const time = (limit: number): Target => ({ time: limit });
const faster = (times: number): Target => ({ faster: times });

const GET_MAP: Partial<Record<Kind, Target>> = {
  int: time(4),
  text: time(4),
  object: time(12),
  kilobyte: time(12),
};
/** Kinds whose values are remembered. */
const REMEMBERED = new Set<Kind>(['int', 'text', 'kilobyte']);
const SET_MAP: Partial<Record<Kind, Target>> = { int: time(5), text: time(8) };

/** Bytes are only there to be seen. */
function unlessBytes(kind: Kind, target: Target): Target | undefined {
  return kind === 'bytes' ? undefined : target;
}

/** Contenders in this process that hold the same first values. */
interface Arena<K extends Kind> {
  readonly kind: K;
  readonly given: Entries<Values[K]>;
  readonly dict: SharedDict<Values[K]>;
  readonly map: Map<string, Values[K]>;
  readonly lmdb: Database<Values[K]>['db'];
}

async function arena<K extends Kind>(
  { prefix, cleanup }: Context,
  kind: K,
  count: number,
): Promise<Arena<K>> {
  useAllKinds(prefix);
  const given = entries(kind, count);
  const { keys, first } = given;
  const dict = SharedDict.create<Values[K]>({ name: `${prefix}-dict` });
  cleanup.defer(() => {
    dict.close();
    dict.unlink();
  });
  const map = new Map<string, Values[K]>();
  const { db: lmdb } = await openLmdb<Values[K]>(cleanup, prefix);
  lmdb.transactionSync(() => {
    keys.forEach((key, i) => {
      dict.set(key, first[i]!);
      map.set(key, first[i]!);
      lmdb.putSync(key, first[i]!);
    });
  });
  return { kind, given, dict, map, lmdb };
}

/**
 * `get` of keys that are there. A handle remembers where it found them, and values that no reader can change; somebody writes
 * to another key before each pass, as there is no need of a shared dict where nobody writes. With `cacheSize: 0` it remembers
 * nothing.
 */
export function getRows(context: Context, known: Sources, count: number): Row[] {
  const row = (
    kind: Kind,
    name: string,
    isUncached: boolean,
    mapTarget?: Target,
    lmdbTarget?: Target,
  ): Row => ({
    name: `get ${NAMES[kind]}${name}`,
    ops: count,
    async open() {
      const its = await arena(context, kind, count);
      const { given, map, lmdb } = its;
      const dict = isUncached ? SharedDict.attach<Values[Kind]>(its.dict.name, { cacheSize: 0 }) : its.dict;
      if (isUncached) context.cleanup.defer(() => dict.close());
      const weight = WEIGHTS[kind] as (value: Values[Kind]) => number;
      const expected = weightOf(kind, given, given.keys.length);
      const run = async (store: Store<Values[Kind]>, before = (): void => {}): Promise<Run> => {
        const { getAll } = await ownLoops();
        return timed((passes) => {
          const sum = getAll(store, given.wanted, weight, passes, before);
          if (sum !== expected * passes)
            throw new Error(`the values come to ${sum / passes}, not ${expected}`);
          return sum;
        });
      };
      let writes = 0;
      const write = (): void => void (its.dict as SharedDict<unknown>).set('written', ++writes);
      const others = isUncached
        ? []
        : await distant(context, known, 'get', kind, given, unlessBytes(kind, faster(300)));
      return {
        shmkit: await run(dict, write),
        peers: [
          peer('Map', await run(map), mapTarget),
          peer('lmdb', await run(lmdbStore(lmdb)), lmdbTarget),
          ...others,
        ],
      };
    },
  });
  return [
    ...KINDS.map((kind) => {
      const mapTarget = REMEMBERED.has(kind) ? time(2.5) : GET_MAP[kind];
      return row(kind, '', false, mapTarget, unlessBytes(kind, faster(4)));
    }),
    ...KINDS.map((kind) => row(kind, ', cacheSize: 0', true, GET_MAP[kind], unlessBytes(kind, faster(4)))),
  ];
}

/** `set` of keys that are there, to values that they do not have. */
export function setRows(context: Context, known: Sources, count: number): Row[] {
  return KINDS.map((kind) => ({
    name: `set ${NAMES[kind]}`,
    ops: count,
    async open() {
      const its = await arena(context, kind, count);
      const { given, dict, map, lmdb } = its;
      const run = async (store: Store<Values[Kind]>): Promise<Run> => {
        const { setAll } = await ownLoops();
        return timed((passes) => setAll(store, given.wanted, given.next, passes));
      };
      return {
        shmkit: await run(dict),
        peers: [
          { ...peer('Map', await run(map), SET_MAP[kind]), verify: () => verify(its, map) },
          {
            ...peer('lmdb putSync', await run(lmdbStore(lmdb)), unlessBytes(kind, faster(30))),
            verify: () => verifyLmdb(its),
          },
          ...(await distant(context, known, 'set', kind, given, unlessBytes(kind, faster(300)))),
        ],
        verify: () => verify(its, dict),
      };
    },
  }));
}

type Batch<V> = readonly (readonly [string, V])[];

/** `set` of so many keys at once. */
export function batchRows(context: Context, known: Sources, count: number): Row[] {
  const row = (
    name: string,
    kind: Kind,
    write: (dict: SharedDict<Values[Kind]>, batch: Batch<Values[Kind]>) => void,
  ): Row => ({
    name: `${name} of ${BATCH} × ${NAMES[kind]}, a key`,
    ops: count,
    async open() {
      const its = await arena(context, kind, count);
      const { given, dict, map, lmdb } = its;
      const batches = (values: readonly Values[Kind][]): Batch<Values[Kind]>[] => {
        const all = given.wanted.map((key, i) => [key, values[i]!] as const);
        return Array.from({ length: count / BATCH }, (_, i) => all.slice(i * BATCH, (i + 1) * BATCH));
      };
      const rows = [batches(given.next[0]), batches(given.next[1])] as const;
      const run = async (writing: (batch: Batch<Values[Kind]>) => void): Promise<Run> => {
        const { writeAll } = await ownLoops();
        return timed((passes) => writeAll(writing, rows, passes));
      };
      const inMap = (batch: Batch<Values[Kind]>) => {
        for (const [key, value] of batch) map.set(key, value);
      };
      const inLmdb = (batch: Batch<Values[Kind]>) =>
        lmdb.transactionSync(() => {
          for (const [key, value] of batch) lmdb.putSync(key, value);
        });
      return {
        shmkit: await run((batch) => write(dict, batch)),
        peers: [
          { ...peer('Map', await run(inMap)), verify: () => verify(its, map) },
          { ...peer('lmdb transactionSync', await run(inLmdb)), verify: () => verifyLmdb(its) },
          ...(await distant(context, known, 'update', kind, given)),
        ],
        verify: () => verify(its, dict),
      };
    },
  });
  return [
    ...(['int', 'object'] as const).map((kind) =>
      row('assign', kind, (dict, batch) => dict.assign(batch as [string, Values[Kind]][])),
    ),
    ...(['int', 'text', 'object', 'kilobyte'] as const).map((kind) =>
      row('txnSync', kind, (dict, batch) =>
        dict.txnSync((txn) => {
          for (const [key, value] of batch) txn.set(key, value);
        }),
      ),
    ),
  ];
}

function lmdbStore<V>(db: {
  get(key: string): V | undefined;
  putSync(key: string, value: V): void;
}): Store<V> {
  return { get: (key) => db.get(key), set: (key, value) => db.putSync(key, value) };
}

function peer(name: string, run: Run, target?: Target): Peer {
  return { name, run, ...(target && { target }) };
}

/** Throws if the store does not have the values that were set last. */
function verify({ given }: Arena<Kind>, store: Pick<Store<unknown>, 'get'>): void {
  given.wanted.forEach((key, i) => {
    if (!isDeepStrictEqual(store.get(key), given.next[0][i])) {
      throw new Error(`${store.constructor.name} has another value at '${key}'`);
    }
  });
}

function verifyLmdb(its: Arena<Kind>): void {
  its.lmdb.resetReadTxn();
  verify(its, its.lmdb);
}
