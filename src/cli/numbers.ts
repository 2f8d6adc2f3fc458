import { InvalidArgumentError } from 'commander';

/** A day: beyond it nobody watches, and timers have an end somewhere. */
const SECONDS_MAX = 86_400;

/** An option's value: how many. */
export function count(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError('It must be a whole number.');
  }
  return value;
}

/** An option's value: how many, and not none. */
export function positive(text: string): number {
  const value = count(text);
  if (value === 0) throw new InvalidArgumentError('It must be 1 or more.');
  return value;
}

/** An option's value: seconds, also parts of one. */
export function seconds(text: string): number {
  const value = /^\d*\.?\d+$/.test(text) ? Number(text) : 0;
  if (value <= 0 || value > SECONDS_MAX) {
    throw new InvalidArgumentError(`It must be a number of seconds, more than 0 and at most ${SECONDS_MAX}.`);
  }
  return value;
}
