//! The steps of a broadcast, in every order that few preemptions allow. Waiters never wake by themselves here, so a
//! wake-up that is lost is a deadlock. An item is two words, which a reader that is not told of the writer finds torn.

use std::sync::Arc;

use loom::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use loom::thread;

use crate::model::{LONG, Model, explore};
use shmkit::ring::broadcast::protocol::{
    self, ACTIVE, BroadcastMemory, Claimed, Count, Damaged, Field, Reader, Ready, Side, Writer,
};
use shmkit::sync::word::Word;

/// So many readers there can be here, more would only be more to look at.
const ENTRIES: usize = 2;

struct Broadcast {
    blocks: bool,
    words: Vec<Arc<Model>>,
    entries: Vec<Arc<Model>>,
    /// HEAD and CLAIM, cursors, marks.
    counts: Vec<AtomicI64>,
    items: Vec<[AtomicU32; 2]>,
}

impl BroadcastMemory for Broadcast {
    type Word = Model;

    fn slots(&self) -> u32 {
        self.items.len() as u32
    }

    fn blocks(&self) -> bool {
        self.blocks
    }

    fn word(&self, field: Field) -> Option<&Model> {
        let at = match field {
            Field::Writer => 0,
            Field::Items => 1,
            Field::Room => 2,
            Field::Epoch => 3,
            Field::Ended => 4,
            Field::Used => 5,
            Field::Entry(index) => return self.entries.get(index as usize).map(|it| &**it),
        };
        Some(&self.words[at])
    }

    fn count(&self, count: Count) -> Option<i64> {
        Some(self.at(count).load(Ordering::Acquire))
    }

    fn put(&self, count: Count, value: i64) -> Option<()> {
        self.at(count).store(value, Ordering::Release);
        Some(())
    }
}

/// What there is before anybody does anything.
#[derive(Clone, Copy, Default)]
struct Given<'g> {
    blocks: bool,
    words: &'g [(Field, u32)],
    counts: &'g [(Count, i64)],
    /// Both halves of each slot.
    items: &'g [[u32; 2]],
}

const BLOCKS: Given<'static> = Given { blocks: true, words: &[], counts: &[], items: &[[0; 2]; 1] };

impl Broadcast {
    fn new(given: Given<'_>) -> Arc<Self> {
        let words = [Field::Writer, Field::Items, Field::Room, Field::Epoch, Field::Ended, Field::Used];
        let word = |field| {
            Model::new(given.words.iter().find(|(it, _)| *it == field).map_or(0, |(_, value)| *value))
        };
        let made = Broadcast {
            blocks: given.blocks,
            words: words.map(word).into(),
            entries: (0..ENTRIES as u32).map(|index| word(Field::Entry(index))).collect(),
            counts: (0..2 + ENTRIES + given.items.len()).map(|_| AtomicI64::new(0)).collect(),
            items: given.items.iter().map(|halves| halves.map(AtomicU32::new)).collect(),
        };
        for (count, value) in given.counts {
            made.put(*count, *value).expect("a count");
        }
        Arc::new(made)
    }

    fn at(&self, count: Count) -> &AtomicI64 {
        &self.counts[match count {
            Count::Head => 0,
            Count::Claim => 1,
            Count::Cursor(index) => 2 + index as usize,
            Count::Mark(index) => 2 + ENTRIES + index as usize,
        }]
    }

    fn get(&self, field: Field) -> u32 {
        self.word(field).expect("a word").load()
    }

    fn writer(&self, me: u32, dead: &[u32]) -> Writer {
        let enlisted = protocol::enlist::<_, Damaged>(self, me, |other| Ok(dead.contains(&other)));
        enlisted.expect("whole").expect("there is no other writer")
    }

    /// A wake word that changes without a reason need not wake a reader, so a sleep ends by a real one or never.
    fn sleep(&self, side: Side, announced: u32) {
        self.word(side.wake_word()).expect("a word").wait(announced, LONG);
    }

    /// False if it has ended.
    fn publish(&self, writer: &mut Writer, item: u32, dead: &[u32]) -> bool {
        loop {
            match protocol::claim(self, writer).expect("whole") {
                Claimed::Yes => break,
                Claimed::Ended => return false,
                Claimed::Full(..) => self.wait_for_room(dead),
            }
        }
        let slot = &self.items[protocol::slot(self, writer.next()) as usize];
        slot.iter().for_each(|half| half.store(item, Ordering::Relaxed));
        protocol::commit(self, writer).expect("whole");
        true
    }

