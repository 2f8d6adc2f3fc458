/** What `src/dict/local-table.ts` finds by itself, and what it leaves to Rust. The other tests cannot tell the two apart. */
import { Buffer } from 'node:buffer';
import { spawnSync } from 'node:child_process';
import vm from 'node:vm';

import test from 'ava';
import type { ExecutionContext } from 'ava';
import { SharedDict } from 'shmkit';

import * as binding from '#binding';
import { calls, stage, stagePacked, LAYOUT, UNHASHED } from '../../../src/dict/call-buffer.js';
import { CLONE, FLOAT, MESSAGE_PACK } from '../../../src/dict/kinds.js';
import { decode, encode, scratch } from '../../../src/dict/values.js';
import { LocalTable } from '../../../src/dict/local-table.js';
import { Unsure } from '../../../src/dict/lookup.js';
import { IN_ORDER } from '../../../src/common/memory-order.js';
import { Lock } from '../../../src/sync/lock.js';
import type { Hold, Left } from '../../../src/sync/lock.js';
import * as waits from '../../../src/sync/waits.js';
import { freshName } from '../../fixtures/segments.js';

function setUp(t: ExecutionContext, byteLength = 65536) {
  const native = binding.createDict(byteLength, 1 << 28, undefined, 0o600, true, false);
  const table = new LocalTable(native, 10_000);
  const { number, name, id } = binding.dictFacts(native);
  t.teardown(() => {
    binding.closeDict(native, table.close());
    binding.unlinkIdentity(name, id);
  });
  const set = (key: string, value: unknown): void => {
    const encoded = encode(value);
    calls.set(number, key, encoded.value, encoded.kind);
  };
  return { native, table, number, set };
}

test('keys of every length, by both hashes', (t) => {
  const { table, number, set } = setUp(t);
  for (let length = 1; length <= 64; length++) {
    const key = Array.from({ length }, (_, i) => String.fromCharCode(33 + ((length * 7 + i * 3) % 90))).join(
      '',
    );
    t.is(table.get(key), undefined);
    t.is(table.has(key), false);
    set(key, length); // by Rust's hash
    t.is(table.get(key), length);
    t.is(table.has(key), true);
    t.not(stage(number, key, length + 0.5), UNHASHED); // by ours
    calls.set_staged();
    t.is(table.get(key), length + 0.5);
    t.is(calls.get(number, key, Buffer.alloc(16)), length + 0.5);
    calls.delete(number, key);
    t.is(table.get(key), undefined);
  }
});

test('what is left to Rust', (t) => {
  const { table, number, set } = setUp(t);
  for (const key of ['', 'ü', 'x'.repeat(65), '\ud800']) {
    t.is(table.get(key), Unsure);
    t.is(stage(number, key, 1), UNHASHED);
  }
  set('large', 'x'.repeat(1 << 20));
  set('bigint', 5n);
  for (const key of ['large', 'bigint']) t.is(table.get(key), Unsure);
  for (const text of ['x'.repeat(4097), '日'.repeat(2049)]) t.is(stage(number, 'key', text), UNHASHED);
});

test('what Rust has found is remembered until anybody writes, but for large things', (t) => {
  const { table, set } = setUp(t);
  const remember = (key: string, value: unknown): unknown => {
    set(key, value);
    // Not before one has looked as often as there are keys.
    for (let i = 0; i < 10; i++) {
      t.true(table.moment());
      table.remember(key, value);
    }
    return table.get(key);
  };
  for (const value of [1.5, 5n, 'text', '日'.repeat(4096), null, false]) t.is(remember('ü', value), value);
  t.is(remember('ü'.repeat(4096), 1), 1);
  set('other', 1);
  t.is(table.get('ü'.repeat(4096)), Unsure);
  t.is(remember('ü'.repeat(4097), 1), Unsure);
  t.is(remember('large', 'x'.repeat(70_000)), Unsure);
  t.is(remember('ö', [1]), Unsure);
});

