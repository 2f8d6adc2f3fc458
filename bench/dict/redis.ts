import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Cleanup } from '../cleanup.js';
import { CACHE, optionalPeer, run } from '../downloads.js';

/** The server of Debian, unpacked and not installed, with the libraries that not every machine has. */
const UNPACKED = join(CACHE, 'redis');
const PACKAGES = ['redis-server', 'redis-tools', 'libjemalloc2', 'liblzf1'];
const WITHIN = 10_000;
/** Runs what it is given for as long as this process does not end its input, or is there. */
const UNTIL_INPUT_ENDS = '"$@" & cat; kill -KILL $!; wait';
const LINE_END = '\r\n';

/** How to start a server. */
export interface RedisProgram {
  readonly path: string;
  readonly env: NodeJS.ProcessEnv;
}

/** What a server answers to the calls that are made here. */
export type Reply = Buffer | string | null | Reply[];

/** Finds a server: an installed one, or the one of the cache. */
export function redisServer(quick: boolean): () => Promise<RedisProgram | undefined> {
  return optionalPeer(
    'redis-server',
    quick,
    async () => {
      for (const program of [{ path: 'redis-server', env: process.env }, await unpacked()]) {
        if (await starts(program)) return program;
      }
      return undefined;
    },
    async () => {
      const dir = await mkdtemp(join(tmpdir(), 'shmkit-bench-'));
      try {
        await run('apt-get', ['-o', 'APT::Sandbox::User=', 'download', ...PACKAGES], dir);
        const root = join(dir, 'root');
        for (const file of await readdir(dir)) await run('dpkg', ['-x', join(dir, file), root]);
        await mkdir(CACHE, { recursive: true });
        await rm(UNPACKED, { recursive: true, force: true });
        await run('cp', ['-r', root, `${UNPACKED}.new`]);
        await rename(`${UNPACKED}.new`, UNPACKED);
      } finally {
        await rm(dir, { recursive: true });
      }
    },
  );
}

async function unpacked(): Promise<RedisProgram> {
  const libraries = join(UNPACKED, 'usr', 'lib');
  const folders = await readdir(libraries).catch(() => []);
  const path = folders.map((folder) => join(libraries, folder)).join(':');
  return {
    path: join(UNPACKED, 'usr', 'bin', 'redis-server'),
    env: { ...process.env, LD_LIBRARY_PATH: path },
  };
}

async function starts({ path, env }: RedisProgram): Promise<boolean> {
  const child = spawn(path, ['--version'], { env, stdio: 'ignore' });
  return once(child, 'exit').then(
    ([code]) => code === 0,
    () => false,
  );
}

/** A server of one's own that keeps nothing, and a client: one request, then its reply. */
export class Redis {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #waiting: { resolve(reply: Reply): void; reject(error: Error): void } | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    const fail = (error: Error) => {
      this.#waiting?.reject(error);
      this.#waiting = undefined;
    };
    socket.on('error', fail).on('close', () => fail(new Error('redis-server ended')));
    socket.on('data', (chunk) => {
      this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
      const [reply, end] = parsed(this.#received, 0);
      if (reply === undefined) return;
      this.#received = this.#received.subarray(end);
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (reply instanceof Error) waiting?.reject(reply);
      else waiting?.resolve(reply);
    });
  }

  /** It listens when this resolves, and ends with the row. */
  static async start(cleanup: Cleanup, { path, env }: RedisProgram): Promise<Redis> {
    const dir = await mkdtemp(join(tmpdir(), 'shmkit-bench-'));
    cleanup.defer(() => rm(dir, { recursive: true }));
    const address = join(dir, 'redis');
    const options = ['--port', '0', '--unixsocket', address, '--save', '', '--appendonly', 'no'];
    // Ctrl-C is not to reach it: requests are under way.
    const child = spawn('sh', ['-c', UNTIL_INPUT_ENDS, 'sh', path, ...options], {
      cwd: dir,
      env,
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    const exited = once(child, 'exit');
    exited.catch(() => {}); // of one that did not start: it will not listen
    child.stdin.on('error', () => {});
    cleanup.defer(async () => {
      child.stdin.end();
      await exited;
    });
    const socket = await connected(address);
    cleanup.defer(() => void socket.destroy());
    return new Redis(socket);
  }

  call(...words: (string | Buffer)[]): Promise<Reply> {
    const parts: (string | Buffer)[] = [`*${words.length}${LINE_END}`];
    for (const word of words) parts.push(`$${Buffer.byteLength(word)}${LINE_END}`, word, LINE_END);
    const request = parts.some((part) => typeof part !== 'string')
      ? Buffer.concat(parts.map((part) => Buffer.from(part as string)))
      : parts.join('');
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(request);
    });
  }
}

async function connected(path: string): Promise<Socket> {
  const until = performance.now() + WITHIN;
  for (;;) {
    const socket = connect(path);
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      if (performance.now() > until) throw error;
      await sleep(5); // it does not listen yet
    }
  }
}

/** A reply that begins at `start`, and where it ends; undefined when there is only a part of it. */
function parsed(bytes: Buffer, start: number): [reply: Reply | Error | undefined, end: number] {
  const lineEnd = bytes.indexOf(LINE_END, start);
  if (lineEnd < 0) return [undefined, start];
  const line = bytes.toString('latin1', start + 1, lineEnd);
  const next = lineEnd + LINE_END.length;
  switch (String.fromCharCode(bytes[start]!)) {
    case '+':
    case ':':
      return [line, next];
    case '$': {
      if (line === '-1') return [null, next];
      const end = next + Number(line);
      if (bytes.length < end + LINE_END.length) return [undefined, start];
      return [bytes.subarray(next, end), end + LINE_END.length];
    }
    case '*': {
      const replies: Reply[] = [];
      let at = next;
      for (let i = 0; i < Number(line); i++) {
        const [reply, end] = parsed(bytes, at);
        if (reply === undefined || reply instanceof Error) return [reply, end];
        replies.push(reply);
        at = end;
      }
      return [replies, at];
    }
    default:
      return [new Error(`redis: ${line}`), next];
  }
}
