/**
 * The same random steps through both implementations of each protocol: the facade's TypeScript in this process, and the engine's
 * Rust in a process of Python. After each step both have the same answer, and the same words in memory.
 *
 * `driver.ts SEED STEPS` ends with code 0, or says which step differed. Run by ../conformance.test.ts.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { venvPython } from '../../fixtures/python.js';
import { Random } from '../../fixtures/random.js';
import { broadcasts } from './broadcasts.js';
import { dicts } from './dicts.js';
import { events } from './events.js';
import { mutexes } from './mutexes.js';
import { queues } from './queues.js';
import type { Answer, Step, Subject } from './subject.js';

const [seed = 1, steps = 100] = process.argv.slice(2).map(Number);

/** The engine. */
class Engine {
  readonly #child = spawn(venvPython(), [fileURLToPath(new URL('steps.py', import.meta.url))], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  readonly #lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]();

  async do(step: Step): Promise<Answer> {
    this.#child.stdin.write(`${JSON.stringify(step)}\n`);
    const { value } = await this.#lines.next();
    if (value === undefined) throw new Error(`the engine ended at ${JSON.stringify(step)}`);
    return JSON.parse(value) as Answer;
  }

  end(): void {
    this.#child.stdin.end();
  }
}

function outcome(act: () => unknown): Answer {
  try {
    return (act() ?? null) as Answer;
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === undefined) throw error;
    return { error: code };
  }
}

/** Where the words of two segments differ, of those that the protocol uses. */
function differences(subject: Subject, ours: string, theirs: string): string[] {
  const [here, there] = [ours, theirs].map((name) => readFileSync(`/dev/shm/${name}`)) as [Buffer, Buffer];
  if (here.length !== there.length) return [`${here.length} and ${there.length} bytes`];
  const found: string[] = [];
  for (const [from, to] of subject.compared(here.length)) {
    if (here.subarray(from, to).equals(there.subarray(from, to))) continue;
    for (let at = from; at < to; at += 4) {
      const words = [here, there].map((bytes) => bytes.readUInt32LE(at).toString(16));
      if (words[0] !== words[1]) found.push(`byte ${at}: ${words.join(', and the engine has ')}`);
    }
  }
  return found;
}

const engine = new Engine();
let done = 0;
for (const subject of [...queues, ...broadcasts, ...mutexes, ...events, ...dicts]) {
  const random = new Random(seed);
  const [ours, theirs] = ['t', 'r'].map((side) => `shmkit-conform-${process.pid}${side}`) as [string, string];
  const facade = subject.open(ours);
  assert.equal(await engine.do(subject.opening(theirs)), null);
  const trace: string[] = [];
  try {
    for (let i = 0; i < steps; i++) {
      const step = subject.step(random);
      const here = outcome(() => facade.do(step));
      const there = await engine.do(step);
      trace.push(`${JSON.stringify(step)}: ${JSON.stringify(here)}`);
      const context = `${subject.what}, seed ${seed}, step ${i}:\n${trace.slice(-12).join('\n')}`;
      assert.deepEqual(here, there, `the answers of the facade and the engine differ in ${context}`);
      assert.deepEqual(differences(subject, ours, theirs), [], `the words differ after ${context}`);
      subject.after(step, here);
      done++;
    }
  } finally {
    facade.discard();
    await engine.do(['discard']);
  }
}
engine.end();
console.log(`${done} steps`);
