export const contested: readonly string[];
