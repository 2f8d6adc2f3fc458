/** Dicts that go with the test, and processes that use them. */
import { rmSync } from 'node:fs';

import type { ExecutionContext } from 'ava';
import { SharedDict } from 'shmkit';
import type { DictOptions } from 'shmkit';

import { Program } from './program.js';
import { freshName, segmentPath } from './segments.js';

/** Whatever the test at hand has stored. */
export type Any = any; // oxlint-disable-line no-explicit-any
export type AnyTxn = Parameters<Parameters<SharedDict<Any>['txnSync']>[0]>[0];

export function dictOf<V = unknown>(t: ExecutionContext, options: DictOptions = {}): SharedDict<V> {
  const dict = SharedDict.create<V>({ name: freshName(t), ...options });
  t.teardown(() => {
    dict.close();
    rmSync(segmentPath(`${dict.name}.lk`), { force: true });
  });
  return dict;
}

export function attached<V>(t: ExecutionContext, dict: SharedDict<V>, readOnly = false): SharedDict<V> {
  const other = SharedDict.attach<V>(dict.name, { readOnly });
  t.teardown(() => other.close());
  return other;
}

/** A process that has the dict as `dict`. */
export function user(t: ExecutionContext, dict: SharedDict<Any>, code: string): Program {
  return Program.node(t, `const dict = shmkit.SharedDict.attach('${dict.name}');\n${code}`);
}

/** One that is in a txn when this resolves, and ends it when told to. */
export async function insider(t: ExecutionContext, dict: SharedDict<Any>, body = ''): Promise<Program> {
  const program = user(
    t,
    dict,
    `const { readSync } = await import('node:fs');
    dict.txnSync((txn) => { ${body}; say('inside'); readSync(0, Buffer.alloc(1)); });
    say('out'); setInterval(() => {}, 1000);`,
  );
  t.is(await program.says(), 'inside');
  return program;
}
