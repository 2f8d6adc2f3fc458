/** What a pool's type knows of its module: `Pool<typeof import('./work.js')>`. */

/** Any name, if it is not known what the module exports. */
export type AnyName<Module> = unknown extends Module ? string : never;
/** The names of a module's functions that can be called so. */
export type NameOf<Module, Called> = {
  [Name in keyof Module]: Module[Name] extends Called ? Name : never;
}[keyof Module] &
  string;
/** What `run` can call. */
export type Call = (...args: never[]) => unknown;
/** What `map` can call. */
export type CallOfItem = (item: never) => unknown;
/** What `mapArray` can call. */
export type CallOfParts = (input: never, output: never, from: number) => unknown;
/** The arguments of a module's function. */
export type Arguments<Module, Name> = Name extends keyof Module
  ? Module[Name] extends (...args: infer Args) => unknown
    ? Args
    : never
  : never;
/** The type of the items of `map`. */
export type Item<Module, Name> =
  Arguments<Module, Name> extends readonly [] ? unknown : Arguments<Module, Name>[0];
/** What a module's function returns, or its promise resolves to. */
export type Result<Module, Name> = Name extends keyof Module
  ? Module[Name] extends (...args: never[]) => infer R
    ? Awaited<R>
    : never
  : never;
