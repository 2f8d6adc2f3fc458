import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const WITHIN = 120_000;

/** Where peers are kept that were downloaded for the benchmarks. */
export const CACHE = fileURLToPath(new URL('../.cache', import.meta.url));

/** Rejects unless it ends with 0. */
export async function run(program: string, args: readonly string[], cwd?: string): Promise<void> {
  await promisify(execFile)(program, args, {
    timeout: WITHIN,
    ...(cwd !== undefined && { cwd }),
    env: { ...process.env, PIP_NO_INPUT: '1' },
  });
}

export async function succeeds(program: string, ...args: readonly string[]): Promise<boolean> {
  return run(program, args).then(
    () => true,
    () => false,
  );
}

/**
 * A peer that need not be there: what `find` finds, or else, unless it has to be quick, what is found once `download` is
 * done. Undefined where there is none to be had, after a note that says why. Looks only once.
 */
export function optionalPeer<T>(
  name: string,
  quick: boolean,
  find: () => Promise<T | undefined>,
  download: () => Promise<void>,
): () => Promise<T | undefined> {
  const look = async (): Promise<T | undefined> => {
    const found = await find();
    if (found !== undefined) return found;
    const note = (why: string) => console.error(`no ${name}, the rows go without it: ${why}`);
    if (quick) return void note('it is not installed, and --quick downloads nothing');
    try {
      await download();
    } catch (error) {
      return void note((error as Error).message.trimEnd());
    }
    const downloaded = await find();
    if (downloaded === undefined) note('it was downloaded, and does not start');
    return downloaded;
  };
  let looked: Promise<T | undefined> | undefined;
  return () => (looked ??= look());
}
