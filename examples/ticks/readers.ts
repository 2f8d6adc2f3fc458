/** What the three readers do with the stream. */
import type { SharedBroadcast } from 'shmkit';

export interface Report {
  seen: number;
  lost: number;
  result: string;
}

type Ticks = SharedBroadcast<'float64'>;

/** The average price, by how many were sold. */
export async function average(ticks: Ticks): Promise<Report> {
  let paid = 0;
  let sold = 0;
  const report = await each(ticks, (price, count) => {
    paid += price * count;
    sold += count;
  });
  return { ...report, result: `average price ${(paid / sold).toFixed(3)}` };
}

/** The highest and the lowest price of each 100,000 ticks. */
export async function candles(ticks: Ticks): Promise<Report> {
  const all: { low: number; high: number }[] = [];
  let seen = 0;
  const report = await each(ticks, (price) => {
    if (seen++ % 100_000 === 0) all.push({ low: price, high: price });
    const candle = all.at(-1)!;
    candle.low = Math.min(candle.low, price);
    candle.high = Math.max(candle.high, price);
  });
  return {
    ...report,
    result: `${all.length} candles, the last one ${all.at(-1)!.low.toFixed(2)} to ${all.at(-1)!.high.toFixed(2)}`,
  };
}

/** The spread of the last 500 prices, computed anew for every tick: more work than there is time for. */
export async function slow(ticks: Ticks): Promise<Report> {
  const last = new Float64Array(500);
  let seen = 0;
  let spread = 0;
  const report = await each(ticks, (price) => {
    last[seen++ % last.length] = price;
    const sorted = last.toSorted();
    spread = sorted.at(-1)! - sorted[0]!;
  });
  return { ...report, result: `spread ${spread.toFixed(2)}` };
}

async function each(
  ticks: Ticks,
  look: (price: number, count: number) => void,
): Promise<Omit<Report, 'result'>> {
  using subscription = ticks.subscribe();
  let seen = 0;
  for await (const batch of subscription.batches()) {
    for (const [price, count] of batch) look(price!, count!);
    seen += batch.length;
  }
  return { seen, lost: subscription.lost };
}
