export function random(seed: number): (limit: number) => number;

export class Random {
  constructor(seed: number);
  /** 0 to `limit` - 1. */
  readonly below: (limit: number) => number;
  pick<T>(from: readonly T[]): T;
  /** In place. */
  shuffle<T>(items: T[]): T[];
}
