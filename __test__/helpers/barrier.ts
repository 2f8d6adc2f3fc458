import { SharedMemory } from 'shmkit';

/** How long one may wait for the others. */
const DEADLINE = 15_000;

/** All of `parties` processes do `createOrAttach` of each name at the same moment. */
export type Race = (args: {
  names: string[];
  size: number;
  gate: string;
  party: number;
  parties: number;
}) => RaceResult[];

/** What one process saw of one round. */
export interface RaceResult {
  created: boolean;
  hex: string;
}

/** Waits until all parties have come to this point; each point has a counter of its own. */
function meet(counters: Int32Array, point: number, parties: number): void {
  const deadline = Date.now() + DEADLINE;
  Atomics.add(counters, point, 1);
  while (Atomics.load(counters, point) < parties) {
    if (Date.now() > deadline) throw new Error(`the others did not come to point ${point}`);
  }
}

export const raceOn: Race = ({ names, size, gate, party, parties }) => {
  using shm = SharedMemory.attach(gate);
  const counters = new Int32Array(shm.buffer);
  return names.map((name, round) => {
    meet(counters, 2 * round, parties);
    using segment = SharedMemory.createOrAttach(name, size);
    segment.buf[party] = party + 1;
    meet(counters, 2 * round + 1, parties);
    return { created: segment.created, hex: segment.buf.toString('hex') };
  });
};