test('values of every other kind', (t) => {
  const { table, number, set } = setUp(t);
  const texts = ['', 'abc', 'grün', '日本', 'x'.repeat(4000)];
  const objects = [Buffer.from('abc'), new Float64Array([1, 2]), { a: [1] }, new Map([[1, 2]])];
  for (const value of [null, true, false, 1, -0, NaN, ...texts, ...objects]) {
    set('key', value);
    t.deepEqual(table.get('key'), value);
  }
  const around = [1, 40, 41, 64, 2048, 4096].flatMap((length) => ['x'.repeat(length), 'ÿ'.repeat(length)]);
  const wide = [1, 40, 41, 2048].flatMap((length) => ['Ā'.repeat(length), 'x'.repeat(length - 1) + '\ud800']);
  for (const value of [1.5, NaN, -0, 'abc', '', ...around, ...wide]) {
    t.not(stage(number, 'key', value), UNHASHED);
    calls.set_staged();
    t.is(table.get('key'), value);
  }
});

test('texts of every length, each character of which is another one', (t) => {
  const { table, number, set } = setUp(t);
  for (let length = 0; length <= 80; length++) {
    for (const first of [1, 0x30, 0x78, 0xaf, 0x3041]) {
      const text = String.fromCharCode(...Array.from({ length }, (_, i) => first + i));
      for (const key of ['k', 'key of 9']) {
        set(key, text);
        t.is(table.get(key), text);
        t.not(stage(number, key, text), UNHASHED);
        calls.set_staged();
        t.is(table.get(key), text);
      }
    }
  }
});

test('NaN is stored as one value, whichever it is', (t) => {
  const { number } = setUp(t);
  const odd = new Float64Array(new BigUint64Array([0xfff8_0000_0000_1234n]).buffer)[0]!;
  t.not(stage(number, 'key', odd), UNHASHED);
  calls.set_staged();
  t.true(calls.matches(number, 'key', NaN));
  using dict = SharedDict.create<unknown>({ name: freshName(t) });
  t.teardown(() => dict.unlink());
  // In place of a text of the same size, for which there is a block.
  for (const value of ['8 bytes.', '8 bytes!', odd]) dict.set('key', value);
  t.true(dict.compareAndSet('key', NaN, 'text'));
});

test('a number is written over a number, and over nothing else', (t) => {
  const { native, table, number, set } = setUp(t);
  const words = new Uint32Array(binding.dictBuffer(native));
  const at = LAYOUT.version;
  const kept = (key: string, value: unknown): void => {
    set(key, value);
    const version = words[at]!;
    t.false(table.overwrite(key, 5), key);
    t.is(words[at], version);
    t.deepEqual(table.get(key), value);
  };
  for (let length = 1; length <= 64; length++) {
    const key = 'k'.repeat(length);
    t.false(table.overwrite(key, 1));
    set(key, length);
    for (const value of [0, -0, 1.5, -1, 2 ** 53, Infinity, -Infinity, 5e-324]) {
      const version = words[at]!;
      t.is(table.overwrite(key, value), IN_ORDER);
      if (!IN_ORDER) continue;
      t.is(words[at], version + 2);
      t.is(table.get(key), value);
      t.is(calls.get(number, key, Buffer.alloc(16)), value);
    }
  }
  t.false(table.overwrite('k', NaN));
  set('other', 1);
  t.is(table.get('other'), 1);
  for (const value of ['8 bytes!', '', 'ü', null, true, [1], { a: 1 }, Buffer.alloc(8)]) kept('other', value);
  calls.set(number, 'float', Buffer.alloc(8), FLOAT);
  t.false(table.overwrite('float', 5));
  for (const key of ['', 'ü', 'x'.repeat(65)]) t.false(table.overwrite(key, 1));
});

test('a number is put in place of what cannot be read', (t) => {
  using dict = SharedDict.create<number>({ name: freshName(t) });
  t.teardown(() => dict.unlink());
  const native = binding.attachDict(dict.name, false, false);
  t.teardown(() => binding.closeDict(native, new ArrayBuffer(0)));
  const { number } = binding.dictFacts(native);
  for (const kind of [MESSAGE_PACK, CLONE, 200]) {
    calls.set(number, 'key', Buffer.from([0xc1]), kind);
    t.throws(() => dict.get('key'), { code: kind === 200 ? 'ERR_SHM_VALUE' : 'ERR_SHM_CORRUPT' });
    t.is(dict.set('key', kind).get('key'), kind);
  }
});

