import { isDeepStrictEqual } from 'node:util';

import type { Context } from '../context.js';
import type { Peer, Run, Target } from '../harness.js';
import { pythonPeer } from '../python-peers.js';
import { Python } from '../python.js';
import { Redis, redisServer } from './redis.js';
import type { RedisProgram } from './redis.js';
import { WEIGHTS, weightOf } from './values.js';
import type { Entries, Kind, Values } from './values.js';

/** An access takes them so long that they do a part of what the others do; their times are multiplied. */
const PART = 10;
/** Keys of a batch. */
export const BATCH = 100;

/** Optional peers. Each is looked for once for all rows. */
export interface Sources {
  readonly redis: () => Promise<RedisProgram | undefined>;
  readonly ultra: () => Promise<string | undefined>;
}

export function sources({ quick, peers, python }: Context): Sources {
  return {
    redis: peers ? redisServer(quick) : () => Promise.resolve(undefined),
    ultra: pythonPeer(python, quick, 'ultraDict'),
  };
}

/** What is done with a dict: its keys one by one, or so many at once. */
export type Deed = 'get' | 'set' | 'update';

/** Peers whose accesses are messages, and the one that has a copy in each process. */
export async function distant<K extends Kind>(
  { python, prefix, cleanup }: Context,
  { redis, ultra }: Sources,
  deed: Deed,
  kind: K,
  given: Entries<Values[K]>,
  target?: Target,
): Promise<Peer[]> {
  const count = given.keys.length;
  const snippet = `dict.${deed}`;
  const args = { kind, count, ops: count / PART, prefix, ...(deed === 'update' && { batch: BATCH }) };
  const peers: Peer[] = [];
  if (python) {
    const name = `CPython ${python.version} Manager().dict()`;
    peers.push({ ...python.peer(snippet, { sort: 'manager', ...args }, target, name), scale: PART });
  }
  const path = deed === 'update' ? undefined : await ultra();
  const other = path === undefined ? undefined : await Python.start(path);
  if (other) {
    cleanup.defer(() => other.stop());
    const name = `CPython ${other.version} UltraDict`;
    peers.push({ ...other.peer(snippet, { sort: 'ultra', ...args }, undefined, name), scale: PART });
  }
  const program = await redis();
  if (program) {
    const client = await Redis.start(cleanup, program);
    peers.push({ name: 'Redis, unix socket', run: await redisRun(client, deed, kind, given), scale: PART });
  }
  return peers;
}

type Word = string | Buffer;

interface Codec<V> {
  encode(value: V): Word;
  decode(bytes: Buffer<ArrayBuffer>): V;
}

const texts: Codec<string> = { encode: (value) => value, decode: (bytes) => bytes.toString() };

/** As one stores it there: Redis has nothing but bytes. */
const CODECS: { [kind in Kind]: Codec<Values[kind]> } = {
  int: { encode: String, decode: (bytes) => Number(bytes.toString('latin1')) },
  text: texts,
  object: { encode: JSON.stringify, decode: (bytes) => JSON.parse(bytes.toString()) as Values['object'] },
  kilobyte: texts,
  bytes: { encode: (value) => value, decode: (bytes) => bytes },
};

async function redisRun<K extends Kind>(
  client: Redis,
  deed: Deed,
  kind: K,
  given: Entries<Values[K]>,
): Promise<Run> {
  type V = Values[K];
  const { encode, decode } = CODECS[kind] as Codec<V>;
  const weight = WEIGHTS[kind] as (value: V) => number;
  const keys = given.wanted.slice(0, given.wanted.length / PART);
  const [last] = given.next;
  const setMany = (some: readonly string[], values: readonly V[], at: number) => {
    const end = Math.min(at + BATCH, some.length);
    return client.call('MSET', ...range(at, end).flatMap((i) => [some[i]!, encode(values[i]!)]));
  };
  for (let at = 0; at < given.keys.length; at += BATCH) await setMany(given.keys, given.first, at);

  const check = async () => {
    const replies = (await client.call('MGET', ...keys)) as Buffer<ArrayBuffer>[];
    if (!isDeepStrictEqual(replies.map(decode), last.slice(0, keys.length))) {
      throw new Error('Redis has other values');
    }
  };
  const expected = deed === 'get' ? weightOf(kind, given, keys.length) : 0;
  return async (passes) => {
    let sum = 0;
    const start = process.hrtime.bigint();
    for (let left = passes; left > 0; left--) {
      const values = given.next[((left - 1) & 1) as 0 | 1];
      if (deed === 'get') {
        for (const key of keys) sum += weight(decode((await client.call('GET', key)) as Buffer<ArrayBuffer>));
      } else if (deed === 'set') {
        for (let i = 0; i < keys.length; i++) await client.call('SET', keys[i]!, encode(values[i]!));
      } else {
        for (let at = 0; at < keys.length; at += BATCH) await setMany(keys, values, at);
      }
    }
    const time = Number(process.hrtime.bigint() - start);
    if (deed !== 'get') await check();
    else if (sum !== expected * passes) throw new Error('Redis has other values');
    return time;
  };
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, i) => start + i);
}
