//! The ring of a queue, run through every order of its steps that few preemptions allow. Waiters never wake by
//! themselves here, so a wake-up that is lost is a deadlock, and whoever touches an item beside another one is reported.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use crate::model::{LONG, Model, explore};
use shmkit::ring::queue::protocol::{
    self, CLAIMED, Damaged, FREE, FULL, Field, Found, LAP_AT, OWNER_AT, QueueMemory, SKIP, Shape, Side, TAKEN,
};
use shmkit::sync::word::Word;

/// Where an item is.
struct Item(UnsafeCell<u32>);

// SAFETY: loom's threads take turns on one real one, and it reports those that the ring does not keep apart.
unsafe impl Sync for Item {}
// SAFETY: a number.
unsafe impl Send for Item {}

struct Queue {
    shape: Shape,
    words: Vec<Arc<Model>>,
    slots: Vec<Arc<Model>>,
    items: Vec<Item>,
}

impl QueueMemory for Queue {
    type Word = Model;

    fn shape(&self) -> Shape {
        self.shape
    }

    fn word(&self, field: Field) -> Option<&Model> {
        let at = match field {
            Field::Tail => 0,
            Field::Head => 1,
            Field::Ended => 2,
            Field::Items => 3,
            Field::Room => 4,
            Field::Lost => 5,
            Field::Recoverer => 6,
            Field::JournalSlot => 7,
            Field::JournalWord => 8,
            Field::JournalLost => 9,
            Field::Producer => 10,
            Field::Consumer => 11,
            Field::Slot(index) => return self.slots.get(index as usize).map(|it| &**it),
        };
        Some(&self.words[at])
    }
}

fn slot(lap: u32, owner: u32, state: u32) -> u32 {
    lap << LAP_AT | owner << OWNER_AT | state
}

impl Queue {
    fn new(slots: u32) -> Arc<Self> {
        Self::with(&vec![slot(0, 0, FREE); slots as usize], &[])
    }

    /// As somebody left it.
    fn with(slots: &[u32], words: &[(Field, u32)]) -> Arc<Self> {
        let value = |field| words.iter().find(|(it, _)| *it == field).map_or(0, |(_, value)| *value);
        let fields = [
            Field::Tail,
            Field::Head,
            Field::Ended,
            Field::Items,
            Field::Room,
            Field::Lost,
            Field::Recoverer,
            Field::JournalSlot,
            Field::JournalWord,
            Field::JournalLost,
            Field::Producer,
            Field::Consumer,
        ];
        Arc::new(Queue {
            shape: Shape::new(slots.len() as u32),
            words: fields.map(|field| Model::new(value(field))).into(),
            slots: slots.iter().map(|word| Model::new(*word)).collect(),
            items: slots.iter().map(|_| Item(UnsafeCell::new(0))).collect(),
        })
    }

    fn get(&self, field: Field) -> u32 {
        self.word(field).expect("a word").load()
    }

    fn at(&self, position: u32) -> &UnsafeCell<u32> {
        &self.items[self.shape.index(position) as usize].0
    }

    /// Until there is something to be done at that side, as `QueueWait` has it; of numbers in `dead` nobody lives.
    fn wait(&self, side: Side, me: u32, dead: &[u32]) {
        let announced = protocol::announce(self, side).expect("whole");
        if let Found::Nothing(in_the_way) = protocol::peek(self, side).expect("whole") {
            if let Some(seen) = in_the_way
                && self.recover(me, seen, dead)
            {
                return;
            }
            protocol::sleep(self, side, announced, LONG).expect("whole");
        }
    }

    fn recover(&self, me: u32, seen: (u32, u32), dead: &[u32]) -> bool {
        protocol::recover::<_, Damaged>(self, me, seen, |owner| Ok(dead.contains(&owner))).expect("whole")
    }

    fn claim(&self, me: u32, dead: &[u32]) -> Option<u32> {
        loop {
            match protocol::claim(self, Some(me)).expect("whole") {
                Found::Position(position) => return Some(position),
                Found::Ended => return None,
                Found::Nothing(_) => self.wait(Side::Room, me, dead),
            }
        }
    }

