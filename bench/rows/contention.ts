import type { Context } from '../context.js';
import type { Contest, Peer, Row, Run, Target } from '../harness.js';
import { Pair } from '../pair.js';
import type { Role } from '../pair.js';
import type { Arguments } from '../python.js';

/** An iteration is so many, beside which it is nothing that two processes have to be told to begin. */
const TIMES = 1000;
/** Rows of single hand-overs: so many rounds of one run each. */
const READINGS = 21;
const MANY = 20_000;
const FEW = 2_000;

/** One of the two that a row compares: a role of partner.js, with so many looks before it sleeps. */
interface Side {
  readonly role: Role;
  readonly spin?: number;
}
interface NodePeer extends Side {
  readonly name: string;
  readonly target?: Target;
}
interface PythonPeer {
  readonly role: 'turns' | 'increments' | 'events';
  readonly target?: Target;
}
/** What a row measures of a pair; Python's pairs have it by the arguments of a snippet. */
interface Measure {
  readonly of: (pair: Pair) => Run;
  readonly snippet: string;
  readonly args: Arguments;
}
const all = (times: number): Measure => ({
  of: (pair) => pair.run(times),
  snippet: 'lock.pair',
  args: { times },
});
const lap = (n: number, quantile: number): Measure => ({
  of: (pair) => pair.lap(n, quantile),
  snippet: 'lock.lap',
  args: { n, quantile },
});

const TURNS: Side = { role: 'turns' };
const AWAKE: Side = { role: 'events' };
const ASLEEP: Side = { role: 'events', spin: 0 };
const SOCKET: NodePeer = { name: 'unix socket', role: 'socket' };
const PIPES: NodePeer = { name: 'two pipes, calls that block', role: 'pipes' };
const FLAG: NodePeer = { name: 'a flag, looked at all the time', role: 'flag' };

/** A lock that two processes want, and events that they set for each other. */
export function contentionRows(context: Context): Row[] {
  const { quick } = context;
  const times = quick ? TIMES / 10 : TIMES;
  const row = (
    name: string,
    ops: number,
    side: Side,
    nodes: readonly NodePeer[],
    python: readonly PythonPeer[],
  ): Row => ({ name, ops: ops * times, open: () => contest(context, all(times), side, nodes, python) });
  const laps = (
    name: string,
    count: number,
    side: Side,
    nodes: readonly NodePeer[],
    python: readonly PythonPeer[],
  ): Row[] => {
    const n = quick ? count / 10 : count;
    const quantiles = [
      [0.5, 'half are faster'],
      [0.999, '99.9 % are faster'],
      [1, `the longest of ${n.toLocaleString('en')}`],
    ] as const;
    return quantiles.slice(0, quick ? 1 : undefined).map(([quantile, which]) => ({
      name: `${name}: ${which}`,
      readings: READINGS,
      open: () =>
        contest(
          context,
          lap(n, quantile),
          side,
          nodes,
          quantile === 0.5 ? python : python.map(({ role }) => ({ role })),
        ),
    }));
  };
  const faster = (so: number): { target: Target } => ({ target: { faster: so } });
  return [
    row('two processes take turns under the lock, a turn', 2, TURNS, [], [{ role: 'turns', ...faster(1.5) }]),
    row(
      'two processes count under the lock, an increment',
      2,
      { role: 'increments' },
      [],
      [{ role: 'increments', ...faster(1.5) }],
    ),
    row(
      'two events, there and back',
      1,
      AWAKE,
      [{ ...SOCKET, ...faster(20) }, PIPES, FLAG],
      [{ role: 'events' }],
    ),
    row(
      'two events, there and back, spin: 0',
      1,
      ASLEEP,
      [{ ...SOCKET, target: { time: 1.2 } }, PIPES],
      [{ role: 'events' }],
    ),
    row('two events, there and back, await wait()', 1, { role: 'promises' }, [SOCKET], [{ role: 'events' }]),
    ...laps('a turn and the other’s', MANY, TURNS, [], [{ role: 'turns', ...faster(1.5) }]),
    ...laps('two events, there and back', MANY, AWAKE, [SOCKET, FLAG], []),
    ...laps('two events, there and back, spin: 0', FEW, ASLEEP, [SOCKET], [{ role: 'events' }]),
  ];
}

async function contest(
  { cleanup, prefix, python }: Context,
  { of, snippet, args }: Measure,
  side: Side,
  nodes: readonly NodePeer[],
  pythons: readonly PythonPeer[],
): Promise<Contest> {
  const start = async ({ role, spin }: Side) => of(await Pair.start(cleanup, prefix, role, spin));
  // All have come up, or failed to, before anything is thrown and cleaned up.
  const started = await Promise.allSettled([side, ...nodes].map(start));
  const [shmkit, ...others] = started.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
  const peers = nodes.map(({ name, target }, i): Peer => ({
    name,
    run: others[i]!,
    ...(target && { target }),
  }));
  if (python) {
    for (const { role, target } of pythons) peers.push(python.peer(snippet, { role, ...args }, target));
  }
  return { shmkit: shmkit!, peers };
}