test('versions whose upper half changes are left to Rust', (t) => {
  const { native, table, number, set } = setUp(t);
  const words = new Uint32Array(binding.dictBuffer(native));
  set('key', 1);
  const before = words[LAYOUT.version + 1]!;
  for (const [low, isOurs] of [
    [2 ** 31 - 2, IN_ORDER],
    [2 ** 32 - 4, IN_ORDER],
    [2 ** 32 - 2, false],
    [7, false],
  ] as const) {
    words[LAYOUT.version] = low;
    t.is(table.overwrite('key', low), isOurs);
    t.is(words[LAYOUT.version], isOurs ? low + 2 : low);
  }
  words[LAYOUT.version] = 2 ** 32 - 2;
  t.not(stage(number, 'key', 2), UNHASHED);
  calls.set_staged();
  t.deepEqual([words[LAYOUT.version], words[LAYOUT.version + 1]], [0, before + 1]);
  t.is(table.get('key'), 2);
});

/** The word that says from where on nothing was ever used. */
const TOP = 144 / 4;

/** Puts a text in place of what the key has, by JavaScript alone; whether that could be done. */
function replace({ table, number }: ReturnType<typeof setUp>, key: string, text: string): boolean {
  const hash = stage(number, key, text);
  return hash !== UNHASHED && table.replace(hash);
}

test('a text is put in place of one of the same size, and of nothing else', (t) => {
  const its = setUp(t);
  const { native, table, number, set } = its;
  const words = new Uint32Array(binding.dictBuffer(native));
  for (let length = 1; length <= 64; length++) {
    const key = 'k'.repeat(length);
    t.false(replace(its, key, 'a'), 'it is not there');
    // The second one frees the first one's block.
    for (const text of ['a', 'b']) set(key, text);
    const { used } = binding.dictFill(native);
    const top = words[TOP];
    for (const text of ['c', 'd', 'ÿ', 'four']) {
      const version = words[LAYOUT.version]!;
      t.is(replace(its, key, text), IN_ORDER);
      if (!IN_ORDER) continue;
      t.is(words[LAYOUT.version], version + 2);
      t.is(table.get(key), text);
      t.is(calls.get(number, key, Buffer.alloc(16)), text);
      t.is(binding.dictFill(native).used, used);
      t.is(words[TOP], top);
    }
    calls.delete(number, key);
  }
  for (let length = 0; length <= 128; length++) {
    const text = String.fromCharCode(...Array.from({ length }, (_, i) => 33 + ((i * 7 + length) % 200)));
    for (const first of ['x'.repeat(length), 'y'.repeat(length)]) set('text', first);
    t.is(replace(its, 'text', text), IN_ORDER);
    if (IN_ORDER) t.is(calls.get(number, 'text', Buffer.alloc(256)), text);
  }
  for (const text of ['x'.repeat(100), 'x']) set('other', text);
  t.false(replace(its, 'other', 'x'.repeat(60)), 'a larger block');
  set('other', 'x'.repeat(100));
  t.false(replace(its, 'other', 'x'), 'a smaller one');
  t.is(table.get('other'), 'x'.repeat(100));
});

/** The same of a value of any length. */
function replaceLong({ table, number }: ReturnType<typeof setUp>, key: string, value: unknown): boolean {
  if (typeof value === 'string') return table.replaceText(key, value);
  const encoded = encode(value, 'staged');
  if (typeof encoded.value === 'number') return table.replace(stagePacked(number, key, encoded.value));
  return table.replaceBytes(key, encoded.kind, encoded.value as Uint8Array);
}

