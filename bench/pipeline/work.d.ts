export function argument(i: number): number;
export function waves(input: Float64Array, output: Float64Array): void;
