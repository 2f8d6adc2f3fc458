/** Panels of Simpson's rule. */
const PANELS = 512;
/** Beyond this, Student's t is as good as normal. */
const MOST = 300;

/**
 * The value that Student's t with `freedom` degrees of freedom exceeds with the probability `tail` (below 0.5).
 * With x = √freedom · tan θ the density becomes cos(θ)^(freedom - 1), which is integrated numerically.
 */
export function studentQuantile(freedom: number, tail: number): number {
  const power = Math.min(Math.max(freedom, 1), MOST) - 1;
  const area = (from: number): number => {
    const width = (Math.PI / 2 - from) / PANELS;
    let sum = Math.cos(from) ** power;
    for (let i = 1; i < PANELS; i++) sum += (i % 2 === 1 ? 4 : 2) * Math.cos(from + i * width) ** power;
    return ((sum + (power === 0 ? 1 : 0)) * width) / 3;
  };
  const wanted = 2 * tail * area(0);
  let [low, high] = [0, Math.PI / 2];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (area(middle) > wanted) low = middle;
    else high = middle;
  }
  return Math.sqrt(power + 1) * Math.tan((low + high) / 2);
}
