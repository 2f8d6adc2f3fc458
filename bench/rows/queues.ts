import type { Context } from '../context.js';
import type { Contest, Peer, Row, Run, Target } from '../harness.js';
import { Pair } from '../pair.js';
import type { Role } from '../pair.js';
import { pythonPeer } from '../python-peers.js';
import { Python } from '../python.js';

/** An iteration is so many items. */
const TIMES = 1000;
/** Rows of single turns: so many rounds of one run each. */
const READINGS = 21;
const MANY = 20_000;

interface NodePeer {
  readonly name: string;
  readonly role: Role;
  readonly target?: Target;
}
const socket = (faster?: number): NodePeer => ({
  name: 'unix socket, a write each',
  role: 'stream',
  ...(faster !== undefined && { target: { faster } }),
});
const messages = (faster?: number): NodePeer => ({
  name: 'process.send',
  role: 'messages',
  ...(faster !== undefined && { target: { faster } }),
});

/** Between two processes of Python's, each found once for all rows. */
const PYTHON = [
  { peer: 'interprocess', sort: 'interprocess', what: 'cloudtoid-interprocess', faster: 2 },
  { peer: 'iceoryx2', sort: 'iceoryx', what: 'iceoryx2', faster: 10 },
] as const;

/** From one process to another, and back. */
export function queueRows(context: Context): Row[] {
  const times = context.quick ? TIMES / 10 : TIMES;
  const row = (name: string, role: Role, peers: readonly NodePeer[]): Row => ({
    name,
    ops: times,
    open: () => contest(context, (pair) => pair.run(times), role, peers),
  });
  const finders = PYTHON.map(({ peer }) => pythonPeer(context.python, context.quick, peer));
  const withPython = (one: Row): Row => ({
    ...one,
    async open() {
      const contestants = await one.open();
      const theirs = await pythonPeers(context, finders, times);
      return { ...contestants, peers: [...contestants.peers, ...theirs] };
    },
  });
  const lap = (name: string, role: Role, limit: number): Row => ({
    name,
    readings: READINGS,
    async open() {
      const n = context.quick ? MANY / 10 : MANY;
      const peers: NodePeer[] = [
        { name: 'unix socket, a byte', role: 'socket' },
        { name: 'a flag, looked at all the time', role: 'flag' },
      ];
      const contestants = await contest(context, (pair) => pair.lap(n, 0.5), role, peers);
      return { ...contestants, limit };
    },
  });
  return [
    withPython(row('an item of 64 B: pushSync, popSync', 'items', [socket(8), messages(20)])),
    withPython(row('an item of 64 B: pushSync, popSync, spsc', 'spsc-items', [socket(8), messages(20)])),
    row('an item of 64 B: pushSync, batches()', 'batches', [socket(), messages()]),
    lap('an item there and back: half are faster', 'there-and-back', 1000),
    lap('an item there and back, spsc: half are faster', 'spsc-there-and-back', 1000),
  ];
}

async function pythonPeers(
  { cleanup, prefix }: Context,
  finders: readonly (() => Promise<string | undefined>)[],
  times: number,
): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (const [index, { sort, what, faster }] of PYTHON.entries()) {
    const path = await finders[index]!();
    const python = path === undefined ? undefined : await Python.start(path);
    if (python === undefined) continue;
    cleanup.defer(() => python.stop());
    const args = { sort, times, name: `${prefix}-${sort}` };
    peers.push(python.peer('queue.items', args, { faster }, `CPython ${python.version} ${what}`));
  }
  return peers;
}

async function contest(
  { cleanup, prefix }: Context,
  of: (pair: Pair) => Run,
  role: Role,
  peers: readonly NodePeer[],
): Promise<Contest> {
  const start = async (one: Role): Promise<Run> => of(await Pair.start(cleanup, prefix, one));
  // All have come up, or failed to, before anything is thrown and cleaned up.
  const started = await Promise.allSettled([role, ...peers.map((peer) => peer.role)].map(start));
  const [shmkit, ...others] = started.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
  return {
    shmkit: shmkit!,
    peers: peers.map(({ name, target }, index) => ({ name, run: others[index]!, ...(target && { target }) })),
  };
}
