/** Node's flag for programs in TypeScript. It starts in a quarter of the time that tsx takes. */
export const TYPESCRIPT = `--import=${new URL('../../scripts/typescript/register.js', import.meta.url).href}`;
