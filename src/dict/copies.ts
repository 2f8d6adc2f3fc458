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

/** @internal Whether there is nothing but plain objects, arrays and primitives in it. */
export function isPlain(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every(isPlain);
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  for (const key in value) if (!isPlain((value as Record<string, unknown>)[key])) return false;
  return true;
}
