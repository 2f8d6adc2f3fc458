import type { Buffer } from 'node:buffer';

export const ACCOUNTS: number;
export const TOTAL: number;
export const ALWAYS: number;
export function sum(bytes: Uint8Array): number;
export function checked(below: (limit: number) => number, number: number): Buffer;
export function fill(below: (limit: number) => number, amount: number): { amount: number; bytes: Buffer };
export function whole(value: unknown): boolean;
