"""Does what checksum.js does, by batches and one by one: `NAME producer INDEX COUNT` or `NAME consumer PRODUCERS CONSUMERS`."""

import json
import sys

import numpy as np
import shmkit

ITEMS = 512
FACTOR = np.uint32(0x9E3779B1)
INDEX = np.arange(16, dtype=np.int32)


class Sums:
    def __init__(self):
        self.count = self.sum = 0
        self.mixed = np.zeros(1, np.uint32)
        self.last = {}

    def add(self, items, in_order):
        """Checks that each is whole, and adds them."""
        source, seq = items[:, 0], items[:, 1]
        mixed = (source * np.int32(7919) + seq).astype(np.uint32) * FACTOR
        expected = mixed.view(np.int32)[:, None] ^ INDEX[2:]
        if not (items[:, 2:] == expected).all():
            raise ValueError(f"an item of {set(source)} is torn")
        if in_order:
            for each in np.unique(source).tolist():
                numbers = seq[source == each]
                first = self.last.get(each, -1) + 1
                if not (numbers == np.arange(first, first + len(numbers))).all():
                    raise ValueError(f"{numbers} after {first - 1}")
                self.last[each] = int(numbers[-1])
        self.count += len(items)
        self.sum += int(seq.sum(dtype=np.int64))
        self.mixed += (mixed * (seq | 1).astype(np.uint32)).sum(dtype=np.uint32)

    def told(self):
        return json.dumps({"count": self.count, "sum": self.sum, "mixed": int(self.mixed.view(np.int32)[0])})


def make(source, first, count):
    items = np.empty((count, 16), np.int32)
    items[:, 0] = source
    items[:, 1] = np.arange(first, first + count)
    mixed = (np.uint32(source * 7919) + items[:, 1].astype(np.uint32)) * FACTOR
    items[:, 2:] = mixed.view(np.int32)[:, None] ^ INDEX[2:]
    return items


def produce(queue, sums, source, count):
    seq = turn = 0
    while seq < count:
        turn += 1
        way = {1: "push", 2: "claim"}.get(turn % 100)
        items = make(source, seq, 1 if way else min(ITEMS, count - seq))
        if way == "push":
            queue.push(items[0])
        elif way == "claim":
            with queue.claim() as slot:
                slot.data[:] = items[0]
        else:
            queue.push_many(items)
        seq += len(items)
        sums.add(items, False)


def consume(queue, sums, producers, consumers):
    in_order = consumers == 1
    for turn, items in enumerate(queue.batches(ITEMS)):
        sums.add(items, in_order)
        if turn % 100 == 0:
            item = queue.pop()
            if item is None:
                return
            sums.add(item[None], in_order)
            slot = queue.take()
            if slot is None:
                return
            with slot:
                sums.add(slot.data[None], in_order)


if __name__ == "__main__":
    name, role, *numbers = sys.argv[1:]
    sums = Sums()
    with shmkit.SharedQueue.attach(name) as queue:
        (produce if role == "producer" else consume)(queue, sums, *map(int, numbers))
    print(sums.told())
