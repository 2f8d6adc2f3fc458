// The loops of the rows of dicts, which all contenders in this process go through. Each of them gets a copy of this module,
// so that each has loops that V8 compiles for it alone, as a place in a program that uses only it.

/** What a Map, a dict and a database have in common. */
export interface Store<V> {
  get(key: string): V | undefined;
  set(key: string, value: V): unknown;
}

/** Gets all keys, `passes` times; the sum of what they weigh. */
export function getAll<V>(
  store: Store<V>,
  keys: readonly string[],
  weight: (value: V) => number,
  passes: number,
  before: (pass: number) => void,
): number {
  let sum = 0;
  for (let pass = 0; pass < passes; pass++) {
    before(pass);
    for (let i = 0; i < keys.length; i++) sum += weight(store.get(keys[i]!)!);
  }
  return sum;
}

/** Sets all keys, `passes` times: to the one row of values and the other in turn, and to the first one at last. */
export function setAll<V>(
  store: Store<V>,
  keys: readonly string[],
  values: readonly [readonly V[], readonly V[]],
  passes: number,
): void {
  for (let left = passes; left > 0; left--) {
    const given = values[((left - 1) & 1) as 0 | 1];
    for (let i = 0; i < keys.length; i++) store.set(keys[i]!, given[i]!);
  }
}

/** The same in batches: each of them is given to `write` as a whole. */
export function writeAll<B>(
  write: (batch: B) => void,
  batches: readonly [readonly B[], readonly B[]],
  passes: number,
): void {
  for (let left = passes; left > 0; left--) {
    const given = batches[((left - 1) & 1) as 0 | 1];
    for (let i = 0; i < given.length; i++) write(given[i]!);
  }
}

let copies = 0;

/** Loops that nobody else goes through. */
export async function ownLoops(): Promise<typeof import('./loops.js')> {
  copies++;
  return (await import(
    new URL(`./loops.js?copy=${copies}`, import.meta.url).href
  )) as typeof import('./loops.js');
}
