import * as binding from '#binding';
import { closedError, isOverflow, shmError } from '../common/errors.js';
import { load } from '../common/memory-order.js';
import { block, Spinner, settleWait, startWait, timeoutError, Waiter } from './waits.js';

/** @internal */
export type NativeLock = ReturnType<typeof binding.attachMutex>;

const {
  word: WORD,
  read: READ,
  used: USED,
  slots: SLOTS,
  slot: SLOT,
  inBuffer: IN_BUFFER,
  reading: READING,
  awaited: AWAITED,
  looking: LOOKING,
  inconsistent: INCONSISTENT,
  owner: OWNER,
} = binding.lockConstants();
/** For so many looks an owner gives way to one who looks for the lock, and who says so after every so many looks. */
const GIVING_WAY = 50;
const IMPATIENT = 4;
/** What `words` is when there are none. */
const NONE = new Int32Array(0);

/** @internal A handle, whose close() ends what was taken through it. */
export interface Owner {
  /** Of its acquisitions, those that read. */
  readers: number;
  closed: boolean;
}

/** @internal One acquisition. */
export interface Hold {
  readonly owner: Owner;
  reading: boolean;
  /**
   * How it is left, said before `unlock` is called, or before the lock is asked for by one during whose acts nobody else does:
   * there may be no stack left for the call, or the script is ended. Whoever wants the lock next in this environment calls it
   * then.
   */
  left: Left | undefined;
}
const CLOSED: Hold = { owner: { readers: 0, closed: true }, reading: false, left: undefined };

/** @internal How a writer leaves what the lock guards. */
export type Left = 'consistent' | 'inconsistent' | 'as-found';

interface Queued {
  readonly hold: Hold;
  readonly write: boolean;
  readonly waiter: Waiter<boolean>;
}

/** Locks that are open in this environment, which is one participant of each. */
const open = new Map<string, WeakRef<Lock>>();
const forgotten = new FinalizationRegistry<string>((id) => {
  if (open.get(id)?.deref() === undefined) open.delete(id);
});

/**
 * @internal
 * A lock as this environment takes part in it: one writes, or many read. The uncontended steps are one atomic
 * operation each on the mapped words (`sync/word/` in the engine has the protocol); sleeping, waking and telling who
 * is dead is the engine's.
 *
 * Promises queue here, in order; only the first of them contends with other processes.
 */
export class Lock {
  readonly name: string;
  readonly id: string;
  readonly native: NativeLock;
  readonly #buffer: ArrayBuffer;
  #words: Int32Array;
  readonly #me: number;
  readonly #readingAt: number;
  /** Who writes. */
  #held: Hold | undefined;
  /** How many read. */
  #readers = 0;
  /** Who they are. */
  readonly #reading: Hold[] = [];
  #announced = false;
  readonly #spinner = new Spinner();
  readonly #queue: Queued[] = [];
  /** The wait of the first in the queue. */
  #wait: number | undefined;
  #users = 1;

  private constructor(native: NativeLock, name: string, { id, me, readingAt }: binding.LockFacts) {
    this.name = name;
    this.id = id;
    this.native = native;
    this.#me = me | 0;
    this.#readingAt = readingAt;
    this.#buffer = binding.lockBuffer(native);
    this.#words = new Int32Array(this.#buffer);
  }

  /** The lock of this native handle, as one to be called `name`; one for all handles of an environment. */
  static of(native: NativeLock, name?: string): Lock {
    const facts = binding.lockFacts(native);
    const known = open.get(facts.id)?.deref();
    if (known !== undefined) {
      binding.closeLock(native, new ArrayBuffer(0));
      known.#users++;
      return known;
    }
    const lock = new Lock(native, name ?? facts.name, facts);
    open.set(facts.id, new WeakRef(lock));
    forgotten.register(lock, facts.id, lock);
    return lock;
  }

  // ---- writing

