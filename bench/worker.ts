// Runs the rows of this checkout with its own build. The coordinator says what to do: see protocol.ts.
import { cpus } from 'node:os';

import { Cleanup } from './cleanup.js';
import type { Context } from './context.js';
import type { Row } from './harness.js';
import { OpenRow } from './open-row.js';
import { PROTOCOL } from './protocol.js';
import type { Environment, Hello, Operations, Reply, Request, SuiteRequest } from './protocol.js';
import { Python } from './python.js';
import { SUITES } from './suites/index.js';

const cleanup = new Cleanup();

/** The suite that is running. */
let running: { request: SuiteRequest; python: Python | undefined; rows: readonly Row[] } | undefined;
/** The row that is open, and the depth of the clean-up before it. */
let open: { row: OpenRow; depth: number } | undefined;

const OPERATIONS: {
  [name in keyof Operations]: (argument: Operations[name]['argument']) => Promise<Operations[name]['result']>;
} = {
  async suite(request) {
    const { suite, quick, peers, prefix } = request;
    const python = peers ? await Python.start(request.python) : undefined;
    cleanup.defer(() => python?.stop());
    const context: Context = {
      quick,
      peers,
      large: quick ? 2 ** 22 : 2 ** 26,
      items: quick ? 10_000 : 100_000,
      prefix,
      python,
      cleanup,
    };
    const load = Object.entries(SUITES).find(([name]) => name === suite)?.[1];
    const rows = load === undefined ? [] : (await load())(context);
    running = { request, python, rows };
    return { environment: environment(python), rows: rows.map(({ name }) => name) };
  },

  async open(name) {
    const row = running?.rows.find((one) => one.name === name);
    if (running === undefined || row === undefined) throw new Error(`no row '${name}'`);
    const { depth } = cleanup;
    const opened = await OpenRow.open(row, running.request, () => cleanup.breathe());
    open = { row: opened, depth };
    return opened.description;
  },

  async round() {
    if (open === undefined) throw new Error('no row is open');
    return open.row.round();
  },

  async alone(request) {
    if (open === undefined) throw new Error('no row is open');
    return open.row.alone(request);
  },

  async close() {
    if (open === undefined) throw new Error('no row is open');
    const { row, depth } = open;
    open = undefined;
    row.verify();
    await cleanup.unwind(depth);
    await running?.python?.release();
    return null;
  },

  async end() {
    await cleanup.unwind();
    running = undefined;
    return null;
  },
};

function environment(python: Python | undefined): Environment {
  const processors = cpus();
  return {
    node: process.versions.node,
    v8: process.versions.v8,
    python: python?.version ?? null,
    numpy: python?.numpy ?? null,
    platform: process.platform,
    arch: process.arch,
    cpu: processors[0]?.model ?? 'unknown',
    cores: processors.length,
  };
}

async function answer({ operation, argument }: Request): Promise<Reply> {
  try {
    return { result: await OPERATIONS[operation](argument as never) };
  } catch (thrown) {
    const { message, stack } = thrown instanceof Error ? thrown : new Error(String(thrown));
    return { error: message, stack };
  }
}

// Ctrl-C reaches the whole process group; the end of the channel says when to end.
process.on('SIGINT', () => {});
process.once('SIGTERM', () => cleanup.endProcess(143));
process.once('disconnect', () => cleanup.endProcess(0));
process.on('message', async (request: Request) => {
  const reply = await answer(request);
  if (process.connected) process.send?.(reply);
});
process.send?.({ protocol: PROTOCOL } satisfies Hello);
