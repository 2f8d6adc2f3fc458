/**
 * `npx tsx examples/cluster-cache/main.ts`: four processes of `node:cluster` serve what a slow server has, and share one
 * cache. This program is the slow server, and the clients, and kills one of the four.
 */
import cluster from 'node:cluster';
import type { Worker } from 'node:cluster';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';

import { segments } from 'shmkit';

import type { Stats } from './cache.js';

const CACHE = `cluster-cache-${process.pid}`;
/** Whoever asks the slow server for this first gets no answer, and is killed. */
const FATAL = '/items/fatal';

/** What the slow server was asked for. */
const asked: string[] = [];
const upstream = createServer(({ url = '/', headers }, response) => {
  if (url === FATAL && !asked.includes(FATAL)) upstream.emit('fatal', Number(headers['x-asker']));
  else response.end(`this is ${url}`);
  asked.push(url);
}).listen(0, '127.0.0.1');
await once(upstream, 'listening');

cluster.setupPrimary({ exec: fileURLToPath(new URL('server.ts', import.meta.url)) });
const env = { CACHE, PORT: '0', UPSTREAM: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}` };
const [{ port }] = await Promise.all([start(), start(), start(), start()]);

async function start(): Promise<{ worker: Worker; port: number }> {
  const worker = cluster.fork(env);
  const [address] = (await once(worker, 'listening')) as [AddressInfo];
  return { worker, port: address.port };
}

/** Asks one of the four, who says which one it is. One that is killed meanwhile has to be `replaced` first. */
async function get(path: string, replaced?: Promise<unknown>): Promise<number> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    if ((await response.text()) !== `this is ${path}`) throw new Error(`a wrong answer for ${path}`);
    return Number(response.headers.get('x-worker'));
  } catch (error) {
    if (replaced === undefined) throw error;
    await replaced;
    return get(path);
  }
}

async function stats(): Promise<Stats> {
  const response = await fetch(`http://127.0.0.1:${port}/stats`);
  return (await response.json()) as Stats;
}

let last = { upstream: 0, misses: 0, hits: 0 };
async function report(what: string): Promise<void> {
  const { misses, hits } = await stats();
  const now = { upstream: asked.length, misses, hits };
  console.log(what);
  console.log(`  upstream was asked ${now.upstream - last.upstream} times`);
  console.log(`  misses: ${misses - last.misses}, hits: ${hits - last.hits}`);
  last = now;
}

const items = Array.from({ length: 10 }, (_, i) => `/items/${i}`);
await Promise.all(Array.from({ length: 20 }, () => items.map((path) => get(path))).flat());
await report('200 requests at once, for 10 items');

const { requests } = await stats();
/** The worker who asks for the fatal item is killed while 100 requests wait for it, some of them in that worker. */
async function killAndReplace(): Promise<Worker> {
  const [pid] = (await once(upstream, 'fatal')) as [number];
  while ((await stats()).requests < requests + 100);
  const worker = Object.values(cluster.workers!).find((one) => one!.process.pid === pid)!;
  worker.process.kill('SIGKILL');
  await once(worker, 'exit');
  return (await start()).worker;
}
const replaced = killAndReplace();
await Promise.all(Array.from({ length: 100 }, () => get(FATAL, replaced)));
await report('100 requests for one item, whose worker is killed');

const replacement = (await replaced).process.pid!;
const workers = new Set<number>();
for (let i = 0; i < 40; i++) workers.add(await get(items[i % 10]!));
await report(`40 requests, and the new worker ${workers.has(replacement) ? 'serves' : 'does not serve'} too`);

await Promise.all(Array.from({ length: 100 }, (_, i) => get(`/items/other-${i}`)));
await report('100 requests for 100 other items');
console.log(`  ${(await stats()).entries} entries, which is the maximum`);

const exits = Object.values(cluster.workers!).map((worker) => once(worker!, 'exit'));
cluster.disconnect();
await Promise.all(exits);
upstream.close();
console.log(`left in /dev/shm: ${segments().filter(({ name }) => name.startsWith(CACHE)).length}`);
