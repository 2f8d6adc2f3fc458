import { fileURLToPath } from 'node:url';

import { Pool, SharedArray } from 'shmkit';

import type { Context } from '../context.js';
import type { Peer, Row, Run } from '../harness.js';
import type { ThreadPoolClass } from '../pipeline/piscina.js';
import { argument, waves } from '../pipeline/work.js';
import { answer, startPartner } from '../partners.js';
import { Python } from '../python.js';

const WORK = new URL('../pipeline/work.js', import.meta.url);
const ALONE = new URL('../pipeline/alone.js', import.meta.url);
const WORKERS = 2;
/** In so many chunks each of the peers is fastest. */
const CHUNKS = { piscina: 64, joblib: 8 };

/** Peers that need not be there. */
export interface Sources {
  readonly piscina: () => Promise<ThreadPoolClass | undefined>;
  readonly joblib: () => Promise<string | undefined>;
}

/** out[i] = sin(x[i])·√x[i]; all workers are there before the clock starts, and have been at it before. */
export function mapRow(context: Context, { piscina, joblib }: Sources): Row {
  const { large, prefix, cleanup } = context;
  const count = (large / 2 ** 26) * 8e6;
  return {
    name: `sin(x)·√x of ${count / 1e6} M float64, ${WORKERS} workers`,
    async open() {
      const [input, output] = ['x', 'y'].map((what) =>
        SharedArray.create(count, { name: `${prefix}-${what}` }),
      );
      const pool = new Pool(WORK, { workers: WORKERS });
      cleanup.defer(async () => {
        await pool.close();
        for (const array of [input!, output!]) {
          array.close();
          array.unlink();
        }
      });
      const own = Float64Array.from({ length: count }, (_, i) => argument(i));
      input!.copyFrom(own);
      const expected = new Float64Array(count);
      waves(own, expected);

      const results: Float64Array[] = [output!.data];
      const peers = [await alone(context, count, expected)];
      const Threads = await piscina();
      if (Threads) {
        const threads = new Threads({
          filename: fileURLToPath(WORK),
          minThreads: WORKERS,
          maxThreads: WORKERS,
        });
        cleanup.defer(() => threads.destroy());
        const theirs = new Float64Array(count).fill(-1);
        results.push(theirs);
        const run = later(async () => {
          const size = Math.ceil(count / CHUNKS.piscina);
          const chunks = Array.from({ length: CHUNKS.piscina }, async (_, i) => {
            const from = i * size;
            theirs.set(await threads.run(own.slice(from, from + size)), from);
          });
          await Promise.all(chunks);
        });
        peers.push({ name: 'piscina, chunks copied', run, target: { faster: 2 } });
      }
      const path = await joblib();
      const other = path === undefined ? undefined : await Python.start(path);
      if (other) {
        cleanup.defer(() => other.stop());
        const args = { count, workers: WORKERS, chunks: CHUNKS.joblib };
        const name = `CPython ${other.version} joblib, numpy ${other.numpy}`;
        peers.push(other.peer('pipeline.joblib', args, { faster: 4 }, name));
      }
      return {
        shmkit: later(() => pool.mapArray('part', input!, output!)),
        peers,
        verify: () => {
          if (results.some((result) => result.some((value, i) => value !== expected[i]))) {
            throw new Error('they give something else');
          }
        },
      };
    },
  };
}

/** A process of its own, as one has it who knows nothing of shared memory. */
async function alone({ cleanup }: Context, count: number, expected: Float64Array): Promise<Peer> {
  const child = startPartner(cleanup, ALONE, { count });
  await answer(child);
  const sum = expected.reduce((all, value) => all + value);
  const run: Run = async (iterations) => {
    const answered = answer(child) as Promise<{ ns: number; sum: number }>;
    child.send(iterations);
    const told = await answered;
    if (told.sum !== sum) throw new Error('the process alone gives something else');
    return told.ns;
  };
  return { name: 'one process, a plain loop', run, target: { faster: 1.8 } };
}

/** Times what resolves when it is done. */
function later(body: () => Promise<void>): Run {
  return async (iterations) => {
    const start = process.hrtime.bigint();
    for (let i = 0; i < iterations; i++) await body();
    return Number(process.hrtime.bigint() - start);
  };
}
