/** Runs one kind of stress in this process or, if it needs a `/dev/shm` of its own, in another one. */
import { ownDevShm } from '../fixtures/own-dev-shm.js';
import { withParent } from './child.js';
import { Fault, Harness } from './harness.js';
import { KINDS } from './kinds.js';
import type { Kind, Options } from './kinds.js';
import { compiled, SOURCE_MAPS } from '../fixtures/typescript.js';

export interface Order {
  /** Those of a full run, if it is not given. */
  readonly rounds?: number | undefined;
  readonly seed?: number;
  readonly options?: Options;
  /** Takes lines about the progress. */
  readonly say?: (line: string) => void;
  /** Whether this process has been given the `/dev/shm` that the kind needs. */
  readonly isInside?: boolean;
}

export function kindOf(name: string): Kind {
  const kind = KINDS[name];
  if (kind === undefined) throw new Error(`no kind of stress is called '${name}'`);
  return kind;
}

/** Runs it to its end, and returns its summary. Throws if there was a fault. */
export async function stress(name: string, order: Order = {}): Promise<string> {
  const kind = kindOf(name);
  const { rounds = kind.rounds, seed = 1, options = {}, say, isInside = false } = order;
  const harness = new Harness(seed, say);
  const all = { ...defaults(kind), ...options };
  try {
    if (kind.devShm !== undefined && !isInside) {
      const args = [name, '--inside', '--rounds', String(rounds), '--seed', String(seed)];
      return await inOwnDevShm(harness, kind.devShm, args.concat(toArguments(all)));
    }
    const { run } = await kind.load();
    return await run(harness, rounds, all);
  } finally {
    await harness.close();
  }
}

function defaults({ options = {} }: Kind): Options {
  return Object.fromEntries(
    Object.entries(options).map(([name, option]) => [name, option.default as string | boolean | undefined]),
  );
}

function toArguments(options: Options): string[] {
  return Object.entries(options).flatMap(([name, value]) => {
    if (value === undefined || value === false) return [];
    return value === true ? [`--${name}`] : [`--${name}`, value];
  });
}

async function inOwnDevShm(harness: Harness, size: string, args: readonly string[]): Promise<string> {
  const main = await compiled(new URL('main.ts', import.meta.url));
  const node = withParent([process.execPath, SOURCE_MAPS, main, ...args]).flat();
  const [command, all] = ownDevShm(size, node);
  const child = harness.launch('the run in a /dev/shm of its own', [command, ...all]);
  await child.closed;
  if (child.result !== 0) throw new Fault(`it ended with ${child.result}`);
  return child.lines.at(-1) ?? '';
}
