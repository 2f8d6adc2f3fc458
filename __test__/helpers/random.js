/** Random numbers that depend only on the seed, 32 bits a draw (mulberry32): `random(seed)(limit)` is 0 to `limit` - 1. */
export function random(seed) {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

/** The same numbers, with what is commonly made of them. */
export class Random {
  constructor(seed) {
    this.below = random(seed);
  }

  pick(from) {
    return from[this.below(from.length)];
  }

  shuffle(items) {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [items[i], items[j]] = [items[j], items[i]];
    }
    return items;
  }
}
