// A fresh process that starts a manager, and says how long that took.
import { SharedMemoryManager } from 'shmkit';

const began = process.hrtime.bigint();
const manager = await new SharedMemoryManager().start();
const ns = Number(process.hrtime.bigint() - began);
await manager.shutdown();
console.log(ns);