const small = [
  0, 1, 31, 32, 33, 41, 96, 127, 128, 129, 255, 256, 440, 463, 464, 465, 480, 481, 511, 512, 513,
];
const lengths = [
  ...small,
  560,
  592,
  593,
  600,
  720,
  848,
  849,
  976,
  977,
  1024,
  1100,
  1500,
  4095,
  4096,
  4097,
  70_000,
];
const made: Record<string, (length: number, turn: number) => unknown> = {
  'a text': (length, turn) =>
    String.fromCharCode(97 + turn, 0xff - turn)
      .repeat(length)
      .slice(0, length),
  bytes: (length, turn) => Buffer.alloc(length, 1 + turn),
  'a Uint8Array amid others': (length, turn) => new Uint8Array(length + 9).fill(turn).subarray(3, 3 + length),
  'an array': (length, turn) => new Float64Array(Math.floor(length / 8)).fill(turn + 0.5),
  'an object': (length, turn) => ({ turn, text: 'x'.repeat(length), after: [turn] }),
};
for (const [what, make] of Object.entries(made)) {
  test(`${what} of any length is put in place of one of the same size`, (t) => {
    const its = setUp(t, 1 << 20);
    const { native, table, number, set } = its;
    const words = new Uint32Array(binding.dictBuffer(native));
    set('behind', 'and this stays');
    for (const length of lengths) {
      for (const turn of [0, 1]) set('key', make(length, turn));
      const { used } = binding.dictFill(native);
      const top = words[TOP];
      for (const turn of [2, 3, 4]) {
        const value = make(length, turn);
        const version = words[LAYOUT.version]!;
        t.is(replaceLong(its, 'key', value), IN_ORDER, `${length}`);
        if (!IN_ORDER) set('key', value);
        t.is(words[LAYOUT.version], version + 2);
        t.deepEqual(bytesOf(decode(calls.get(number, 'key', scratch))), bytesOf(value));
        t.deepEqual(bytesOf(table.get('key') === Unsure ? value : table.get('key')), bytesOf(value));
        t.is(calls.get(number, 'behind', scratch), 'and this stays');
        t.is(binding.dictFill(native).used, used);
        t.is(words[TOP], top);
      }
      calls.delete(number, 'key');
    }
    t.false(table.replaceText('behind', 'x'.repeat(400)), 'a larger block');
    t.false(table.replaceText('behind', 'é日'), 'what is not Latin-1');
    t.false(table.replaceText('nowhere', 'and this stays'));
    for (const key of ['', 'ü', 'x'.repeat(65)]) t.false(table.replaceText(key, 'and this stays'));
  });
}

function bytesOf(value: unknown): Uint8Array {
  if (!ArrayBuffer.isView(value)) return new TextEncoder().encode(JSON.stringify(value));
  return new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength);
}

test('what no double can be stored as, and what is damaged, is left to Rust', (t) => {
  const its = setUp(t);
  const { native, table, set } = its;
  const words = new Uint32Array(binding.dictBuffer(native));
  const versions = [
    0x7fef_fffc, 0x7fef_fffe, 0x7fff_fffc, 0x7fff_fffe, 0xffef_fffe, 0xffff_fffc, 0xffff_fffe, 7,
  ];
  for (const key of ['a', 'b']) set(key, 'text');
  set('a', 'other');
  for (const version of versions) {
    const isOurs = IN_ORDER && [0x7fef_fffc, 0x7fff_fffe].includes(version);
    words[LAYOUT.version] = version;
    t.is(replace(its, 'a', 'third'), isOurs, version.toString(16));
    t.is(words[LAYOUT.version], isOurs ? version + 2 : version);
    calls.set_staged();
    t.is(table.get('a'), 'third');
  }
  const first = LAYOUT.free; // records of one letter and a short text are in the smallest blocks, of 32 bytes
  const block = words[first]!;
  t.true(block >= LAYOUT.blocks);
  for (const damage of [0, 8, 64, block + 8, 2 ** 31, 2 ** 32 - 32]) {
    words[first] = damage;
    t.false(replace(its, 'a', 'fourth'), `${damage}`);
  }
  words[first] = block;
  for (const word of [first + 1, block / 4 + 1]) {
    words[word] = 1;
    t.false(replace(its, 'a', 'fourth'));
    words[word] = 0;
  }
  t.is(replace(its, 'a', 'fourth'), IN_ORDER);
  t.is(table.get('b'), 'text');
});

