import { ShareableList } from 'shmkit';
import type { ListItem } from 'shmkit';

/** The kinds of items, with the values that the Python side has as well. */
export const VALUES = {
  int: (i: number) => i * 1000003,
  float: (i: number) => i + 0.5,
  bool: (i: number) => i % 2 === 1,
  None: () => null,
  str: (i: number) => `item-${String(i).padStart(15, '0')}`,
  bytes: (i: number) => Buffer.from(`item-${String(i).padStart(15, '0')}`),
  text: (i: number) => `grüße-${String(i).padStart(14, '0')}`,
};

export type Kind = keyof typeof VALUES;
export const KINDS = Object.keys(VALUES) as Kind[];

/** Items that count from `first`, which for 'mixed' decides the kinds, too. */
export function values(kind: Kind | 'mixed', count: number, first = 0): ListItem[] {
  return Array.from({ length: count }, (_, at) => {
    const i = first + at;
    return VALUES[kind === 'mixed' ? KINDS[i % KINDS.length]! : kind](i);
  });
}

type Get = (list: ShareableList, passes: number) => number;
type Set = (list: ShareableList, given: readonly ListItem[], passes: number) => number;

/*
 * One loop for each kind, as each place in a program has its own: a loop that all kinds go through would
 * measure V8's handling of that loop. `get` and `set` themselves are the ones that all of them share.
 */

export const GET: Record<Kind | 'mixed', Get> = {
  int(list, passes) {
    let sum = 0;
    for (let pass = 0; pass < passes; pass++) {
      for (let i = 0; i < list.length; i++) sum += list.get(i) as number;
    }
    return sum;
  },
  float(list, passes) {
    let sum = 0;
    for (let pass = 0; pass < passes; pass++) {
      for (let i = 0; i < list.length; i++) sum += list.get(i) as number;
    }
    return sum;
  },
  bool(list, passes) {
    let yes = 0;
    for (let pass = 0; pass < passes; pass++) {
      for (let i = 0; i < list.length; i++) if (list.get(i) === true) yes++;
    }
    return yes;
  },
  None(list, passes) {
    let nulls = 0;
    for (let pass = 0; pass < passes; pass++) {
      for (let i = 0; i < list.length; i++) if (list.get(i) === null) nulls++;
    }
    return nulls;
  },
  str(list, passes) {
    let chars = 0;
    for (let pass = 0; pass < passes; pass++) {
      for (let i = 0; i < list.length; i++) chars += (list.get(i) as string).length;
    }
    return chars;
  },
  bytes(list, passes) {
    let bytes = 0;
    for (let pass = 0; pass < passes; pass++) {
      for (let i = 0; i < list.length; i++) bytes += (list.get(i) as Uint8Array).length;
    }
    return bytes;
  },
  text(list, passes) {
    let chars = 0;
    for (let pass = 0; pass < passes; pass++) {
      for (let i = 0; i < list.length; i++) chars += (list.get(i) as string).length;
    }
    return chars;
  },
  mixed(list, passes) {
    let strings = 0;
    for (let pass = 0; pass < passes; pass++) {
      for (let i = 0; i < list.length; i++) if (typeof list.get(i) === 'string') strings++;
    }
    return strings;
  },
};

export const SET: Record<Kind | 'mixed', Set> = {
  int(list, given, passes) {
    for (let pass = 0; pass < passes; pass++) {
      for (let i = 0; i < given.length; i++) list.set(i, given[i]!);
    }
    return passes;
  },
  float(list, given, passes) {
    for (let pass = 0; pass < passes; pass++) {
      for (let i = 0; i < given.length; i++) list.set(i, given[i]!);
    }
    return passes;
  },
  bool(list, given, passes) {
    for (let pass = 0; pass < passes; pass++) {
      for (let i = 0; i < given.length; i++) list.set(i, given[i]!);
    }
    return passes;
  },
  None(list, given, passes) {
    for (let pass = 0; pass < passes; pass++) {
      for (let i = 0; i < given.length; i++) list.set(i, given[i]!);
    }
    return passes;
  },
  str(list, given, passes) {
    for (let pass = 0; pass < passes; pass++) {
      for (let i = 0; i < given.length; i++) list.set(i, given[i]!);
    }
    return passes;
  },
  bytes(list, given, passes) {
    for (let pass = 0; pass < passes; pass++) {
      for (let i = 0; i < given.length; i++) list.set(i, given[i]!);
    }
    return passes;
  },
  text(list, given, passes) {
    for (let pass = 0; pass < passes; pass++) {
      for (let i = 0; i < given.length; i++) list.set(i, given[i]!);
    }
    return passes;
  },
  mixed(list, given, passes) {
    for (let pass = 0; pass < passes; pass++) {
      for (let i = 0; i < given.length; i++) list.set(i, given[i]!);
    }
    return passes;
  },
};

/**
 * What a program with many lists has done before: every kind read and written through the same `get` and
 * `set`, lists opened and closed. A row that starts in a fresh process would be measured in a V8 that has
 * only ever seen one kind, and no user has that.
 */
export function useAllKinds(prefix: string): void {
  for (let round = 0; round < 20; round++) {
    for (const kind of [...KINDS, 'mixed'] as const) {
      const given = values(kind, 500);
      using list = ShareableList.create(given, { name: `${prefix}-used` });
      try {
        GET[kind](list, 10);
        SET[kind](list, given, 10);
      } finally {
        list.unlink();
      }
    }
  }
}
