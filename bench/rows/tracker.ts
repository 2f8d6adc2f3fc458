import { closeSync, constants, openSync, statSync } from 'node:fs';

import { SharedMemory } from 'shmkit';
import type { CreateOptions } from 'shmkit';

import { ownDevShm } from '../../__test__/fixtures/own-dev-shm.js';
import { sizeName } from '../context.js';
import type { Context } from '../context.js';
import { timed } from '../harness.js';
import type { Contest, Row, Run, Target } from '../harness.js';
import { Owner, nodeOwner, pythonOwner } from '../owner.js';
import type { OwnerCommand } from '../owner.js';
import type { Arguments } from '../python.js';
import { isPythonTracker, isShmkitTracker, settled, trackerOf } from '../trackers.js';
import type { IsTracker, Memory } from '../trackers.js';
import { SMALL, cycle } from './lifecycle.js';

const MB = 2 ** 20;
/** A run starts a process or two, which takes a quarter of a second. */
const MANY_READINGS = 21;
/** Memory hardly differs from process to process. */
const FEW_READINGS = 5;
const REMOVED_WITHIN = 10_000;

/** One side of a row about processes. */
interface Side {
  readonly command: OwnerCommand;
  readonly isTracker: IsTracker;
}
const SHMKIT: Side = { command: nodeOwner, isTracker: isShmkitTracker };

/** Makes a command run where `/dev/shm`, and so the tracker, is its own. */
type Wrap = (command: readonly string[]) => readonly string[];
const asIs: Wrap = (command) => command;

/** What tracking adds to the life of a segment. */
export function trackedRows({ prefix, python }: Context): Row[] {
  const row = (what: string, options: CreateOptions, args: Arguments, target?: Target): Row => ({
    name: `create, close, unlink ${sizeName(SMALL)}, ${what}`,
    open: () => ({
      shmkit: timed((n) => cycle(n, options)),
      peers: python ? [python.peer('segment.cycle', { size: SMALL, ...args }, target)] : [],
    }),
  });
  return [
    row('tracked', {}, {}, { faster: 1.2 }),
    row('tracked, a given name', { name: `${prefix}-cycle` }, { name: `${prefix}-py-cycle` }),
    row('track: false', { track: false }, {}),
  ];
}

/** A process's first create, which sees to it that there is a tracker. */
export function firstCreateRows(context: Context): Row[] {
  const { cleanup } = context;
  const wrap = privateDevShm();
  const name = `first create of a process ${sizeName(SMALL)}`;
  const firstCreate =
    (wrapped: Wrap) =>
    ({ command }: Side): Run =>
    () =>
      Owner.with(wrapped(command(1)), (owner) => owner.firstCreate);
  const rows: Row[] = [
    {
      name: `${name}, shmkit's tracker is running`,
      readings: MANY_READINGS,
      async open() {
        const shm = SharedMemory.create(SMALL);
        cleanup.defer(() => {
          shm.close();
          shm.unlink();
        });
        await trackerOf(process.pid, isShmkitTracker);
        return contest(context, firstCreate(asIs));
      },
    },
  ];
  if (wrap !== undefined) {
    rows.unshift({
      name: `${name}, no tracker yet`,
      readings: MANY_READINGS,
      open: () => contest(context, firstCreate(wrap)),
    });
  }
  return rows;
}

/** What a tracker needs while its one client lives, and how fast it is when that dies. */
export function trackerRows(context: Context): Row[] {
  const wrap = privateDevShm();
  if (wrap === undefined) {
    console.error(
      "no mount namespace is to be had: the rows that need a '/dev/shm' of their own are left out",
    );
    return [];
  }
  const memory = (count: number, field: keyof Memory, target?: Target): Contest =>
    contest(
      context,
      ({ command, isTracker }) =>
        () =>
          Owner.with(wrap(command(count)), async ({ pid }) => {
            const tracker = await trackerOf(pid, isTracker);
            return (await settled(tracker))[field];
          }),
      target,
    );
  const death: (side: Side) => Run =
    ({ command, isTracker }) =>
    () =>
      Owner.with(wrap(command(1)), (owner) => removal(owner, isTracker));
  return [
    {
      name: "tracker's memory, 1 segment",
      unit: 'bytes',
      readings: FEW_READINGS,
      open: () => ({ ...memory(1, 'resident', { smaller: 2 }), limit: 4 * MB }),
    },
    {
      name: "tracker's memory, 1 segment, shared pages divided",
      unit: 'bytes',
      readings: FEW_READINGS,
      open: () => memory(1, 'proportional'),
    },
    {
      name: "tracker's memory, 1,000 segments",
      unit: 'bytes',
      readings: FEW_READINGS,
      open: () => memory(1000, 'resident'),
    },
    {
      name: "an owner's SIGKILL, until its segment is gone",
      readings: MANY_READINGS,
      open: () => contest(context, death),
    },
  ];
}

/** Nanoseconds from the owner's SIGKILL, when both it and its tracker are at rest, until its segment is gone. */
async function removal(owner: Owner, isTracker: IsTracker): Promise<number> {
  const tracker = await trackerOf(owner.pid, isTracker);
  await settled(tracker);
  const directory = openSync(`/proc/${tracker}/root/dev/shm`, constants.O_DIRECTORY);
  try {
    const path = `/proc/self/fd/${directory}/${owner.name}`;
    if (!isThere(path)) throw new Error('there is no segment to be removed');
    const start = process.hrtime.bigint();
    owner.kill();
    return gone(path, start);
  } finally {
    closeSync(directory);
  }
}

function contest({ python }: Context, run: (side: Side) => Run, target?: Target): Contest {
  if (python === undefined) return { shmkit: run(SHMKIT), peers: [] };
  const side: Side = { command: pythonOwner(python), isTracker: isPythonTracker };
  const peer = { name: `CPython ${python.version}`, run: run(side), ...(target && { target }) };
  return { shmkit: run(SHMKIT), peers: [peer] };
}

/** Undefined where that cannot be had. */
function privateDevShm(): Wrap | undefined {
  try {
    const [program, args] = ownDevShm('64m', []);
    return (command) => [program, ...args, ...command];
  } catch {
    return undefined;
  }
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Nanoseconds since `start`, when it is gone. Sleeps between looks: whoever removes it needs the processor. */
function gone(path: string, start: bigint): number {
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    const there = isThere(path);
    const elapsed = Number(process.hrtime.bigint() - start);
    if (!there) return elapsed;
    if (elapsed > REMOVED_WITHIN * 1e6) throw new Error('the segment is still there');
    Atomics.wait(sleeper, 0, 0, 0.05);
  }
}
