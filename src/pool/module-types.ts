/** What a pool's type knows of its module: `Pool<typeof import('./work.js')>`. */

/** Any name, where nobody said what the module exports. */
export type AnyName<Module> = unknown extends Module ? string : never;
/** The names of a module's functions that can be called so. */
export type NameOf<Module, Called> = {
  [Name in keyof Module]: Module[Name] extends Called ? Name : never;
}[keyof Module] &
  string;
/** What `run` can call. */
export type Call = (...args: never[]) => unknown;
/** What `map` can. */
export type CallOfItem = (item: never) => unknown;
/** What `mapArray` can. */
export type CallOfParts = (input: never, output: never, from: number) => unknown;
export type Arguments<Module, Name> = Name extends keyof Module
  ? Module[Name] extends (...args: infer Args) => unknown
    ? Args
    : never
  : never;
/** What `map` wants items to be. */
export type Item<Module, Name> =
  Arguments<Module, Name> extends readonly [] ? unknown : Arguments<Module, Name>[0];
export type Result<Module, Name> = Name extends keyof Module
  ? Module[Name] extends (...args: never[]) => infer R
    ? Awaited<R>
    : never
  : never;
