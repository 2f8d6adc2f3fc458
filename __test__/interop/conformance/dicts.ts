import { SharedDict } from 'shmkit';

import type { Random } from '../../fixtures/random.js';
import { perform } from './subject.js';
import type { Facade, Json, Step, Subject } from './subject.js';

/** Bytes before the words of a commit, the table and the records; see the engine's dict/layout.rs. */
const HEADER = 1536;
const KEYS = [
  'a',
  'b',
  'key',
  'a longer key',
  'ключ',
  '🔑',
  'x'.repeat(40),
  ...Array.from({ length: 30 }, (_, i) => `k${i}`),
];

function valueOf(random: Random): Json {
  switch (random.below(8)) {
    case 0:
      return random.below(2) === 0;
    case 1:
      return 'text'.repeat(random.below(6));
    case 2:
      return `é${random.below(100)}`;
    case 3:
      return { deep: [random.below(9), 'x'], other: null };
    case 4:
      return random.below(1000) + 0.5;
    default:
      return random.below(1000);
  }
}

/** Commits of several entries are the engine's on both sides. */
const dict: Subject = {
  what: 'a dict',
  open(name: string): Facade {
    const first = SharedDict.create<Json>({ name, maxByteLength: 2 ** 24 });
    const handles = [first, SharedDict.attach<Json>(name)];
    const methods = {
      get: (h: number, key: string) => handles[h]!.get(key),
      has: (h: number, key: string) => handles[h]!.has(key),
      set: (h: number, key: string, value: Json) => void handles[h]!.set(key, value),
      delete: (h: number, key: string) => handles[h]!.delete(key),
      keys: (h: number) => [...handles[h]!.keys()],
      length: (h: number) => handles[h]!.size,
      clear: (h: number) => handles[h]!.clear(),
    };
    return {
      do: (step) => perform(methods, step),
      discard: () => {
        for (const handle of handles) handle.close();
        first.unlink();
      },
    };
  },
  opening: (name) => ['open_dict', name],
  step(random: Random): Step {
    const h = random.below(2);
    const key = random.pick(KEYS);
    switch (random.below(16)) {
      case 0:
        return ['keys', h];
      case 1:
        return ['length', h];
      case 2:
      case 3:
        return ['has', h, key];
      case 4:
      case 5:
        return ['delete', h, key];
      case 6:
        return ['set', h, key, random.below(100)];
      case 7:
        return random.below(20) === 0 ? ['clear', h] : ['length', h];
      case 8:
      case 9:
      case 10:
        return ['get', h, key];
      default:
        return ['set', h, key, valueOf(random)];
    }
  },
  after: () => undefined,
  // Not the records: what is behind a key or a text in its last word is left over from what was there before.
  compared: () => [[0, HEADER]],
};

export const dicts: readonly Subject[] = [dict];