    /// As `BroadcastWait` has it.
    fn wait_for_room(&self, dead: &[u32]) {
        let announced = protocol::announce(self, Side::Room).expect("whole");
        let Some(entry) = protocol::find_blocking_reader(self).expect("whole") else { return };
        let is_dead = |owner| Ok(dead.contains(&owner));
        if !protocol::recover::<_, Damaged>(self, entry, is_dead).expect("whole") {
            self.sleep(Side::Room, announced);
        }
    }

    fn subscribe(&self, me: u32, oldest: bool) -> Reader {
        let reader = protocol::subscribe::<_, Damaged>(self, me, oldest, |_| Ok(false));
        reader.expect("whole").expect("room for a reader")
    }

    /// The next item as its two halves; `None` if it has ended.
    fn next(&self, reader: &mut Reader, me: u32, dead: &[u32]) -> Option<[u32; 2]> {
        loop {
            match protocol::next(self, reader).expect("whole") {
                Ready::Item => {}
                Ready::Over => return None,
                Ready::Lapped(there) => panic!("lapped by {there}"),
                Ready::Nothing { .. } => {
                    self.wait_for_item(reader.next(), me, dead);
                    continue;
                }
            }
            let slot = &self.items[protocol::slot(self, reader.next()) as usize];
            let halves = [0, 1].map(|half: usize| slot[half].load(Ordering::Relaxed));
            if protocol::confirm(self, reader).expect("whole") {
                return Some(halves);
            }
            assert!(!self.blocks, "it was overwritten");
        }
    }

    fn wait_for_item(&self, item: i64, me: u32, dead: &[u32]) {
        let announced = protocol::announce(self, Side::Items).expect("whole");
        let Ready::Nothing { in_doubt } = protocol::peek(self, item).expect("whole") else { return };
        let is_dead = |owner| Ok(dead.contains(&owner));
        if !(in_doubt && protocol::settle::<_, Damaged>(self, me, is_dead).expect("whole")) {
            self.sleep(Side::Items, announced);
        }
    }

    /// All that comes until the end, each whole.
    fn drain(&self, reader: &mut Reader, me: u32, dead: &[u32]) -> Vec<u32> {
        std::iter::from_fn(|| self.next(reader, me, dead))
            .map(|[one, other]| {
                assert_eq!(one, other, "torn");
                one
            })
            .collect()
    }
}

/// What one does in a thread of its own.
fn run<T: 'static>(
    broadcast: &Arc<Broadcast>,
    body: impl FnOnce(&Broadcast) -> T + 'static,
) -> thread::JoinHandle<T> {
    let broadcast = Arc::clone(broadcast);
    thread::spawn(move || body(&broadcast))
}

fn joined<T>(thread: thread::JoinHandle<T>) -> T {
    thread.join().expect("it went well")
}

#[test]
fn a_reader_gets_all_in_order_and_the_writer_waits_for_it() {
    for slots in [1, 2] {
        explore(2, move || {
            let broadcast = Broadcast::new(Given { items: &[[0; 2]; 2][..slots], ..BLOCKS });
            let mut reader = broadcast.subscribe(2, false);
            let writer = run(&broadcast, move |broadcast| {
                let mut writer = broadcast.writer(1, &[]);
                (1..=slots as u32 + 1).for_each(|item| assert!(broadcast.publish(&mut writer, item, &[])));
                protocol::end(broadcast).expect("whole");
            });
            assert_eq!(broadcast.drain(&mut reader, 2, &[]), (1..=slots as u32 + 1).collect::<Vec<_>>());
            joined(writer);
        });
    }
}

#[test]
fn two_readers_get_all_of_it_each() {
    explore(1, || {
        let broadcast = Broadcast::new(BLOCKS);
        let readers = [2, 3].map(|me| {
            let mut reader = broadcast.subscribe(me, false);
            run(&broadcast, move |broadcast| broadcast.drain(&mut reader, me, &[]))
        });
        let mut writer = broadcast.writer(1, &[]);
        assert!(broadcast.publish(&mut writer, 1, &[]));
        protocol::end(&*broadcast).expect("whole");
        assert_eq!(readers.map(joined), [[1], [1]]);
    });
}

