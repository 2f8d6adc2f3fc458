/** What runs in a worker process: `node worker.js MODULE`, with a channel to its pool. */
import { setImmediate as turn } from 'node:timers/promises';

import { owns } from '#binding';
import { attach } from '../attach.js';
import { shmError } from '../common/errors.js';
import type { SharedObject } from '../common/shared-object.js';
import type { Answer, Order, Report } from './messages.js';
import { MappingCache } from './mapping-cache.js';
import { bare, byName, pack, unpack } from './message-codec.js';
import type { EncodedMessage, Sent } from './message-codec.js';

type Method = (...args: unknown[]) => unknown;

/** So long a row of items keeps the event loop from turning: a pool that stops, or that died, is heard in between. */
const BREATH = 10;

const [, , url = ''] = process.argv;
const loading = import(url) as Promise<Record<string, unknown>>;
/** Node does not load again what failed to load. */
let useless = false;
loading.catch(() => (useless = true));

/** The call that nobody wants any more. */
let stopped = 0;
/** What the pool has not yet taken over of the last answer. */
let held: readonly SharedObject[] = [];
/** What parts of arrays lie in. */
const mappings = new MappingCache();

// The pool is closed, or its process is dead.
process.once('disconnect', () => process.exit());
process.on('message', (order: Order) => {
  switch (order?.shmkit) {
    case 'call':
      return void call(order);
    case 'stop':
      stopped = order.id;
      return;
    case 'taken':
      for (const object of held) object.close();
      held = [];
      return;
    case 'ping':
      return report({ shmkit: 'pong' });
  }
});

function report(message: Report): void {
  process.send?.(message, undefined, undefined, () => undefined); // whoever is gone disconnects
}

async function call({ id, method, each, encoded }: Order & { shmkit: 'call' }): Promise<void> {
  const attached: SharedObject[] = [];
  const at: { item?: number } = {};
  try {
    const run = await find(method);
    const args = unpack(encoded as Uint8Array, (sent) => {
      const object = open(sent, each === 'spread');
      attached.push(object);
      return object;
    }) as unknown[];
    report({ shmkit: 'began', id });
    const one: Method = each === 'spread' ? (item) => run(...(item as unknown[])) : run;
    const result = each === false ? await run(...args) : await runEach(one, args, id, at);
    delete at.item;
    answer(id, true, pack(result, `the result of '${method}'`, sending(attached)), attached);
  } catch (error) {
    answer(id, false, packThrown(error, attached), attached, at);
  } finally {
    for (const object of attached) object.close();
    mappings.rest();
  }
}

/** @throws `ERR_SHM_MODULE`, `ERR_SHM_METHOD`. */
async function find(method: string): Promise<Method> {
  const module = await loading.catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw Object.assign(shmError('ERR_SHM_MODULE', `${url} cannot be loaded: ${why}`), { cause });
  });
  // A CommonJS module's exports are its default one.
  for (const exports of [module, module['default']]) {
    if (typeof exports !== 'object' || exports === null || !Object.hasOwn(exports, method)) continue;
    const found = (exports as Record<string, unknown>)[method];
    if (typeof found === 'function') return found as Method;
  }
  throw shmError('ERR_SHM_METHOD', `${url} exports no function '${method}'`);
}

function open(sent: Sent, isPart: boolean): SharedObject {
  // A number names an argument, and a call has none before it has its arguments.
  if (typeof sent === 'number') throw shmError('ERR_SHM_VALUE', 'this message is no call');
  if (isPart) return mappings.open(sent.descriptor);
  return attach(sent.descriptor, { foreign: true }); // whoever sent it has it open: the same user's choice
}

async function runEach(
  run: Method,
  items: readonly unknown[],
  id: number,
  at: { item?: number },
): Promise<unknown[]> {
  const results: unknown[] = [];
  let breath = performance.now();
  for (const [index, item] of items.entries()) {
    if (performance.now() - breath > BREATH) {
      await turn();
      breath = performance.now();
    }
    if (stopped === id) break;
    at.item = index;
    results.push(await run(item));
  }
  return results;
}

/** How shared objects go back: an argument as such; another one by its name, and whether it has to be adopted. */
function sending(args: readonly SharedObject[]): (objects: readonly SharedObject[]) => Sent[] {
  return (objects) =>
    objects.map((object) => {
      const index = args.indexOf(object);
      if (index !== -1) return index;
      const sent = byName(object);
      return typeof sent === 'number' ? sent : { ...sent, owned: owns(String(sent.descriptor.id)) };
    });
}

/** What a function threw, even if there is something in it that cannot be sent. */
function packThrown(thrown: unknown, args: readonly SharedObject[]): EncodedMessage {
  try {
    return pack(thrown, 'what it threw', sending(args));
  } catch {
    return pack(bare(thrown), 'what it threw');
  }
}

function answer(
  id: number,
  ok: boolean,
  { bytes, objects }: EncodedMessage,
  args: readonly SharedObject[],
  more: Pick<Answer, 'item'> = {},
): void {
  held = objects.filter((object) => !args.includes(object));
  report({
    shmkit: 'answer',
    id,
    ok,
    encoded: bytes,
    holds: held.length > 0,
    useless,
    ...more,
  });
}
