/** One Python with numpy, which runs what it is told and answers with what `answer` is then. */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

import type { ExecutionContext } from 'ava';

import { venvPython } from './python.js';

const PROGRAM = `
import json, sys, numpy as np
from multiprocessing import resource_tracker, shared_memory
def raw(name, dtype, shape, order='C'):
    """An array over a segment without a header, which is made where there is none."""
    n = max(1, int(np.prod(shape)) * np.dtype(dtype).itemsize)
    try:
        shm = shared_memory.SharedMemory(name)
    except FileNotFoundError:
        shm = shared_memory.SharedMemory(name, create=True, size=n)
    resource_tracker.unregister(shm._name, 'shared_memory')
    kept.append(shm)
    return np.ndarray(shape, dtype, buffer=shm.buf, order=order)
def npy(name, mode='r+'):
    return np.load('/dev/shm/' + name, mmap_mode=mode)
def bits(a):
    """The elements in C order, as hexadecimal bytes: NaN, -0 and 2**63 survive it."""
    return np.ascontiguousarray(a).tobytes().hex()
def of(text, dtype, shape):
    return np.frombuffer(bytes.fromhex(text), dtype).reshape(shape)
kept = []
names = {'np': np, 'raw': raw, 'npy': npy, 'bits': bits, 'of': of}
for line in sys.stdin:
    scope = dict(names, **json.loads(line))
    try:
        exec(scope['code'], scope)
        out = {'answer': scope.get('answer')}
    except Exception as error:
        out = {'error': repr(error)}
    print(json.dumps(out, default=lambda x: x.item() if isinstance(x, np.generic) else x.tolist()), flush=True)
`;

export class Numpy {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  constructor(t: ExecutionContext) {
    this.#child = spawn(venvPython(), ['-E', '-W', 'ignore', '-c', PROGRAM], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
    t.teardown(async () => {
      this.#child.stdin.end();
      if (this.#child.exitCode === null) await once(this.#child, 'exit');
    });
  }

  /** Runs Python code with these names in it. */
  async run<T>(code: string, names: Record<string, unknown> = {}): Promise<T> {
    this.#child.stdin.write(`${JSON.stringify({ ...names, code })}\n`);
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error('Python ended');
    const { answer, error } = JSON.parse(value) as { answer: T; error?: string };
    if (error !== undefined) throw new Error(error);
    return answer;
  }
}