  /** Takes the lock in one step, where all is well and nobody reads. */
  tryTake(hold: Hold): boolean {
    if (this.#held !== undefined || this.#readers !== 0) return false;
    if (Atomics.compareExchange(this.#words, WORD, 0, this.#me) !== 0) return false;
    if (this.#isRead()) {
      binding.unlock(this.native, 'as-found');
      return false;
    }
    this.#held = hold;
    return true;
  }

  /** Lets go for holders who have, and whose calls came to nothing. */
  #finishEarlier(): void {
    if (this.#held?.left !== undefined) this.unlock(this.#held, this.#held.left);
    if (this.#readers === 0) return;
    for (const hold of this.#reading.filter(({ left }) => left !== undefined)) this.unlockRead(hold);
  }

  /** Blocks until `hold` has the lock; whether what it guards has to be checked. */
  lockSync(hold: Hold, timeout: number, spin: number | undefined): boolean {
    if (this.tryTake(hold)) return false;
    this.#finishEarlier();
    this.#checkFree(true);
    return this.#block(hold, true, timeout, spin);
  }

  /** Takes it if that takes no waiting; undefined if it does. */
  tryLock(hold: Hold): boolean | undefined {
    if (this.#held === CLOSED) throw closedError(this.name);
    this.#finishEarlier();
    if (this.#held !== undefined || this.#readers > 0) return undefined;
    if (this.tryTake(hold)) return false;
    try {
      this.#cleanUp();
      const status = this.#interrupt() || binding.tryLock(this.native, 'write');
      return status === 0 ? undefined : this.#grant(hold, true, status);
    } finally {
      this.#next();
    }
  }

  /** Lets go of it, if `hold` has it. */
  unlock(hold: Hold, left: Left): void {
    if (this.#held !== hold) return;
    hold.left = left;
    try {
      if (left !== 'consistent' || !this.#free()) binding.unlock(this.native, left);
      this.#held = undefined;
    } catch (error) {
      // It is had still where there was no stack for it, and else lost.
      if (!isOverflow(error)) this.#held = undefined;
      throw error;
    } finally {
      if (this.#held === undefined && this.#queue.length > 0) this.#next();
    }
  }

  /** Where nobody is to be woken and nothing to be said. */
  #free(): boolean {
    const words = this.#words;
    const me = this.#me;
    const was = Atomics.compareExchange(words, WORD, me, 0);
    if (was === me) return true;
    if (was !== (me | LOOKING) || Atomics.compareExchange(words, WORD, was, 0) !== was) return false;
    // Said before the loop, in which a script may be ended.
    this.#held = undefined;
    // Whoever looks for it gets it, where it would be taken again before he sees it free.
    for (let i = 0; i < GIVING_WAY && Atomics.load(words, WORD) === 0; i++);
    return true;
  }

  // ---- reading

  /** Blocks until `hold` reads; whether what the lock guards has to be checked. */
  readSync(hold: Hold, timeout: number, spin: number | undefined): boolean {
    this.#finishEarlier();
    if (this.#held === undefined) {
      // Beside one who reads here already: to wait for somebody who waits for that one would be for ever.
      if (this.#readers > 0) return this.#grant(hold, false, this.#beside());
      // A promise's wait may have got it already, and the same word would be given back twice.
      if (this.#wait === undefined && this.#enter()) return this.#grant(hold, false, 1);
    }
    this.#checkFree(false);
    return this.#block(hold, false, timeout, spin);
  }

  /** Reads no more. */
  unlockRead(hold: Hold): void {
    if (!hold.reading || hold.owner.readers === 0) return;
    hold.left = 'as-found';
    if (this.#readers === 1) this.#leave(); // the calls first: where there is no stack for one, all is made again
    hold.reading = false;
    hold.owner.readers--;
    this.#readers--;
    const at = this.#reading.indexOf(hold);
    const last = this.#reading.pop();
    if (at >= 0 && last !== undefined && last !== hold) this.#reading[at] = last;
    if (this.#readers === 0 && this.#queue.length > 0) this.#next();
  }

  /** As `binding.tryLock`, for one more beside those who read here. */
  #beside(): number {
    return Atomics.load(this.#words, WORD) & INCONSISTENT ? 2 : 1;
  }

  #enter(): boolean {
    if (this.#readingAt < 0) return false;
    if (!this.#announced) {
      binding.announceReader(this.native);
      this.#announced = true;
    }
    Atomics.exchange(this.#words, this.#readingAt, READING);
    if (Atomics.load(this.#words, WORD) === 0) return true;
    this.#leave();
    return false;
  }

  /** Nobody reads here any more. No harm where nobody did. */
  #leave(): void {
    if (this.#readingAt < 0) return binding.unlockRead(this.native);
    const words = this.#words;
    if (Atomics.compareExchange(words, this.#readingAt, READING, 0) === READING) return;
    if (Atomics.exchange(words, this.#readingAt, 0) & AWAITED) binding.wakeWriters(this.native);
  }

  // ---- waiting

  /** A promise for the same, in order with the others of this environment. */
  wait(hold: Hold, write: boolean, timeout: number, signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#held === CLOSED) throw closedError(this.name);
    signal?.throwIfAborted();
    this.#finishEarlier();
    if (this.#queue.length === 0) {
      const status = this.#tryOnce(write);
      if (status !== 0) return Promise.resolve(this.#grant(hold, write, status));
    }
    if (timeout === 0) throw timeoutError(this.name, 0);
    const waiter = new Waiter<boolean>(this.name, timeout, signal, () => this.#withdraw(queued));
    const queued: Queued = { hold, write, waiter };
    this.#queue.push(queued);
    this.#next();
    return waiter.promise;
  }

  /** As `binding.tryLock`, where nobody of this environment is in the way. */
  #tryOnce(write: boolean): number {
    if (this.#held !== undefined) return 0;
    if (this.#readers > 0) {
      // Others who wait to write go first, or they would wait for as long as one comes after the other here.
      const isFree = (Atomics.load(this.#words, WORD) & ~INCONSISTENT) === 0;
      return !write && isFree ? this.#beside() : 0;
    }
    return binding.tryLock(this.native, write ? 'write' : 'read');
  }

  /** Grants what can be granted to the first ones in the queue. */
  #next(): void {
    while (this.#wait === undefined) {
      const first = this.#queue[0];
      if (first === undefined || this.#held !== undefined) return;
      const { hold, write, waiter } = first;
      try {
        const status = this.#tryOnce(write);
        if (status === 0) {
          if (this.#readers === 0) this.#contend(write);
          return;
        }
        this.#queue.shift();
        waiter.resolve(this.#grant(hold, write, status));
      } catch (error) {
        this.#queue.shift();
        waiter.reject(error);
      }
    }
  }

  /** Waits on behalf of the first in the queue, elsewhere. */
  #contend(write: boolean): void {
    const { native } = this;
    this.#wait = startWait(
      (threads, id) => binding.startLockWait(threads, id, native, write ? 'write' : 'read'),
      () => this.#over(),
    );
  }

  #over(): void {
    const id = this.#wait as number;
    this.#wait = undefined;
    const first = this.#queue.shift() as Queued;
    try {
      first.waiter.resolve(this.#grant(first.hold, first.write, settleWait(id)));
    } catch (error) {
      first.waiter.reject(error);
    }
    this.#next();
  }

  /** Calls off the wait of the first in the queue; what it has got already, as `binding.tryLock` says it. */
  #settle(): number {
    const id = this.#wait;
    this.#wait = undefined;
    if (id === undefined) return 0;
    try {
      return settleWait(id);
    } catch (error) {
      // It is the first one's error, not that of whoever calls it off.
      this.#queue.shift()?.waiter.reject(error);
      return 0;
    }
  }

  /** For a caller who cannot wait for the event loop, and so goes before those who can. */
  #interrupt(): number {
    const status = this.#settle();
    if (status === 0 || this.#queue[0]?.write) return status;
    this.#giveBack(false);
    return 0;
  }

  #withdraw(queued: Queued): void {
    if (this.#queue[0] === queued && this.#settle() !== 0) this.#giveBack(queued.write);
    const at = this.#queue.indexOf(queued);
    if (at >= 0) this.#queue.splice(at, 1);
    this.#next();
  }

  /** Lets go of what a wait got that nobody wants any more. */
  #giveBack(write: boolean): void {
    if (write) binding.unlock(this.native, 'as-found');
    else if (this.#readers === 0) binding.unlockRead(this.native);
  }

  #grant(hold: Hold, write: boolean, status: number): boolean {
    if (write) {
      this.#held = hold;
    } else {
      if (this.#readers === 0) this.#reading.length = 0;
      this.#reading.push(hold);
      hold.reading = true;
      hold.owner.readers++;
      this.#readers++;
    }
    return status === 2;
  }

  #checkFree(write: boolean): void {
    if (this.#held === CLOSED) throw closedError(this.name);
    if (this.#held !== undefined || (write && this.#readers > 0)) {
      throw shmError(
        'ERR_SHM_DEADLOCK',
        `this thread has '${this.name}' locked already, and would wait for itself: unlock it, or end the txn, first; or ` +
          'await lock() or txn()',
        this.name,
      );
    }
  }

  #block(hold: Hold, write: boolean, timeout: number, spin: number | undefined): boolean {
    try {
      this.#cleanUp();
      const early = this.#interrupt();
      if (early !== 0 && write) return this.#grant(hold, true, early);
      if (early !== 0) this.#giveBack(true);
      if (timeout > 0 && this.#spin(write, spin)) {
        return this.#grant(hold, write, write && this.#isRead() ? this.#waitForReaders(timeout) : 1);
      }
      const access = write ? 'write' : 'read';
      const status =
        binding.tryLock(this.native, access) ||
        block(timeout, (slice) => binding.waitLock(this.native, access, slice) || undefined);
      if (status === undefined) {
        binding.stopWaiting(this.native);
        throw timeoutError(this.name, timeout);
      }
      return this.#grant(hold, write, status);
    } finally {
      this.#next();
    }
  }

  /** Looks at the word until it is free, so that no sleep and no wake-up is needed; whether it was. */
  #spin(write: boolean, spin: number | undefined): boolean {
    const words = this.#words;
    return this.#spinner.spin(spin, (count) => {
      const seen = Atomics.load(words, WORD);
      if (seen !== 0) {
        if (count % IMPATIENT === 0) Atomics.compareExchange(words, WORD, seen, seen | LOOKING);
        return false;
      }
      return write ? Atomics.compareExchange(words, WORD, 0, this.#me) === 0 : this.#enter();
    });
  }

  /**
   * What an earlier call left that V8 cut short (a script's time limit, Ctrl-C in the REPL): no `finally` runs then. Or the end
   * of the stack, before it was written down who has it.
   */
  #cleanUp(): void {
    if (this.#wait !== undefined) return;
    binding.stopWaiting(this.native);
    if ((Atomics.load(this.#words, WORD) & OWNER) === this.#me) binding.unlock(this.native, 'as-found');
    if (this.#readers === 0 && this.#announced) this.#leave();
  }

  /** For one who has the word, when there may be some who read; as `binding.tryLock`. */
  #waitForReaders(timeout: number): number {
    const wait = (slice: number): number | undefined =>
      binding.waitLock(this.native, 'readers', slice) || undefined;
    try {
      const status = wait(0) ?? block(timeout, wait);
      if (status !== undefined) return status;
      throw timeoutError(this.name, timeout);
    } catch (error) {
      binding.stopWaiting(this.native);
      throw error;
    }
  }

  /** Whether somebody reads, or may, for one who has the word: who comes later sees that. */
  #isRead(): boolean {
    const words = this.#words;
    // After the exchange that took the word, which nothing that follows comes before.
    if (load(words, READ) === 0) return false;
    const used = Atomics.load(words, USED);
    if (used < 0 || used > IN_BUFFER) return true;
    for (let slot = 0, at = SLOTS; slot < used; slot++, at += SLOT) {
      if (Atomics.load(words, at) !== 0) return true;
    }
    return false;
  }

  // ---- the end

  /** A handle is closed: what was taken through it is let go of, and who waited through it does not any more. */
  close(owner: Owner): void {
    owner.closed = true;
    if (this.#held === CLOSED) return;
    const [first] = this.#queue;
    if (first?.hold.owner === owner && this.#settle() !== 0) this.#giveBack(first.write);
    for (const queued of this.#queue.splice(0)) {
      if (queued.hold.owner !== owner) this.#queue.push(queued);
      else queued.waiter.reject(closedError(this.name));
    }
    if (owner.readers > 0) {
      this.#readers -= owner.readers;
      owner.readers = 0;
      if (this.#readers === 0) {
        this.#leave();
        if (this.#queue.length > 0) this.#next();
      }
    }
    try {
      if (this.#held?.owner === owner) this.unlock(this.#held, 'inconsistent');
    } catch {
      // It was lost before, and there is nothing to let go of.
    }
    if (--this.#users > 0) return this.#next();
    open.delete(this.id);
    forgotten.unregister(this);
    this.#held = CLOSED;
    this.#words = NONE;
    binding.closeLock(this.native, this.#buffer);
  }
}
