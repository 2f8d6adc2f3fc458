/** Every byte of a small dict is flipped, one after the other, as `flips-part.js` describes. Two parts at a time. */
import type { Run } from '../kinds.js';

const PARTS = 16;

export const run: Run = async (harness, rounds) => {
  const script = new URL('flips-part.js', import.meta.url);
  let [next, tried, refused] = [0, 0, 0];
  const work = async (): Promise<void> => {
    while (next < Math.min(rounds, PARTS)) {
      const part = next++;
      const args = [harness.seed, part, PARTS].map(String);
      const child = await harness.node(`part ${part}`, script, args);
      await harness.endsWell(child, 300_000);
      const result = child.lines.at(-1) ?? '';
      const [bytes = 0, , refusals = 0] = [...result.matchAll(/\d+/g)].map(Number);
      tried += bytes;
      refused += refusals;
      harness.say(`part ${part}: ${result}`);
    }
  };
  await Promise.all([work(), work()]);
  harness.check(refused > 30 * rounds, () => `${refused} uses were refused, which is too few`);
  return `${tried} bytes flipped: no fault`;
};
