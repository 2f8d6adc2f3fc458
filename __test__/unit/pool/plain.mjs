import { setTimeout as sleep } from 'node:timers/promises';

export const triple = (n) => n * 3;
export const later = async (n) => n * 4;
export const pid = () => process.pid;
export const slowly = (ms) => sleep(ms, 'done');
export const sayAndStay = () => {
  process.stdout.write(`${process.pid}\n`);
  return sleep(1e9);
};