test('a death at any store of a replacement leaves the old text or the new one, and no block is lost', (t) => {
  const its = setUp(t);
  const { native, number, set } = its;
  const keys = Array.from({ length: 20 }, (_, i) => `key ${i}`);
  for (const text of ['first', 'older']) for (const key of keys) set(key, text);
  const words = new Uint32Array(binding.dictBuffer(native));
  const before = words.slice();
  const { used } = binding.dictFill(native);
  if (!replace(its, 'key 7', 'newer')) return void t.false(IN_ORDER);
  const after = words.slice();
  const changed = [...after.keys()].filter((at) => after[at] !== before[at]);
  // A slot's two words are stored at once.
  const slot = changed.filter((at) => at < LAYOUT.blocks / 4 && at >= 4096 / 4);
  t.is(slot.length, 2);
  const old = before[slot[0]!]! * 4;
  const others = changed.filter((at) => at !== LAYOUT.version && !slot.includes(at));
  t.true(others.includes(old) && others.length > 5);
  for (let round = 0; round < 1000; round++) {
    words.set(before);
    const isNew = round % 2 === 1;
    // Whatever was stored but for two things: the slot's word comes after the new record, and the old one goes after it.
    for (const at of others) {
      const isOld = at === old || at === old + 1;
      const isRecord = at >= LAYOUT.blocks / 4 && !isOld;
      if (isNew ? isRecord || Math.random() < 0.5 : !isOld && Math.random() < 0.5) words[at] = after[at]!;
    }
    if (isNew) for (const at of slot) words[at] = after[at]!;
    words[LAYOUT.version] = before[LAYOUT.version]! + 1;
    binding.dictRecover(native);
    for (const key of keys) {
      const text = calls.get(number, key, Buffer.alloc(16));
      if (text !== (isNew && key === 'key 7' ? 'newer' : 'older')) t.fail(`${key} is ${String(text)}`);
    }
    if (round % 100 < 2) t.is(binding.dictFill(native).used, used);
  }
});

test('a script that is ended amid replacements leaves whole texts, and no block is lost', (t) => {
  using dict = SharedDict.create<string>({ name: freshName(t) });
  t.teardown(() => dict.unlink());
  const keys = Array.from({ length: 8 }, (_, i) => `a key of some length, ${i}`);
  const texts = ['a', 'b', 'c'].map((letter) => letter.repeat(100));
  for (const text of texts) for (const key of keys) dict.set(key, text);
  const used = (): number => (dict as unknown as { fill: binding.DictFill }).fill.used;
  const before = used();
  const context = vm.createContext({ dict, keys, texts });
  const forever = 'for (let i = 0; ; i++) dict.set(keys[i % 8], texts[i % 3]);';
  for (let round = 0; round < 60; round++) {
    t.throws(() => vm.runInContext(forever, context, { timeout: 2 + (round % 4) }), { any: true });
    for (const key of keys) {
      const text = dict.get(key);
      if (!texts.includes(text!)) t.fail(`${key} is ${text}`);
    }
    // With the lock again, and with blocks as they come.
    for (const key of keys) dict.set(key, texts[round % 3]!);
    t.is(used(), before);
  }
});

test('a script that is ended amid assign() leaves all of it or nothing', (t) => {
  using dict = SharedDict.create<string>({ name: freshName(t) });
  using other = SharedDict.attach<string>(dict.name);
  t.teardown(() => dict.unlink());
  const names = Array.from({ length: 100 }, (_, i) => `key ${i}`);
  const all = (text: string): [string, string][] => names.map((name) => [name, text.repeat(100)]);
  const context = vm.createContext({ dict, given: [...'abc'].map(all) });
  dict.assign(all('x'));
  for (let round = 0; round < 60; round++) {
    const forever = 'for (let i = 0; ; i++) dict.assign(given[i % 3]);';
    t.throws(() => vm.runInContext(forever, context, { timeout: 2 + (round % 4) }), { any: true });
    // Whichever handle comes next, what was staged is not part of what this one assigns.
    if (round % 2 === 0) other.set('other', 'y'.repeat(100));
    dict.assign([['another', 'z'.repeat(100)]]);
    if (new Set(names.map((name) => dict.get(name))).size !== 1) t.fail(`parts of it at ${round}`);
  }
  dict.assign(all('x'));
  t.is(dict.size, names.length + 2);
});

