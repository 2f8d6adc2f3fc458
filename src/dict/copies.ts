/** @internal How a fresh copy is made of a value that nobody else has; `part` is for what is in it. */
export type Copy = (value: object, part: (value: unknown) => unknown) => object;

/** @internal Of whatever is plain. */
export const copyPlain: Copy = (value) => {
  if (Array.isArray(value)) {
    const copy = value.slice() as unknown[];
    for (let i = 0; i < copy.length; i++) copy[i] = copyPart(copy[i]);
    return copy;
  }
  const copy: Record<string, unknown> = { ...value };
  for (const key of Object.keys(copy)) copy[key] = copyPart(copy[key]);
  return copy;
};

/** @internal The same of what may be a primitive. */
export function copyPart(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? copyPlain(value, copyPart) : value;
}

/** @internal How many objects and arrays it is made of; Infinity where there is anything else in it than those and primitives. */
export function plainParts(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (!Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype) return Infinity;
  let parts = 1;
  for (const key in value) parts += plainParts((value as Record<string, unknown>)[key]);
  return parts;
}
