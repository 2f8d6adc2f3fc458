// The elements, and what is done with each of them, in every process and thread of Node's alike. Plain JavaScript: a loader for TypeScript
// would share the processors with what is timed.

export function argument(i) {
  return ((i * 7919) % 100003) / 1000;
}

export function waves(input, output) {
  for (let i = 0; i < input.length; i++) output[i] = Math.sin(input[i]) * Math.sqrt(input[i]);
}

/** For `pool.mapArray`: parts of shared arrays. */
export function part(input, output) {
  waves(elements(input), elements(output));
}

function elements({ data, offset, size }) {
  return data.subarray(offset, offset + size);
}

/** For piscina: a copy comes, and one goes back. */
export default function copied(input) {
  const output = new Float64Array(input.length);
  waves(input, output);
  return output;
}
