import type { Context } from '../context.js';
import type { Row } from '../harness.js';
import { batchRows, getRows, setRows } from '../rows/dict-access.js';
import { sources } from '../dict/peers.js';
import { twoProcessRows } from '../rows/dict-two.js';

const KEYS = 10_000;

/** SharedDict against a Map, and against what else several processes can have a dict in. */
export function dictSuite(context: Context): Row[] {
  const count = context.quick ? KEYS / 10 : KEYS;
  const known = sources(context);
  return [
    ...getRows(context, known, count),
    ...setRows(context, known, count),
    ...batchRows(context, known, count),
    ...twoProcessRows(context, count),
  ];
}
