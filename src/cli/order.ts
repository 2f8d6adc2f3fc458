import { Option } from 'commander';

import type { SegmentInfo } from '../../index.js';

export type Order = 'name' | 'size' | 'age';

/** Equal ones stay in the order of their names, in which they come. */
const ORDERS: Record<Order, ((a: SegmentInfo, b: SegmentInfo) => number) | undefined> = {
  name: undefined,
  size: (a, b) => b.size - a.size,
  age: (a, b) => a.created.getTime() - b.created.getTime(),
};

/** What `segments()` gave, in this order. */
export function sorted(infos: SegmentInfo[], by: Order): SegmentInfo[] {
  const order = ORDERS[by];
  return order ? [...infos].sort(order) : infos;
}

/** `--sort`, with this default. */
export function sortOption(fallback: Order): Option {
  return new Option('--sort <by>', 'the largest or the oldest first')
    .choices(Object.keys(ORDERS))
    .default(fallback);
}