#[test]
fn a_reader_that_is_lapped_knows_how_many_it_lost_and_gets_no_torn_item() {
    for slots in [1, 2] {
        explore(2, move || {
            let broadcast = Broadcast::new(Given { blocks: false, items: &[[0; 2]; 2][..slots], ..BLOCKS });
            let mut reader = broadcast.subscribe(2, false);
            let writer = run(&broadcast, move |broadcast| {
                let mut writer = broadcast.writer(1, &[]);
                (1..=slots as u32 + 1).for_each(|item| assert!(broadcast.publish(&mut writer, item, &[])));
                protocol::end(broadcast).expect("whole");
            });
            let items = broadcast.drain(&mut reader, 2, &[]);
            assert!(items.is_sorted_by(|a, b| a < b), "{items:?}");
            assert_eq!(items.len() as i64 + reader.lost(), slots as i64 + 1);
            assert_eq!(items.last(), Some(&(slots as u32 + 1)));
            joined(writer);
        });
    }
}

/// It may begin at any moment of the writer's, who is not told before.
#[test]
fn who_begins_to_read_gets_all_from_there_on() {
    for (slots, oldest, preemptions) in [(1_u32, true, 2), (2, true, 1), (1, false, 1)] {
        explore(preemptions, move || {
            let broadcast = Broadcast::new(Given { items: &[[0; 2]; 2][..slots as usize], ..BLOCKS });
            let writer = run(&broadcast, move |broadcast| {
                let mut writer = broadcast.writer(1, &[]);
                (1..=slots + 1).for_each(|item| assert!(broadcast.publish(&mut writer, item, &[])));
                protocol::end(broadcast).expect("whole");
            });
            let mut reader = broadcast.subscribe(2, oldest);
            let first = reader.next() as u32 + 1;
            let items = broadcast.drain(&mut reader, 2, &[]);
            assert_eq!(items, (first..=slots + 1).collect::<Vec<_>>());
            joined(writer);
            let late = broadcast.subscribe(3, true);
            assert_eq!(late.next(), 1, "all that there is room for");
        });
    }
}

#[test]
fn what_is_published_is_read_however_soon_it_ends() {
    for blocks in [true, false] {
        explore(2, move || {
            let broadcast = Broadcast::new(Given { blocks, ..BLOCKS });
            let mut reader = broadcast.subscribe(2, false);
            let writer = run(&broadcast, |broadcast| {
                let mut writer = broadcast.writer(1, &[]);
                u32::from(broadcast.publish(&mut writer, 1, &[]))
            });
            let ends = run(&broadcast, |broadcast| protocol::end(broadcast).expect("whole"));
            let items = broadcast.drain(&mut reader, 2, &[]);
            assert_eq!(items.len() as u32, joined(writer));
            joined(ends);
        });
    }
}

#[test]
fn who_waits_for_room_is_told_of_the_end_and_of_a_reader_that_leaves() {
    for ends in [true, false] {
        explore(3, move || {
            let broadcast = Broadcast::new(BLOCKS);
            let reader = broadcast.subscribe(2, false);
            let writer = run(&broadcast, |broadcast| {
                let mut writer = broadcast.writer(1, &[]);
                [1, 2].map(|item| broadcast.publish(&mut writer, item, &[]))
            });
            if ends {
                protocol::end(&*broadcast).expect("whole");
            } else {
                assert_eq!(protocol::unsubscribe(&*broadcast, reader.entry()), Ok(true));
            }
            let published = joined(writer);
            assert!(if ends { !published[1] } else { published == [true, true] });
        });
    }
}

// ---- the dead: number 9