    /// False if it has ended.
    fn push(&self, me: u32, item: u32, dead: &[u32]) -> bool {
        let Some(position) = self.claim(me, dead) else { return false };
        // SAFETY: the slot is claimed; loom checks that nobody else is here.
        self.at(position).with_mut(|it| unsafe { *it = item });
        assert!(protocol::commit(self, position, me).expect("whole"), "it was claimed");
        true
    }

    fn take(&self, me: u32, dead: &[u32]) -> Option<u32> {
        loop {
            match protocol::take(self, Some(me)).expect("whole") {
                Found::Position(position) => return Some(position),
                Found::Ended => return None,
                Found::Nothing(_) => self.wait(Side::Items, me, dead),
            }
        }
    }

    fn pop(&self, me: u32, dead: &[u32]) -> Option<u32> {
        let position = self.take(me, dead)?;
        // SAFETY: the slot is taken; loom checks that nobody writes to it.
        let item = self.at(position).with(|it| unsafe { *it });
        assert!(protocol::free(self, position, me).expect("whole"), "it was taken");
        Some(item)
    }
}

/// What one does in a thread of its own.
fn run<T: 'static>(queue: &Arc<Queue>, body: impl FnOnce(&Queue) -> T + 'static) -> thread::JoinHandle<T> {
    let queue = Arc::clone(queue);
    thread::spawn(move || body(&queue))
}

fn joined<T>(thread: thread::JoinHandle<T>) -> T {
    thread.join().expect("it went well")
}

#[test]
fn one_producer_and_one_consumer_pass_items_on_in_order() {
    explore(4, || {
        let queue = Queue::new(1);
        let producer = run(&queue, |queue| (1..=2).for_each(|item| assert!(queue.push(1, item, &[]))));
        assert_eq!([queue.pop(2, &[]), queue.pop(2, &[])], [Some(1), Some(2)]);
        joined(producer);
    });
}

#[test]
fn two_producers_and_a_consumer_lose_nothing_on_a_ring_of_two() {
    explore(2, || {
        let queue = Queue::new(2);
        let producers = [1, 2].map(|me| run(&queue, move |queue| assert!(queue.push(me, me, &[]))));
        let mut items = [queue.pop(3, &[]).expect("an item"), queue.pop(3, &[]).expect("an item")];
        items.sort_unstable();
        assert_eq!(items, [1, 2]);
        let _ = producers.map(joined);
        assert_eq!(protocol::peek(&*queue, Side::Items), Ok(Found::Nothing(None)));
    });
}

#[test]
fn a_full_ring_of_two_goes_round_between_two_producers_and_a_consumer() {
    explore(2, || {
        let queue = Queue::with(
            &[slot(0, 0, FULL), slot(0, 0, FULL)],
            &[(Field::Tail, 2), (Field::Room, protocol::WAITERS)],
        );
        let producers = [1, 2].map(|me| run(&queue, move |queue| assert!(queue.push(me, me, &[]))));
        let mut items: Vec<_> = (0..4).map(|_| queue.pop(3, &[]).expect("an item")).collect();
        items.sort_unstable();
        assert_eq!(items, [0, 0, 1, 2]);
        let _ = producers.map(joined);
    });
}

#[test]
fn two_consumers_who_sleep_both_get_one() {
    explore(2, || {
        let queue = Queue::new(2);
        let consumers = [2, 3].map(|me| run(&queue, move |queue| queue.pop(me, &[]).expect("an item")));
        assert!(queue.push(1, 10, &[]) && queue.push(1, 20, &[]));
        assert_eq!(consumers.map(joined).iter().sum::<u32>(), 30);
    });
}

/// The second slot is full before the first one: its wake-up is given in vain.
#[test]
fn items_that_are_there_in_another_order_wake_all_who_wait_for_them() {
    explore(2, || {
        let queue = Queue::new(2);
        let first = queue.claim(1, &[]).expect("room");
        let second = queue.claim(1, &[]).expect("room");
        let consumers = [2, 3].map(|me| {
            run(&queue, move |queue| {
                queue.take(me, &[]).expect("an item");
            })
        });
        assert_eq!(protocol::commit(&*queue, second, 1), Ok(true));
        assert_eq!(protocol::commit(&*queue, first, 1), Ok(true));
        let _ = consumers.map(joined);
    });
}

