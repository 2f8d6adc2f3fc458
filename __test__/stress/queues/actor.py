"""Does what actor.js does: `NAME SEED ROLE ROW`. It also pushes and takes several items at a time; its row says how many."""

import random
import sys
import time

import numpy as np
import shmkit

FIRST, AREA = 1 << 22, 1 << 15
DONE, PENDING, TAKEN = 1, 2, 3
OUTSIDE, TRIES, HOLDS, RELEASES = range(4)


def area_at(row):
    return 0 if row == 0 else FIRST + (row - 1) * AREA


name, seed, role, row = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
chance = random.Random(seed)
state = np.asarray(shmkit.SharedMemory.attach(f"{name}-state")).view(np.int32)
got = np.asarray(shmkit.SharedMemory.attach(f"{name}-got"))
queue = shmkit.SharedQueue.attach(name)
at = 16 + row * 16
limit = area_at(row + 1) - area_at(row) - 1
INDEX = np.arange(2, queue.shape[0], dtype=np.uint32)


def say(what, pending=1):
    state[at + PENDING] = pending
    state[at] = what


def mixed(source, seq):
    return (np.uint32((source * 65537 + seq) & 0xFFFFFFFF) * (np.uint32(0x9E3779B1) + INDEX)).astype(np.uint32)


def item(seq):
    data = np.empty(queue.shape, np.uint32)
    data[:2] = row, seq
    data[2:] = mixed(row, seq)
    return data


def dawdle():
    if chance.randrange(4) == 0:
        time.sleep(chance.randrange(3) / 1000)


done = 0


def pushed(count=1):
    global done
    done += count
    state[at + DONE] = done
    say(OUTSIDE)


def push_within():
    try:
        queue.push(item(done), chance.randrange(3) / 1000)
        pushed()
    except TimeoutError:
        say(OUTSIDE)


def push_many():
    count = chance.randrange(1, 9)
    say(TRIES, count)
    try:
        queue.push_many(np.stack([item(done + n) for n in range(count)]), chance.choice((None, 0.002)))
        pushed(count)
    except (TimeoutError, shmkit.ShmError) as error:
        pushed(error.pushed)
        if not isinstance(error, TimeoutError):
            raise


def claim(slot):
    if slot is None:
        return say(OUTSIDE)
    say(HOLDS)
    slot.data[:] = item(done)
    dawdle()
    say(RELEASES)
    if chance.randrange(8) == 0:
        slot.release()
        return say(OUTSIDE)
    slot.commit()
    pushed()


def count(data):
    """From here on the item counts as taken."""
    source, seq = int(data[0]), int(data[1])
    if not (data[2:] == mixed(source, seq)).all():
        raise ValueError(f"an item of {source} is torn: {data[:8]}")
    if got[area_at(source) + seq] != 0:
        raise ValueError(f"item {seq} of {source} came twice")
    got[area_at(source) + seq] = 1
    state[at + TAKEN] += 1


over = False


def popped(data):
    global over
    if data is None:
        over = queue.ended and len(queue) == 0
    else:
        count(data)
    say(OUTSIDE)


def pop_within():
    try:
        popped(queue.pop(chance.randrange(3) / 1000))
    except TimeoutError:
        say(OUTSIDE)


def pop_many():
    many = chance.randrange(1, 9)
    say(TRIES, many)
    data = queue.pop_many(many)
    if data is None:
        return popped(None)
    for left, each in enumerate(data):
        count(each)
        state[at + PENDING] = len(data) - left
    say(OUTSIDE)


def take(slot):
    if slot is None:
        return popped(None)
    with slot:
        say(HOLDS)
        if chance.randrange(2) == 0:
            dawdle()
        count(slot.data)
        if chance.randrange(2) == 0:
            dawdle()
        say(RELEASES)
    say(OUTSIDE)


produce = [
    lambda: pushed() if queue.try_push(item(done)) else say(OUTSIDE),
    lambda: (queue.push(item(done)), pushed()),
    push_within,
    push_many,
    lambda: claim(queue.try_claim()),
    lambda: claim(queue.claim()),
]
consume = [
    lambda: popped(queue.try_pop()),
    lambda: popped(queue.pop()),
    pop_within,
    pop_many,
    lambda: take(queue.try_take()),
    lambda: take(queue.take()),
]
print("ready", flush=True)
ways = produce if role == "producer" else consume
try:
    while not over and done < limit - 8:
        way = chance.choice(ways)
        for _ in range(chance.randrange(1, 51)):
            if over or done >= limit - 8:
                break
            say(TRIES)
            way()
            if done > limit / 2:
                time.sleep(0.001)
except shmkit.ShmError as error:
    if error.code != "ERR_SHM_ENDED":
        raise
say(OUTSIDE)
queue.close()
