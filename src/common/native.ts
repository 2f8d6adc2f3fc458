/** Loads the native module of this platform. `binding.js` names its exports. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import { shmError } from './errors.js';

const require = createRequire(import.meta.url);

/** The platforms that there are binaries for, as their npm packages name them: `shmkit-TARGET`. */
const TARGETS = ['linux-x64-gnu', 'linux-x64-musl', 'linux-arm64-gnu', 'linux-arm64-musl'] as const;
/** For people. */
const SUPPORTED = 'Linux on x64 and arm64, with glibc or musl';
/** Functions that modules call while they load: for constants, and to set a callback. */
const CALLED_AT_LOAD = /(?:Constants|Layout|Calls)$|^onTrackingTrouble$/;

/** The platform of this process, as Node names it. */
const platform = `${process.platform}-${process.arch}`;
/** The binaries that may fit it. */
const targets = TARGETS.filter((target) => target.startsWith(`${platform}-`));

/** @internal The exports of the native module. */
export const native: Readonly<Record<string, unknown>> = load();

function load(): Readonly<Record<string, unknown>> {
  if (targets.length === 0) return withoutBinary();
  const paths = targets.map(find).filter((path) => path !== undefined);
  if (paths.length === 0) {
    const packages = targets.map((target) => `shmkit-${target}`).join(' nor ');
    throw notLoaded(
      `neither ${packages} is installed; run npm install on this platform, without --omit=optional`,
    );
  }
  if (paths.length > 1 && isMusl()) paths.reverse();
  const errors: Error[] = [];
  for (const path of paths) {
    try {
      return require(path) as Record<string, unknown>;
    } catch (error) {
      errors.push(error as Error);
    }
  }
  throw notLoaded(reasonOf(errors[0]!), errors[0]);
}

/** The path of a target's binary: a checkout's own, or that of the installed package. */
function find(target: string): string | undefined {
  const own = join(dirname(require.resolve('shmkit/package.json')), `shmkit.${target}.node`);
  if (existsSync(own)) return own;
  const name = `shmkit-${target}`;
  let path: string;
  let version: string;
  try {
    ({ version } = require(`${name}/package.json`) as { version: string });
    path = require.resolve(name);
  } catch {
    return undefined; // not installed
  }
  const { version: expected } = require('shmkit/package.json') as { version: string };
  if (version === expected) return path;
  throw notLoaded(
    `${name} is version ${version}, and shmkit is ${expected}; install both again, with the same version`,
  );
}

/** Whether this Node is linked with musl. */
function isMusl(): boolean {
  // Otherwise the report asks the network about this machine's name.
  const settings = process.report as typeof process.report & { excludeNetwork?: boolean };
  settings.excludeNetwork = true;
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime === undefined;
}

function reasonOf(error: Error & { code?: string }): string {
  const isDisabled = error.code === 'ERR_DLOPEN_DISABLED' || error.code === 'ERR_ACCESS_DENIED';
  if (!isDisabled) return error.message;
  return (
    'native addons are disabled in this process; start Node without --no-addons, ' +
    'and with --allow-addons beside --permission'
  );
}

function notLoaded(reason: string, cause?: Error): Error {
  const error = shmError('ERR_SHM_NOT_LOADED', `shmkit's native module could not be loaded: ${reason}`);
  return cause === undefined ? error : Object.assign(error, { cause });
}

/** @internal For what would otherwise begin without a call of the native module. */
export function checkPlatform(): void {
  if (targets.length > 0) return;
  throw shmError(
    'ERR_SHM_UNSUPPORTED',
    `shmkit does not support ${platform}; the supported platforms are ${SUPPORTED}`,
  );
}

/** Exports for a platform that has no binary: modules load, and each call fails. */
function withoutBinary(): Readonly<Record<string, unknown>> {
  // No arrow function, because one of them is a class.
  const fail = function (): void {
    checkPlatform();
  };
  // No structure is ever opened, so no constant is ever used.
  const constants = new Proxy(
    {},
    {
      get(_, name) {
        if (name === 'buffer') return new ArrayBuffer(1 << 16);
        return String(name).startsWith('format') ? 0n : 0;
      },
    },
  );
  return new Proxy({}, { get: (_, name) => (CALLED_AT_LOAD.test(String(name)) ? () => constants : fail) });
}