#[test]
fn room_that_is_there_in_another_order_wakes_all_who_wait_for_it() {
    explore(2, || {
        let queue =
            Queue::with(&[slot(0, 1, TAKEN), slot(0, 1, TAKEN)], &[(Field::Tail, 2), (Field::Head, 2)]);
        let producers = [2, 3].map(|me| {
            run(&queue, move |queue| {
                queue.claim(me, &[]).expect("room");
            })
        });
        assert_eq!(protocol::free(&*queue, 1, 1), Ok(true));
        assert_eq!(protocol::free(&*queue, 0, 1), Ok(true));
        let _ = producers.map(joined);
    });
}

#[test]
fn who_wants_no_more_hands_his_wake_up_on() {
    explore(3, || {
        let queue = Queue::new(2);
        let gives_up = run(&queue, |queue| {
            let announced = protocol::announce(queue, Side::Items).expect("whole");
            if let Ok(Found::Nothing(_)) = protocol::peek(queue, Side::Items) {
                queue.word(Field::Items).expect("a word").wait_for_a_while(announced);
            }
            protocol::pass_on(queue, Side::Items).expect("whole");
        });
        let waits = run(&queue, |queue| queue.pop(3, &[]));
        assert!(queue.push(1, 7, &[]));
        assert_eq!(joined(waits), Some(7));
        joined(gives_up);
    });
}

#[test]
fn nothing_is_left_behind_in_a_queue_that_has_ended() {
    explore(3, || {
        let queue = Queue::new(2);
        let producer = run(&queue, |queue| u32::from(queue.push(1, 1, &[])));
        let consumer = run(&queue, |queue| {
            let mut many = 0;
            while queue.pop(2, &[]).is_some() {
                many += 1;
            }
            many
        });
        protocol::end(&*queue).expect("whole");
        assert_eq!(joined(producer), joined(consumer));
    });
}

#[test]
fn who_waits_for_room_is_told_of_the_end() {
    explore(3, || {
        let queue = Queue::with(&[slot(0, 0, FULL)], &[(Field::Tail, 1)]);
        let producers = [1, 2].map(|me| run(&queue, move |queue| queue.push(me, 1, &[])));
        protocol::end(&*queue).expect("whole");
        assert_eq!(producers.map(joined), [false, false]);
    });
}

// ---- the dead: number 9

#[test]
fn of_a_producer_who_was_killed_with_a_claim_the_claim_alone_is_lost() {
    // Before and after he moved TAIL on.
    for tail in [0, 1] {
        explore(2, move || {
            let queue = Queue::with(&[slot(0, 9, CLAIMED), slot(0, 0, FREE)], &[(Field::Tail, tail)]);
            let producer = run(&queue, |queue| assert!(queue.push(1, 5, &[9])));
            let consumers = [2, 3].map(|me| {
                run(&queue, move |queue| {
                    let item = queue.pop(me, &[9]);
                    if item.is_some() {
                        protocol::end(queue).expect("whole");
                    }
                    item
                })
            });
            joined(producer);
            assert_eq!(consumers.map(joined).into_iter().flatten().collect::<Vec<_>>(), [5]);
            assert_eq!(queue.get(Field::Lost), 1);
            assert_eq!(queue.slots[0].load(), slot(1, 0, FREE));
        });
    }
}

#[test]
fn of_a_consumer_who_was_killed_with_an_item_the_item_alone_is_lost() {
    for head in [0, 1] {
        explore(2, move || {
            let queue =
                Queue::with(&[slot(0, 9, TAKEN), slot(0, 0, FULL)], &[(Field::Tail, 2), (Field::Head, head)]);
            let producer = run(&queue, |queue| (1..=2).for_each(|item| assert!(queue.push(1, item, &[9]))));
            let mut items: Vec<_> = (0..3).map(|_| queue.pop(3, &[9]).expect("an item")).collect();
            items.sort_unstable();
            assert_eq!(items, [0, 1, 2]);
            joined(producer);
            assert_eq!(queue.get(Field::Lost), 1);
        });
    }
}

