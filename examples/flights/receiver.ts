// A process for compare.ts: takes the columns, shared or sent, and reads every value once. It says when.
import { once } from 'node:events';
import { type Descriptor, SharedMemory } from 'shmkit';
import { type Columns, checksum } from './columns.js';
import { endWithParent, leaveInterruptsToParent } from './orphan.js';

export type Delivery = { columns: Columns } | { delay: Descriptor; distance: Descriptor };

leaveInterruptsToParent();
endWithParent([]);
const send = (message: unknown) => process.send?.(message);
send('ready');
const [delivery] = (await once(process, 'message')) as [Delivery];
const { delay, distance } = 'columns' in delivery ? delivery.columns : attachColumns(delivery);
send('received');
send(checksum({ delay, distance }));

function attachColumns(descriptors: { delay: Descriptor; distance: Descriptor }): Columns {
  return {
    delay: new Int16Array(SharedMemory.attach(descriptors.delay, { readOnly: true }).buffer),
    distance: new Uint16Array(SharedMemory.attach(descriptors.distance, { readOnly: true }).buffer),
  };
}
