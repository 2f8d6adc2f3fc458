// What it costs to bring the columns to the workers: by shared memory, and by process.send.
import { type Crew, type Member, messagesOf } from './crew.js';
import { memoryOf } from './memory.js';
import type { Delivery } from './receiver.js';

export interface Transfer {
  way: string;
  /** Milliseconds from the first send until the last worker had the columns. */
  received: number;
  /** The same, until the last worker had read every value once. */
  read: number;
  /** Bytes that this added to a worker's resident set, on average. */
  workerRss: number | undefined;
  /** Bytes that this added to the memory of this process and all workers together. */
  totalPss: number | undefined;
}

/** Delivers the columns to fresh workers, and measures until all of them have read all values. */
export async function measureTransfer(
  crew: Crew,
  workers: number,
  way: string,
  delivery: Delivery,
  checksum: number,
): Promise<Transfer> {
  const members = Array.from({ length: workers }, (_, i) =>
    crew.node(`${way}: worker ${i + 1}`, './receiver.ts', 'advanced'),
  );
  const next = members.map(messagesOf);
  await Promise.all(next.map((message) => message())); // 'ready'
  const before = usage(members);

  const start = performance.now();
  for (const { child } of members) child.send(delivery);
  const times = await Promise.all(
    next.map(async (message) => {
      await message(); // 'received'
      const received = performance.now() - start;
      const sum = await message();
      const read = performance.now() - start;
      if (sum !== checksum) throw new Error(`${way}: the columns arrived damaged`);
      return { received, read };
    }),
  );

  const after = usage(members);
  for (const { child } of members) child.kill('SIGKILL');
  return {
    way,
    received: Math.max(...times.map(({ received }) => received)),
    read: Math.max(...times.map(({ read }) => read)),
    workerRss: before && after && (after.workerRss - before.workerRss) / workers,
    totalPss: before && after && after.totalPss - before.totalPss,
  };
}

function usage(members: readonly Member[]): { workerRss: number; totalPss: number } | undefined {
  const own = memoryOf(process.pid);
  if (!own) return undefined;
  const total = { workerRss: 0, totalPss: own.pss };
  for (const { child } of members) {
    const theirs = memoryOf(child.pid ?? 0);
    if (!theirs) return undefined;
    total.workerRss += theirs.rss;
    total.totalPss += theirs.pss;
  }
  return total;
}
