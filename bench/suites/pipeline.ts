import type { Context } from '../context.js';
import type { Row } from '../harness.js';
import { piscina } from '../pipeline/piscina.js';
import { pythonPeer } from '../python-peers.js';
import { mapRow } from '../rows/pipeline.js';
import { reuseRow } from '../rows/reuse.js';

const SIZES = [2 ** 26, 2 ** 20];

/** Large numbers through several processes. */
export function pipelineSuite(context: Context): Row[] {
  const { quick, peers, python } = context;
  const sources = {
    piscina: peers ? piscina(quick) : () => Promise.resolve(undefined),
    joblib: pythonPeer(python, quick, 'joblib'),
  };
  return [mapRow(context, sources), ...SIZES.map((size) => reuseRow(context, size))];
}
