/**
 * Bundles a TypeScript module with all that it imports by relative paths, unless that has been done and none of these
 * files has changed. Resolves to the path of the JavaScript.
 */
export function bundle(path: string): Promise<string>;