test('a script that was ended while the runtime loaded its clock leaves waits as they are', (t) => {
  const clock = Object.getOwnPropertyDescriptor(globalThis, 'performance')!;
  Object.defineProperty(globalThis, 'performance', { value: undefined, configurable: true });
  try {
    t.is(
      waits.block(1, () => undefined),
      undefined,
    );
  } finally {
    Object.defineProperty(globalThis, 'performance', clock);
  }
});

test('who is ended once he has the lock, however he got it, leaves it as he said beforehand', (t) => {
  const { native } = setUp(t);
  const lock = Lock.of(binding.dictLock(native), 'dict');
  const owner = { readers: 0, closed: false };
  t.teardown(() => lock.close(owner));
  const hold = (left?: Left): Hold => ({ owner, reading: false, left });
  t.true(lock.tryTake(hold('inconsistent')));
  for (let i = 0; i < 2; i++)
    t.true(lock.lockSync(hold('inconsistent'), 0, undefined), 'it is to be checked');
  const last = hold();
  t.true(lock.lockSync(last, 0, undefined));
  t.throws(() => lock.lockSync(hold('inconsistent'), 0, undefined), { code: 'ERR_SHM_DEADLOCK' });
  lock.unlock(last, 'consistent');
});

for (const [where, step, values] of [
  ['before a number is written over another one', 'before', [1]],
  ['while it is', 'after', [1]],
  ['once it was, with the lock', 'unlock', [2]],
] as const) {
  test(`a death ${where}`, (t) => {
    using dict = SharedDict.create<number>({ name: freshName(t) });
    t.teardown(() => dict.unlink());
    dict.assign({ key: 1, other: 1 });
    const script = `
      import { SharedDict } from 'shmkit';
      const dict = SharedDict.attach('${dict.name}');
      const { load, compareExchange } = Atomics;
      const die = () => process.kill(process.pid, 'SIGKILL');
      dict.set('other', 2);
      Atomics.load = (...given) => {
        // Of the version, once it is odd.
        const isIt = given[1] === ${LAYOUT.version};
        if (isIt && '${step}' === 'before') die();
        const word = load(...given);
        if (isIt && '${step}' === 'after') die();
        return word;
      };
      Atomics.compareExchange = (...given) => {
        // Of the lock's word, to give it back.
        if ('${step}' === 'unlock' && given[3] === 0) die();
        return compareExchange(...given);
      };
      dict.set('key', 2);`;
    const { signal } = spawnSync(process.execPath, ['--input-type=module', '-e', script]);
    // Elsewhere numbers are Rust's to write over, whose steps its own tests know.
    const died = IN_ORDER || step === 'unlock';
    t.is(signal, died ? 'SIGKILL' : null);
    t.true((died ? values : [2]).includes(dict.get('key') as never));
    t.is(dict.get('other'), 2);
    t.is(dict.increment('key', 10), (died ? values[0] : 2) + 10);
    t.is(dict.size, 2);
  });
}

test('a dict that has grown is followed', (t) => {
  const { table, set } = setUp(t, 8192);
  for (let i = 0; i < 20_000; i++) set(`key ${i}`, i);
  let unsure = 0;
  for (let i = 0; i < 20_000; i++) {
    const value = table.get(`key ${i}`);
    if (value === Unsure) unsure++;
    else if (value !== i) t.fail(`key ${i} is ${String(value)}`);
  }
  t.is(unsure, 1);
});

test('a closed one leaves everything to Rust', (t) => {
  const { native, table, set } = setUp(t);
  set('key', 1);
  const buffer = table.close();
  t.is(table.get('key'), Unsure);
  t.is(table.has('key'), undefined);
  binding.closeDict(native, buffer);
  t.is(buffer.byteLength, 0);
});