/// The writer was killed at each of its steps with item 1 of a ring of two, which it was to overwrite with item 2.
#[test]
fn of_a_writer_who_was_killed_the_half_written_item_never_was() {
    let (first, second) = (Count::Mark(0), Count::Mark(1));
    let [zero, one] = [[10, 10], [11, 11]];
    // CLAIM, MARK, HEAD, the slot, and what it left to be published.
    let killed: [(i64, i64, i64, [u32; 2], u32); 5] = [
        (2, 1, 2, zero, 12),
        (3, 1, 2, zero, 12),
        (3, -3, 2, [12, 10], 12),
        (3, 3, 2, [12, 12], 13),
        (3, 3, 3, [12, 12], 13),
    ];
    for (claim, mark, head, half, next) in killed {
        for oldest in [true, false] {
            explore(1, move || {
                let broadcast = Broadcast::new(Given {
                    words: &[(Field::Writer, 9)],
                    counts: &[(Count::Claim, claim), (first, mark), (second, 2), (Count::Head, head)],
                    items: &[half, one],
                    ..BLOCKS
                });
                let writer = run(&broadcast, move |broadcast| {
                    let mut writer = broadcast.writer(1, &[9]);
                    (next..=next + 1).for_each(|item| assert!(broadcast.publish(&mut writer, item, &[])));
                    protocol::end(broadcast).expect("whole");
                });
                let mut reader = broadcast.subscribe(2, oldest);
                let begun = reader.next() as u32 + 10;
                let items = broadcast.drain(&mut reader, 2, &[]);
                assert_eq!(items, (begun..=next + 1).collect::<Vec<_>>());
                joined(writer);
            });
        }
    }
}

#[test]
fn what_a_dead_writer_claimed_before_the_end_does_not_hold_readers_up() {
    for mark in [0, -1] {
        explore(2, move || {
            let broadcast = Broadcast::new(Given {
                words: &[(Field::Writer, 9), (Field::Ended, 1)],
                counts: &[(Count::Claim, 1), (Count::Mark(0), mark)],
                ..BLOCKS
            });
            let readers = [2, 3].map(|me| {
                run(&broadcast, move |broadcast| {
                    let mut reader = broadcast.subscribe(me, false);
                    broadcast.drain(&mut reader, me, &[9])
                })
            });
            assert_eq!(readers.map(joined), [[0; 0], [0; 0]]);
        });
    }
}

#[test]
fn the_next_one_of_a_dead_ones_number_is_not_taken_for_it() {
    explore(4, || {
        let broadcast = Broadcast::new(Given {
            words: &[(Field::Used, 1), (Field::Entry(0), ACTIVE | 9)],
            counts: &[(Count::Mark(0), 1), (Count::Claim, 1), (Count::Head, 1)],
            ..BLOCKS
        });
        let lives = Arc::new(AtomicBool::new(false));
        let recovers = {
            let lives = Arc::clone(&lives);
            run(&broadcast, move |broadcast| {
                let Some(entry) = protocol::find_blocking_reader(broadcast).expect("whole") else { return };
                let is_dead = |owner| Ok(owner == 9 && !lives.load(Ordering::SeqCst));
                protocol::recover::<_, Damaged>(broadcast, entry, is_dead).expect("whole");
            })
        };
        lives.store(true, Ordering::SeqCst);
        protocol::clear_participant(&*broadcast, 9).expect("whole");
        let reader = broadcast.subscribe(9, true);
        joined(recovers);
        assert_eq!(protocol::is_known(&*broadcast, reader.entry()), Ok(true));
        assert_eq!(protocol::find_blocking_reader(&*broadcast), Ok(Some(reader.entry())));
    });
}

#[test]
fn a_writer_that_waits_for_a_dead_reader_goes_on_without_it() {
    explore(2, || {
        let broadcast = Broadcast::new(Given {
            words: &[(Field::Used, 1), (Field::Entry(0), ACTIVE | 9)],
            counts: &[(Count::Mark(0), 1), (Count::Claim, 1), (Count::Head, 1)],
            ..BLOCKS
        });
        let writer = run(&broadcast, |broadcast| {
            let mut writer = broadcast.writer(1, &[]);
            assert!(broadcast.publish(&mut writer, 2, &[9]));
            protocol::end(broadcast).expect("whole");
        });
        let mut reader = broadcast.subscribe(2, false);
        let rest = 2 - reader.next() as usize;
        assert_eq!(broadcast.drain(&mut reader, 2, &[]).len(), rest);
        joined(writer);
        assert_eq!(broadcast.get(Field::Entry(0)) & ACTIVE, 0);
    });
}

#[test]
fn there_is_one_writer_and_the_next_one_when_it_is_dead() {
    explore(4, || {
        let broadcast = Broadcast::new(Given { words: &[(Field::Writer, 9)], ..BLOCKS });
        let enlist = |broadcast: &Broadcast, me| {
            protocol::enlist::<_, Damaged>(broadcast, me, |owner| Ok(owner == 9)).expect("whole").is_ok()
        };
        let other = run(&broadcast, move |broadcast| enlist(broadcast, 1));
        assert!(enlist(&broadcast, 2) != joined(other));
    });
}
