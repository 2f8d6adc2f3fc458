import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';

import { SharedMemory } from 'shmkit';

import { sizeName } from '../context.js';
import type { Context } from '../context.js';
import type { Contest, Row, Run } from '../harness.js';

const CONSUMER = new URL('../consumer.js', import.meta.url);
/** JSON is so slow that it gets a part of the data; its time grows with the length, so it is scaled. */
const JSON_PART = 16;
/** A new value for each job: a sum of stale bytes would be found out. */
const VALUES = [1.25, 2.5] as const;

/** A large array of doubles to another process, and its sum back. */
export function handoverRows(context: Context): Row[] {
  const size = sizeName(context.large);
  return [
    {
      name: `${size} to another process, sum back (writing them not counted)`,
      open: () => open(context, false),
    },
    { name: `${size} written, to another process, sum back`, open: () => open(context, true) },
  ];
}

async function open(context: Context, writing: boolean): Promise<Contest> {
  const { large: size, python, prefix } = context;
  // Writing is the same work on both sides, and only shortens the ratio: the targets are for what remains.
  const target = (times: number) => (writing ? {} : { target: { faster: times } });
  return {
    shmkit: await overSegment(context, writing),
    peers: [
      {
        name: 'unix socket, into memory made before',
        run: await overSocket(context, writing, 'socket'),
        ...target(5),
      },
      { name: 'unix socket, Buffer.concat', run: await overSocket(context, writing, 'joined'), ...target(5) },
      {
        name: "process.send 'advanced'",
        run: await overMessages(context, writing, 'advanced'),
        ...target(15),
      },
      {
        name: `process.send JSON (1/${JSON_PART} of it, scaled)`,
        run: await overMessages(context, writing, 'json'),
        scale: JSON_PART,
      },
      ...(python
        ? [
            python.peer(
              'handover.shared',
              { size, prefix, writing },
              undefined,
              pythonName(python, 'SharedMemory'),
            ),
            python.peer('handover.piped', { size, writing }, undefined, pythonName(python, 'Pipe')),
          ]
        : []),
    ],
  };
}

function pythonName({ version, numpy }: { version: string; numpy: string | null }, way: string): string {
  return `CPython ${version} ${way}, ${numpy === null ? 'sum()' : 'numpy'}`;
}

/** Written in place: only a word that they are there goes to the other process. */
async function overSegment({ large, prefix, cleanup }: Context, writing: boolean): Promise<Run> {
  const shm = SharedMemory.create(large, { name: `${prefix}-handover` });
  cleanup.defer(() => {
    shm.close();
    shm.unlink();
  });
  const child = await start(cleanup, 'shared', shm.name);
  return jobs(new Float64Array(shm.buffer), writing, () => ask(child, 1));
}

async function overSocket(
  { large, cleanup }: Context,
  writing: boolean,
  role: 'socket' | 'joined',
): Promise<Run> {
  const child = await start(cleanup, role, String(large));
  const socket = child.stdio[4] as Socket;
  const bytes = Buffer.alloc(large);
  return jobs(new Float64Array(bytes.buffer), writing, async () => {
    socket.write(bytes);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    return answer.readDoubleLE();
  });
}

async function overMessages(
  { large, cleanup }: Context,
  writing: boolean,
  serialization: 'advanced' | 'json',
): Promise<Run> {
  const json = serialization === 'json';
  const child = await start(cleanup, serialization, '', serialization);
  const values = new Float64Array(large / 8 / (json ? JSON_PART : 1));
  return jobs(values, writing, () => ask(child, json ? Array.from(values) : values));
}

/** Fresh values for each job, handed over; the sum is checked. Writing them is the same work everywhere. */
function jobs(values: Float64Array, writing: boolean, handOver: () => Promise<number>): Run {
  return async (iterations) => {
    let elapsed = 0n;
    for (let job = 0; job < iterations; job++) {
      const value = VALUES[job % 2]!;
      let begun = process.hrtime.bigint();
      values.fill(value);
      if (!writing) begun = process.hrtime.bigint();
      const answer = await handOver();
      elapsed += process.hrtime.bigint() - begun;
      if (answer !== value * values.length) throw new Error(`the sum came back as ${answer}`);
    }
    return Number(elapsed);
  };
}

async function ask(child: ChildProcess, message: number | Float64Array | number[]): Promise<number> {
  child.send(message);
  const [answer] = (await once(child, 'message')) as [number];
  return answer;
}

async function start(
  cleanup: Context['cleanup'],
  role: string,
  detail: string,
  serialization: 'advanced' | 'json' = 'json',
): Promise<ChildProcess> {
  const child = fork(CONSUMER, [role, detail], {
    execArgv: [],
    serialization,
    // The fifth is a socket pair of the kind that `net` makes of a unix socket.
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'pipe'],
  });
  cleanup.defer(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill();
    await once(child, 'exit');
  });
  await once(child, 'message');
  return child;
}
