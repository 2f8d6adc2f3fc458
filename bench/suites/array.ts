import { SharedArray } from 'shmkit';

import { sizeName } from '../context.js';
import type { Context } from '../context.js';
import { timed } from '../harness.js';
import type { Peer, Row, Target } from '../harness.js';
import type { Arguments } from '../python.js';
import { GET, SET, useAllTypes } from '../rows/array-items.js';

const AS_NUMPY: Target = { time: 1.2 };
const OVER_A_LOOP: Target = { faster: 2.5 };
const NEAR_PLAIN: Target = { time: 3 };

/** SharedArray against numpy on the same elements, and against loops of JavaScript's. */
export function arraySuite(context: Context): Row[] {
  const { large, prefix, python, cleanup } = context;
  const size = sizeName(large);
  const count = large / 8;
  /** The side of a square of about as many bytes. */
  const side = Math.floor(Math.sqrt(count) / 2) * 2;

  const create = (what: string, shape: number | number[]): SharedArray<'float64'> => {
    const array = SharedArray.create(shape, { name: `${prefix}-${what}` });
    cleanup.defer(() => {
      array.close();
      array.unlink();
    });
    const { data } = array;
    for (let i = 0; i < data.length; i++) data[i] = (i * 7919) % 1000;
    return array;
  };
  const numpy = (snippet: string, args: Arguments, target: Target = AS_NUMPY): Peer[] =>
    python && python.numpy !== null ? [python.peer(snippet, args, target, `numpy ${python.numpy}`)] : [];

  const reduced = (
    kernel: 'sum' | 'min' | 'argmax' | 'mean',
    loop?: (data: Float64Array) => number,
  ): Row => ({
    name: `${kernel} of ${size}`,
    open() {
      const array = create('a', count);
      const { data } = array;
      return {
        shmkit: timed((n) => repeat(n, () => array[kernel]())),
        peers: [
          ...numpy('array.reduce', { name: array.name, kernel }),
          ...(loop
            ? [
                {
                  name: 'a loop over data',
                  run: timed((n) => repeat(n, () => loop(data))),
                  target: OVER_A_LOOP,
                },
              ]
            : []),
        ],
      };
    },
  });

  const copied = (
    part: string,
    pick: (array: SharedArray<'float64'>) => SharedArray<'float64'>,
    to = (array: SharedArray<'float64'>) => array,
  ): Row => ({
    name: `copy ${size}, ${part}`,
    open() {
      const [a, b] = [create('a', [side, side]), create('b', [side, side])];
      const [target, source] = [to(a), pick(b)];
      return {
        shmkit: timed((n) => repeat(n, () => target.copyFrom(source))),
        peers: numpy('array.copy', { name: a.name, other: b.name, part }),
      };
    },
  });

  const everySecond = (array: SharedArray<'float64'>) => array.slice(null, [null, null, 2]);
  return [
    reduced('sum', sumLoop),
    reduced('mean'),
    reduced('min', minLoop),
    reduced('argmax'),
    {
      name: `dot of twice ${size}`,
      open() {
        const [a, b] = [create('a', count), create('b', count)];
        return {
          shmkit: timed((n) => repeat(n, () => a.dot(b))),
          peers: numpy('array.dot', { name: a.name, other: b.name }),
        };
      },
    },
    {
      name: `scale ${size} in place`,
      open() {
        const a = create('a', count);
        return {
          shmkit: timed((n) => repeat(n, () => a.scale(-1))),
          peers: numpy('array.scale', { name: a.name }),
        };
      },
    },
    {
      name: `add ${size} to ${size}`,
      open() {
        const [a, b] = [create('a', count), create('b', count)];
        return {
          shmkit: timed((n) => repeat(n, () => a.add(b))),
          peers: numpy('array.add', { name: a.name, other: b.name }),
        };
      },
    },
    copied('all', (array) => array),
    copied('transposed', (array) => array.T),
    copied('every second', everySecond, everySecond),
    ...items(create),
  ];
}

/** One element at a time, in a program that has read and written every type through the same `get` and `set`. */
function items(create: (what: string, shape: number | number[]) => SharedArray<'float64'>): Row[] {
  const row = (
    name: string,
    shape: number[],
    run: keyof typeof GET,
    bodies: typeof GET | typeof SET,
  ): Row => ({
    name,
    ops: shape.reduce((product, length) => product * length),
    open() {
      useAllTypes();
      const array = create('items', shape);
      return {
        shmkit: timed((n) => bodies[run](array, n)),
        peers: [
          {
            name: 'the same loop over data[i]',
            run: timed((n) => bodies.data(array, n)),
            target: NEAR_PLAIN,
          },
        ],
      };
    },
  });
  return [
    row('get(i)', [1000], 'one', GET),
    row('get(i, j)', [25, 40], 'two', GET),
    row('set(v, i)', [1000], 'one', SET),
    row('set(v, i, j)', [25, 40], 'two', SET),
  ];
}

function repeat(times: number, body: () => unknown): unknown {
  let last: unknown;
  for (let i = 0; i < times; i++) last = body();
  return last;
}

function sumLoop(data: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i]!;
  return sum;
}

function minLoop(data: Float64Array): number {
  let least = Infinity;
  for (let i = 0; i < data.length; i++) if (data[i]! < least) least = data[i]!;
  return least;
}
