import { SharedDict } from 'shmkit';

import { Random } from '../../__test__/fixtures/random.js';

const KILOBYTE = 1024;

/** The values, which the Python side has as well. */
export const VALUES = {
  int: (i: number) => i * 100003,
  text: (i: number) => `item-${String(i).padStart(15, '0')}`,
  object: (i: number) => ({
    id: i,
    name: `name-${i}`,
    score: i + 0.5,
    tags: [`tag-${i % 10}`, `tag-${i % 7}`],
    active: i % 2 === 1,
  }),
  kilobyte: (i: number) => flat(`${i} grüße aus Köln, `.repeat(KILOBYTE / 16).slice(0, KILOBYTE)),
  bytes: (i: number) => Buffer.alloc(KILOBYTE, i),
};

export type Values = { [kind in keyof typeof VALUES]: ReturnType<(typeof VALUES)[kind]> };
export type Kind = keyof Values;
export const KINDS = Object.keys(VALUES) as Kind[];

const text = (value: string) => value.length + value.charCodeAt(value.length - 1);

/** A number that a value of the kind comes to. Their sum shows that all were read, and keeps compilers from leaving one out. */
export const WEIGHTS: { [kind in Kind]: (value: Values[kind]) => number } = {
  int: (value) => value,
  text,
  object: (value) => value.score + value.tags.length,
  kilobyte: text,
  bytes: (value) => value.length + value[value.length - 1]!,
};

/** Another string object of the same characters, in one piece. */
function flat(value: string): string {
  return Buffer.from(value, 'latin1').toString('latin1');
}

/** What all contenders of a row are given. */
export interface Entries<V> {
  /** As they are put in. */
  readonly keys: readonly string[];
  /**
   * As they are looked up: shuffled, so that no order of the contents is of use, and other string objects than those that
   * were put in. A Map finds a key that is the same object without comparing a character, but readers of a shared dict are
   * other processes, which have their keys from elsewhere. All contenders in Node look up these very objects.
   */
  readonly wanted: readonly string[];
  /** Values for `keys`. */
  readonly first: readonly V[];
  /** Two rows of values for `wanted`, none of which is the key's first one. */
  readonly next: readonly [readonly V[], readonly V[]];
}

export function entries<K extends Kind>(kind: K, count: number): Entries<Values[K]> {
  const value = VALUES[kind] as (i: number) => Values[K];
  const numbers = Array.from({ length: count }, (_, i) => i);
  const order = new Random(1).shuffle([...numbers]); // the same in each run
  return {
    keys: numbers.map(keyOf),
    wanted: order.map((i) => flat(keyOf(i))),
    first: numbers.map(value),
    next: [order.map((i) => value(i + 1)), order.map((i) => value(i + 2))],
  };
}

export function keyOf(i: number): string {
  return `key-${String(i).padStart(8, '0')}`;
}

/** As in list-items.ts: a program with dicts has had every kind go through the same `get` and `set` before. */
export function useAllKinds(prefix: string): void {
  using dict = SharedDict.create<unknown>({ name: `${prefix}-used` });
  try {
    for (let round = 0; round < 10; round++) {
      for (const kind of KINDS) {
        for (let i = 0; i < 100; i++) dict.set(keyOf(i), VALUES[kind](i));
        for (let i = 0; i < 300; i++) dict.get(keyOf(i % 100));
      }
    }
  } finally {
    dict.unlink();
  }
}

/** What the first values come to, of so many of the keys that are looked up. */
export function weightOf<K extends Kind>(
  kind: K,
  { wanted, keys, first }: Entries<Values[K]>,
  count: number,
): number {
  const values = new Map<string, Values[K]>(keys.map((key, i) => [key, first[i]!]));
  const weight = WEIGHTS[kind] as (value: Values[K]) => number;
  return wanted.slice(0, count).reduce((sum, key) => sum + weight(values.get(key)!), 0);
}
