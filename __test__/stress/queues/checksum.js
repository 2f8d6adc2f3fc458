/** `checksum.js NAME producer INDEX COUNT` or `checksum.js NAME consumer PRODUCERS CONSUMERS`: prints its sums as JSON. */
import { SharedQueue } from 'shmkit';

const [name, role, ...numbers] = process.argv.slice(2);
const queue = SharedQueue.attach(name);
const item = new Int32Array(16);
const sums = { count: 0, sum: 0, mixed: 0 };
const mix = (from, seq) => Math.imul(from * 7919 + seq, 0x9e3779b1);

function add(from, seq) {
  sums.count++;
  sums.sum += seq;
  sums.mixed = (sums.mixed + Math.imul(mix(from, seq), seq | 1)) | 0;
}

function write(data, from, seq) {
  const mixed = mix(from, seq);
  data[0] = from;
  data[1] = seq;
  for (let i = 2; i < 16; i++) data[i] = mixed ^ i;
}

const last = [];
function check(data, inOrder) {
  const [from, seq] = [data[0], data[1]];
  const mixed = mix(from, seq);
  for (let i = 2; i < 16; i++) if (data[i] !== (mixed ^ i)) throw new Error(`item ${seq} of ${from} is torn`);
  if (inOrder && seq !== (last[from] = (last[from] ?? -1) + 1))
    throw new Error(`${seq} after ${last[from] - 1}`);
  add(from, seq);
}

/** A thousand items in one way, then in the next. */
async function produce(from, count) {
  for (let seq = 0; seq < count;) {
    const way = Math.floor(seq / 1000) % 4;
    if (way === 3) {
      const slot = queue.tryClaim() ?? queue.claimSync();
      write(slot.data, from, seq);
      slot.commit();
    } else {
      write(item, from, seq);
      if (way === 0) while (!queue.tryPush(item));
      else if (way === 1 || seq % 256 !== 0) queue.pushSync(item);
      else await queue.push(item);
    }
    add(from, seq++);
  }
}

async function consume(producers, consumers) {
  const inOrder = consumers === 1;
  for (let turn = 0; ; turn++) {
    const way = Math.floor(turn / 1000) % 4;
    if (way === 0) {
      if (queue.tryPopInto(item)) check(item, inOrder);
      else if (queue.ended && queue.length === 0) return;
    } else if (way === 3) {
      const slot = queue.takeSync();
      if (slot === undefined) return;
      check(slot.data, inOrder);
      slot[Symbol.dispose]();
    } else {
      const data = way === 1 || turn % 256 !== 0 ? queue.popSync() : await queue.pop();
      if (data === undefined) return;
      check(data, inOrder);
    }
  }
}

await (role === 'producer' ? produce : consume)(...numbers.map(Number));
process.stdout.write(`${JSON.stringify(sums)}\n`);