#[test]
fn a_slot_that_is_left_empty_is_passed_over() {
    explore(3, || {
        let queue = Queue::new(2);
        let producer = run(&queue, |queue| {
            let position = queue.claim(1, &[]).expect("room");
            assert_eq!(protocol::abandon(queue, position, 1), Ok(true));
            assert!(queue.push(1, 6, &[]));
        });
        assert_eq!(queue.pop(2, &[]), Some(6));
        joined(producer);
        assert_eq!((queue.get(Field::Lost), queue.slots[0].load() & 7), (0, FREE));
    });
}

/// A recoverer, number 8, was killed at each of his steps.
#[test]
fn what_a_recoverer_left_in_the_middle_is_done_and_counted_once() {
    let seen = slot(0, 9, CLAIMED);
    let journal = [(Field::Recoverer, 8), (Field::JournalWord, seen), (Field::JournalLost, 1)];
    let left = [
        (seen, 0, 0),             // written down, but for the slot
        (seen, 0, 1),             // written down
        (slot(0, 0, SKIP), 0, 1), // the slot is swapped
        (slot(0, 0, SKIP), 1, 1), // and the loss counted
        (slot(0, 0, SKIP), 1, 0), // and the journal closed
    ];
    for (word, lost, journalled) in left {
        explore(3, move || {
            let mut words = vec![(Field::Tail, 1), (Field::Lost, lost), (Field::JournalSlot, journalled)];
            words.extend(journal);
            let queue = Queue::with(&[word, slot(0, 9, CLAIMED)], &words);
            let dead: &[u32] = &[8, 9];
            let others = [1, 2].map(|me| {
                run(&queue, move |queue| {
                    while let Some(index) =
                        (0..2).find(|index| protocol::owner(queue.get(Field::Slot(*index))) == 9)
                    {
                        let seen = queue.get(Field::Slot(index));
                        if !queue.recover(me, (index, seen), dead) {
                            thread::yield_now();
                        }
                    }
                })
            });
            let _ = others.map(joined);
            assert_eq!(queue.get(Field::Lost), 2);
            assert_eq!(
                (queue.get(Field::Recoverer) & protocol::OWNERS, queue.get(Field::JournalSlot)),
                (0, 0)
            );
        });
    }
}

/// The next one who has the dead one's number says that he lives, and clears away; another one is just recovering.
#[test]
fn a_dead_ones_slots_are_cleared_away_before_his_number_is_used_again() {
    explore(3, || {
        let queue = Queue::with(
            &[slot(0, 9, CLAIMED), slot(0, 9, CLAIMED)],
            &[(Field::Tail, 2), (Field::Recoverer, 9)],
        );
        let lives = Arc::new(AtomicBool::new(false));
        let recover = |queue: &Queue, me, index, lives: &AtomicBool| {
            let seen = queue.get(Field::Slot(index));
            let is_dead = |owner| Ok(owner == 9 && (me == 9 || !lives.load(Ordering::SeqCst)));
            seen == slot(0, 9, CLAIMED)
                && protocol::recover::<_, Damaged>(queue, me, (index, seen), is_dead).expect("whole")
        };
        let recovers = {
            let lives = Arc::clone(&lives);
            run(&queue, move |queue| recover(queue, 1, 0, &lives))
        };
        lives.store(true, Ordering::SeqCst);
        // `clear_participant` would wait for who is at it just now.
        let mine = [0, 1].map(|index| recover(&queue, 9, index, &lives));
        let theirs = joined(recovers);
        let many = [mine[0], mine[1], theirs].iter().filter(|it| **it).count();
        assert_eq!(queue.get(Field::Lost), many as u32);
        let left = [0, 1].iter().filter(|index| queue.slots[**index].load() == slot(0, 9, CLAIMED)).count();
        assert_eq!(many + left, 2);
    });
}

#[test]
fn there_is_one_producer_and_the_next_one_when_he_is_dead() {
    explore(4, || {
        let queue = Queue::with(&[slot(0, 0, FREE)], &[(Field::Producer, 9)]);
        let enlist = |queue: &Queue, me| {
            protocol::enlist::<_, Damaged>(queue, Field::Producer, me, |owner| Ok(owner == 9))
                .expect("whole")
                .is_ok()
        };
        let other = run(&queue, move |queue| enlist(queue, 1));
        assert!(enlist(&queue, 2) != joined(other));
    });
}
