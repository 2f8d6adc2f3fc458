import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import type { Race } from './barrier.js';
import { Peer } from './peer.js';
import type { Answer, Operations } from './peer.js';
import { TYPESCRIPT } from './typescript.js';

const PROGRAM = fileURLToPath(new URL('node-peer.ts', import.meta.url));

/** The last message to a peer. */
export const FAREWELL = 'farewell';

/** What only a peer in Node can do. */
export interface NodeOperations extends Operations {
  race: Race;
}

/** Another Node process, on an IPC channel of plain JSON: what it gets of an instance is its `toJSON()`. */
export class NodePeer extends Peer<NodeOperations> {
  readonly #child: ChildProcess;

  constructor() {
    const child = fork(PROGRAM, {
      execArgv: [TYPESCRIPT],
      serialization: 'json',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    super(child);
    this.#child = child;
    child.on('message', (answer: Answer) => this.settle(answer));
  }

  protected override transmit(line: object): void {
    this.#child.send(line);
  }

  protected override dismiss(): void {
    // Not disconnect(): after that Node never says that the child's streams are closed.
    if (this.#child.connected) this.#child.send(FAREWELL);
  }
}
