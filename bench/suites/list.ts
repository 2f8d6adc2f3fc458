import { isDeepStrictEqual } from 'node:util';

import { ShareableList } from 'shmkit';
import type { ListItem } from 'shmkit';

import type { Context } from '../context.js';
import { timed } from '../harness.js';
import type { Row, Target } from '../harness.js';
import type { Arguments } from '../python.js';
import { GET, KINDS, SET, useAllKinds, values } from '../rows/list-items.js';
import type { Kind } from '../rows/list-items.js';

/** Enough items that no access is to the same place again, few enough to stay in the processor's cache. */
const ITEMS = 1000;

const NAMES: Record<Kind | 'mixed', string> = {
  int: 'int',
  float: 'float',
  bool: 'bool',
  None: 'None',
  str: 'str of 20',
  bytes: 'bytes of 20',
  text: 'str of 20, not ASCII',
  mixed: 'all kinds in turn',
};
const FAST: Target = { faster: 80 };
const COPIED: Target = { faster: 8 };
const TARGETS: Record<Kind | 'mixed', Target | undefined> = {
  int: FAST,
  float: FAST,
  bool: FAST,
  None: FAST,
  str: COPIED,
  bytes: COPIED,
  text: undefined,
  mixed: undefined,
};

/** ShareableList against Python's: both do the same to lists of the same items. */
export function listSuite(context: Context): Row[] {
  const { items, prefix, python, cleanup } = context;
  const peers = (snippet: string, args: Arguments, target?: Target) =>
    python ? [python.peer(snippet, args, target)] : [];
  const create = (given: readonly ListItem[]): ShareableList => {
    const list = ShareableList.create(given, { name: `${prefix}-list` });
    cleanup.defer(() => {
      list.close();
      list.unlink();
    });
    return list;
  };

  const kinds = [...KINDS, 'mixed'] as const;
  const gets = kinds.map((kind): Row => ({
    name: `get ${NAMES[kind]}`,
    ops: ITEMS,
    open() {
      useAllKinds(prefix);
      const list = create(values(kind, ITEMS));
      return {
        shmkit: timed((n) => GET[kind](list, n)),
        peers: peers('list.get', { kind, count: ITEMS, prefix }, TARGETS[kind]),
      };
    },
  }));
  const sets = kinds.map((kind): Row => ({
    name: `set ${NAMES[kind]}`,
    ops: ITEMS,
    open() {
      useAllKinds(prefix);
      const given = values(kind, ITEMS);
      const list = create(values(kind, ITEMS, KINDS.length));
      return {
        shmkit: timed((n) => SET[kind](list, given, n)),
        peers: peers('list.set', { kind, count: ITEMS, prefix }, TARGETS[kind]),
        verify() {
          if (!isDeepStrictEqual(list.toArray(), plain(given))) throw new Error('set wrote something else');
        },
      };
    },
  }));

  const many = items.toLocaleString('en');
  const creates = (
    [
      ['int', { faster: 4 }],
      ['mixed', undefined],
    ] as const
  ).map(([kind, target]): Row => ({
    name: `create ${many} × ${NAMES[kind]}, close, unlink`,
    open() {
      const given = values(kind, items);
      return {
        shmkit: timed((n) => createLists(given, n)),
        peers: peers('list.create', { kind, count: items }, target),
      };
    },
  }));

  /** Rows over one list of many ints. */
  const long = (
    name: string,
    body: (list: ShareableList, iterations: number) => unknown,
    snippet: string,
    target?: Target,
  ): Row => ({
    name: `${name} ${many} × int`,
    open() {
      const list = create(values('int', items));
      return {
        shmkit: timed((n) => body(list, n)),
        peers: peers(
          snippet,
          snippet === 'list.attach' ? { name: list.name } : { count: items, prefix },
          target,
        ),
      };
    },
  });

  return [
    ...gets,
    ...sets,
    ...creates,
    long('attach, close', attach, 'list.attach'),
    long('for…of over', iterate, 'list.iterate', { faster: 40 }),
    long('toArray of', toArrays, 'list.to_list'),
    long('indexOf the last of', indexOf, 'list.index', { faster: 80 }),
    long('count in', count, 'list.count'),
  ];
}

/** As they come back: bytes are a plain Uint8Array. */
function plain(given: readonly ListItem[]): ListItem[] {
  return given.map((item) => (item instanceof Uint8Array ? new Uint8Array(item) : item));
}

function createLists(given: readonly ListItem[], times: number): number {
  let length = 0;
  for (let i = 0; i < times; i++) {
    const list = ShareableList.create(given);
    length += list.length;
    list.close();
    list.unlink();
  }
  return length;
}

function attach(list: ShareableList, times: number): number {
  let length = 0;
  for (let i = 0; i < times; i++) {
    const again = ShareableList.attach(list.name);
    length += again.length;
    again.close();
  }
  return length;
}

function iterate(list: ShareableList, passes: number): number {
  let sum = 0;
  for (let pass = 0; pass < passes; pass++) {
    for (const item of list) sum += item as number;
  }
  return sum;
}

function toArrays(list: ShareableList, times: number): number {
  let length = 0;
  for (let i = 0; i < times; i++) length += list.toArray().length;
  return length;
}

function indexOf(list: ShareableList, times: number): number {
  const last = list.get(-1);
  let found = 0;
  for (let i = 0; i < times; i++) found += list.indexOf(last);
  if (found !== (list.length - 1) * times) throw new Error(`found ${found}`);
  return found;
}

function count(list: ShareableList, times: number): number {
  const last = list.get(-1);
  let found = 0;
  for (let i = 0; i < times; i++) found += list.count(last);
  if (found !== times) throw new Error(`found ${found}`);
  return found;
}
