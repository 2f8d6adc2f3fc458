import anyTest from 'ava';
import type { ExecutionContext } from 'ava';

import { NodePeer } from './node.js';
import { Remote } from './peer.js';
import type { Peer } from './peer.js';
import { findPythons, PythonPeer } from './python.js';

interface Kind {
  label: string;
  /** Which CPython 3 it is, if it is one. */
  minor?: number;
  start(): Peer;
}

/** What a test is told of the other end. */
export interface Other extends Remote {
  /** Which CPython 3 it is, if it is one. */
  readonly minor?: number;
}

const pythons = await findPythons();
const kinds: Kind[] = [
  { label: 'Node', start: () => new NodePeer() },
  ...pythons.map(({ version, path, minor }) => ({
    label: `CPython ${version}`,
    minor,
    start: () => new PythonPeer(path),
  })),
];

const running = new Map<Kind, Peer>();

/** The process of this kind that all tests of a file share; started when first needed. */
function peerOf(kind: Kind): Peer {
  const peer = running.get(kind) ?? kind.start();
  running.set(kind, peer);
  return peer;
}

type Body = (t: ExecutionContext, other: Other) => Promise<void>;

/** One test with each kind of process at the other end: Node and every CPython on this machine. */
export function withEveryPeer(title: string, body: Body): void {
  declare(title, body, kinds);
}

/** One test with every CPython on this machine at the other end. */
export function withEveryPython(title: string, body: Body): void {
  declare(
    title,
    body,
    kinds.filter((kind) => kind.minor !== undefined),
  );
}

function declare(title: string, body: Body, among: Kind[]): void {
  for (const kind of among) {
    anyTest(`${title} (${kind.label})`, async (t) => {
      const { minor } = kind;
      await body(t, Object.assign(new Remote(peerOf(kind)), minor !== undefined && { minor }));
    });
  }
}

anyTest.after.always('the peers end without a complaint', async (t) => {
  for (const [kind, peer] of running) t.is(await peer.end(), '', kind.label);
});
