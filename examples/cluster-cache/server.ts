/** One of the processes that serve: `/items/7` as the slow server at UPSTREAM has it, and `/stats`. */
import { createServer } from 'node:http';

import { SharedCache } from './cache.js';

const { UPSTREAM = '', PORT = '0', CACHE = 'items' } = process.env;
const cache = new SharedCache<string>(CACHE, { ttl: 60_000, maxEntries: 50, maxByteLength: 1e6 });

async function ask(path: string): Promise<string> {
  const response = await fetch(UPSTREAM + path, { headers: { 'x-asker': String(process.pid) } });
  if (!response.ok) throw new Error(`upstream says ${response.status}`);
  return response.text();
}

createServer(async ({ url = '/' }, response) => {
  response.setHeader('connection', 'close').setHeader('x-worker', process.pid);
  try {
    response.end(url === '/stats' ? JSON.stringify(cache.stats()) : await cache.get(url, () => ask(url)));
  } catch (error) {
    response.writeHead(502).end(String(error));
  }
}).listen(Number(PORT));
