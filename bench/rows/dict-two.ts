import { SharedDict } from 'shmkit';

import type { Context } from '../context.js';
import { DictPair, valueOf } from '../dict/pair.js';
import type { Sort } from '../dict/pair.js';
import type { Contest, Row, Target } from '../harness.js';
import { openLmdb } from '../dict/lmdb.js';
import { keyOf } from '../dict/values.js';

const READINGS = 21;
/** Milliseconds of a run. */
const DURATION = 300;
const QUICK_DURATION = 50;

/** A process that sets ints without a pause, and one that gets them. */
export function twoProcessRows(context: Context, count: number): Row[] {
  const row = (what: 'get' | 'set', target: Target): Row => ({
    name: `one process writes, one reads, a ${what}`,
    readings: READINGS,
    async open() {
      const milliseconds = context.quick ? QUICK_DURATION : DURATION;
      const [ours, theirs] = await pairs(context, count);
      return {
        shmkit: ours.run(what, milliseconds),
        peers: [{ name: 'lmdb', run: theirs.run(what, milliseconds), target }],
      } satisfies Contest;
    },
  });
  return [row('get', { faster: 3 }), row('set', { faster: 10 })];
}

async function pairs({ cleanup, prefix }: Context, count: number): Promise<readonly [DictPair, DictPair]> {
  const name = `${prefix}-two`;
  const dict = SharedDict.create<number>({ name: `${name}-dict` });
  cleanup.defer(() => {
    dict.close();
    dict.unlink();
  });
  const { db, path } = await openLmdb<number>(cleanup, prefix);
  db.transactionSync(() => {
    for (let i = 0; i < count; i++) {
      dict.set(keyOf(i), valueOf(0, i, count));
      db.putSync(keyOf(i), valueOf(0, i, count));
    }
  });
  const keys = Array.from({ length: count }, (_, i) => keyOf(i));
  const start = (sort: Sort, target: string) => DictPair.start(cleanup, name, { sort, target, keys });
  return [await start('shmkit', dict.name), await start('lmdb', path)];
}
