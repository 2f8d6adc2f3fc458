//! A dict beside a `HashMap`: after every operation, after a death at every step of it, and while others read.

use std::cell::Cell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::layout::{BLOCKS, CLASSES, FREE, REDO, ROOT, TOP, VERSION, class_size};
use super::*;
use crate::ownership;

thread_local! {
    /// How many steps are left until the writer dies; 0 for never.
    static LEFT: Cell<u32> = const { Cell::new(0) };
}

struct Death;

pub(super) fn at(_name: &'static str) {
    LEFT.with(|left| match left.get() {
        0 => {}
        1 => {
            left.set(0);
            panic_any(Death);
        }
        more => left.set(more - 1),
    });
}

/// Does it, and dies at this step of it; `None` if it died.
fn dying<T>(step: u32, operation: impl FnOnce() -> T) -> Option<T> {
    LEFT.with(|left| left.set(step));
    let outcome = catch_unwind(AssertUnwindSafe(operation));
    LEFT.with(|left| left.set(0));
    match outcome {
        Ok(value) => Some(value),
        Err(payload) if payload.is::<Death>() => None,
        Err(payload) => std::panic::resume_unwind(payload),
    }
}

/// Random numbers that a seed repeats.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) % limit
    }

    fn key(&mut self) -> Vec<u8> {
        key(self.below(40))
    }

    fn value(&mut self) -> (u8, Vec<u8>) {
        if self.below(3) == 0 {
            let kind = [ValueKind::Number, ValueKind::Float][self.below(2) as usize];
            return (kind.byte(), self.below(1 << 60).to_ne_bytes().to_vec());
        }
        let most = [8, 40, 300, 5000][self.below(4) as usize];
        let len = self.below(most);
        (self.below(200) as u8, (0..len).map(|_| self.below(256) as u8).collect())
    }
}

/// A dict that goes with the test.
struct Own(SharedDict);

impl Own {
    fn new(max: usize) -> Self {
        Own(SharedDict::create(LEAST, max, &CreateOptions::default()).expect("a dict"))
    }

    fn again(&self) -> SharedDict {
        SharedDict::attach(self.0.segment().name(), &AttachOptions::default()).expect("the same")
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        ownership::unlink(self.0.segment().name(), self.0.segment().id()).expect("unlinked");
    }
}

type Value = (u8, Vec<u8>);
type Model = HashMap<Vec<u8>, Value>;

fn contents(dict: &SharedDict, keys: &[Vec<u8>]) -> Model {
    let mut value = Vec::new();
    let entry = |key: &Vec<u8>| match dict.get(key, &mut value).expect("readable") {
        Lookup::Found(kind) => Some((key.clone(), (kind, value.clone()))),
        Lookup::Missing => None,
        Lookup::Busy => panic!("nobody writes"),
    };
    keys.iter().filter_map(entry).collect()
}

fn key(number: u64) -> Vec<u8> {
    let long = if number.is_multiple_of(7) { "x".repeat(50) } else { String::new() };
    format!("key {number}{long}").into_bytes()
}

fn all_keys() -> Vec<Vec<u8>> {
    (0..40).map(key).collect()
}

/// Every byte up to the top is in a block that is used or free, once.
fn check_accounts(dict: &SharedDict) {
    let word = |at| dict.memory.load(at).expect("a word") as usize;
    let table = dict.table(dict.memory.load(ROOT).expect("a root")).expect("a table");
    let known = dict.block_of_table(table).expect("a block");
    let mut blocks: Vec<_> = known.iter().map(|block| (block.at, class_size(block.class))).collect();
    let tables = blocks.len();
    for slot in dict.slots(table) {
        if let Some(record) = slot.expect("a slot").record() {
            blocks.push((record, class_size(dict.block_of(record).expect("a block").class)));
        }
    }
    assert_eq!(blocks.len() - tables, dict.len().expect("a count") as usize, "the count");
    for class in 0..CLASSES {
        let mut at = word(FREE + class * 8);
        while at != 0 {
            blocks.push((at, class_size(class)));
            at = word(at);
        }
    }
    blocks.sort_unstable();
    let mut end = BLOCKS;
    for (at, size) in blocks {
        assert_eq!(at, end, "a gap, or two blocks that overlap");
        end = at + size;
    }
    assert_eq!(end, word(TOP), "the top");
    assert_eq!(word(VERSION) % 2, 0);
    assert_eq!(word(REDO), 0);
}

/// One thing that a writer does.
#[derive(Debug, Clone)]
enum Operation {
    Set(Vec<u8>, Value),
    Delete(Vec<u8>),
    Clear,
    Batch(Vec<(Vec<u8>, Option<Value>)>),
}

impl Operation {
    fn random(random: &mut Random) -> Self {
        match random.below(20) {
            0..10 => Operation::Set(random.key(), random.value()),
            10..14 => Operation::Delete(random.key()),
            14 if random.below(6) == 0 => Operation::Clear,
            _ => {
                let changes = (0..1 + random.below(12)).map(|_| {
                    let value = (random.below(3) != 0).then(|| random.value());
                    (random.key(), value)
                });
                // Each key once.
                Operation::Batch(changes.collect::<HashMap<_, _>>().into_iter().collect())
            }
        }
    }

    fn on_model(&self, model: &mut Model) {
        match self.clone() {
            Operation::Set(key, value) => drop(model.insert(key, value)),
            Operation::Delete(key) => drop(model.remove(&key)),
            Operation::Clear => model.clear(),
            Operation::Batch(changes) => {
                for (key, value) in changes {
                    match value {
                        Some(value) => drop(model.insert(key, value)),
                        None => drop(model.remove(&key)),
                    }
                }
            }
        }
    }

    fn on(&self, dict: &SharedDict) -> Result<()> {
        match self {
            Operation::Set(key, (kind, value)) => dict.set(key, *kind, value).map(drop),
            Operation::Delete(key) => dict.delete(key).map(drop),
            Operation::Clear => dict.clear(),
            Operation::Batch(changes) => {
                let mut batch = Batch::default();
                for (key, value) in changes {
                    let staged = match value {
                        Some((kind, value)) => dict.stage(&mut batch, key, *kind, value),
                        None => {
                            dict.stage_delete(&mut batch, key);
                            Ok(())
                        }
                    };
                    if let Err(error) = staged {
                        dict.roll_back(batch)?;
                        return Err(error);
                    }
                }
                dict.commit(batch)
            }
        }
    }
}

#[test]
fn it_is_a_hash_map() {
    for seed in 0..6 {
        let mut random = Random(seed);
        // Small ones are full now and then.
        let max = if seed % 2 == 0 { 36 << 10 } else { 4 << 20 };
        let (own, keys) = (Own::new(max), all_keys());
        let (other, mut model, mut full) = (own.again(), Model::new(), 0);
        for round in 0..1500 {
            let operation = Operation::random(&mut random);
            let dict = if random.below(2) == 0 { &own.0 } else { &other };
            match operation.on(dict) {
                Ok(()) => operation.on_model(&mut model),
                Err(error) => {
                    assert_eq!(error.code, "ERR_SHM_FULL");
                    full += 1;
                }
            }
            if round % 50 == 0 {
                assert_eq!(contents(&other, &keys), model, "seed {seed}, round {round}");
                check_accounts(&own.0);
            }
        }
        let (bytes, ends) = other.keys().expect("keys");
        let starts = [0].into_iter().chain(ends.iter().copied());
        let mut listed: Vec<_> = starts.zip(&ends).map(|(start, end)| bytes[start..*end].to_vec()).collect();
        listed.sort();
        let mut known: Vec<_> = model.keys().cloned().collect();
        known.sort();
        assert_eq!(listed, known);
        assert_eq!(full > 0, max < 100_000, "seed {seed}: refused {full} times");
        assert_eq!(contents(&other, &keys), model);
    }
}

#[test]
fn a_death_at_any_step_leaves_all_of_an_act_or_nothing_of_it() {
    let (mut random, keys, mut model) = (Random(7), all_keys(), Model::new());
    let own = Own::new(4 << 20);
    let mut deaths = 0;
    for round in 0..250 {
        let operation = Operation::random(&mut random);
        let mut after = model.clone();
        operation.on_model(&mut after);
        for step in 1.. {
            let Some(outcome) = dying(step, || operation.on(&own.0)) else {
                deaths += 1;
                // Whoever comes next has never seen the dict before; it may die too, at any step.
                let next = own.again();
                for step in 1.. {
                    if let Some(recovered) = dying(step, || next.recover()) {
                        recovered.expect("recovered");
                        break;
                    }
                    deaths += 1;
                }
                check_accounts(&next);
                let now = contents(&next, &keys);
                assert!(now == model || now == after, "round {round}, step {step} of {operation:?}");
                if now == after {
                    model = now;
                    break;
                }
                continue;
            };
            outcome.expect("room");
            model = after;
            break;
        }
    }
    assert_eq!(contents(&own.0, &keys), model);
    assert!(deaths > 2000, "{deaths}");
}

/// A value that tells whether it is whole.
fn checked(random: &mut Random, len: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..len.max(8)).map(|_| random.below(256) as u8).collect();
    let sum =
        bytes[8..].iter().fold(len as u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    bytes[..8].copy_from_slice(&sum.to_ne_bytes());
    bytes
}

fn is_whole(bytes: &[u8]) -> bool {
    let Some((sum, rest)) = bytes.split_at_checked(8) else { return false };
    let expected =
        rest.iter().fold(bytes.len() as u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    sum == expected.to_ne_bytes()
}

#[test]
fn readers_find_whole_values_and_never_miss_a_key_that_is_there() {
    let own = Own::new(64 << 20);
    let mut random = Random(3);
    let keys: Vec<String> = (0..100).map(|n| format!("stays {n}")).collect();
    for key in &keys {
        own.0.set(key.as_bytes(), 1, &checked(&mut random, 8)).expect("room");
    }
    let over = AtomicBool::new(false);
    let end = Instant::now() + Duration::from_secs(3);
    /// Ends the others, also by a panic.
    struct Ends<'f>(&'f AtomicBool);
    impl Drop for Ends<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    thread::scope(|scope| {
        for reader in 0..2 {
            let (dict, keys, over) = (own.again(), &keys, &over);
            scope.spawn(move || {
                let _ends = Ends(over);
                let (mut random, mut value, mut looks) = (Random(reader), Vec::new(), 0u64);
                while !over.load(Ordering::Relaxed) {
                    let key = &keys[random.below(100) as usize];
                    match dict.get(key.as_bytes(), &mut value).expect("readable") {
                        Lookup::Found(_) => assert!(is_whole(&value), "{key} is torn"),
                        Lookup::Missing => panic!("{key} is missing"),
                        Lookup::Busy => {}
                    }
                    looks += 1;
                    if looks.is_multiple_of(500) {
                        let (bytes, ends) = dict.keys().expect("keys");
                        let starts = [0].into_iter().chain(ends.iter().copied());
                        let stays = starts
                            .zip(&ends)
                            .filter(|(start, end)| bytes[*start..**end].starts_with(b"stays "));
                        assert_eq!(stays.count(), 100);
                    }
                }
                assert!(looks > 1000, "{looks}");
            });
        }
        let _ends = Ends(&over);
        while Instant::now() < end && !over.load(Ordering::Relaxed) {
            let len = [8, 64, 500, 5000, 65536][random.below(5) as usize];
            let key = &keys[random.below(100) as usize];
            own.0.set(key.as_bytes(), 1, &checked(&mut random, len)).expect("room");
            // Others come and go, so that the table grows, shrinks and is rebuilt.
            let passing = format!("goes {}", random.below(3000));
            match random.below(40) {
                0..20 => drop(own.0.set(passing.as_bytes(), 2, &[0; 20]).expect("room")),
                20..39 => drop(own.0.delete(passing.as_bytes()).expect("deleted")),
                _ => {
                    let mut batch = Batch::default();
                    for n in 0..10 {
                        let value = checked(&mut random, 100);
                        own.0.stage(&mut batch, format!("stays {n}").as_bytes(), 1, &value).expect("room");
                    }
                    own.0.commit(batch).expect("committed");
                }
            }
        }
    });
    check_accounts(&own.0);
}

#[test]
fn a_damaged_dict_is_an_error_and_never_a_crash() {
    let (mut random, keys) = (Random(11), all_keys());
    let own = Own::new(1 << 20);
    let mut image = Vec::new();
    for key in &keys[..30] {
        own.0.set(key, 1, &random.value().1).expect("room");
    }
    let length = own.0.segment().current_size().expect("a length");
    own.0.memory.copy(0, length, &mut image).expect("an image");
    let (mut value, mut refused) = (Vec::new(), 0);
    for at in (0..length).filter(|at| *at < 6000 || at % 97 == 0) {
        own.0.memory.write(0, &image).expect("restored");
        let mut byte = [0u8];
        byte[0] = image[at] ^ (1 << random.below(8));
        own.0.memory.write(at, &byte).expect("damaged");
        let mut note = |outcome: Result<()>| {
            if let Err(error) = outcome {
                let known = ["ERR_SHM_CORRUPT", "ERR_SHM_FULL", "ENOSPC", "ENOMEM", "EFBIG"];
                assert!(known.contains(&error.code), "{at}: {error}");
                refused += 1;
            }
        };
        for key in &keys[..35] {
            note(own.0.get(key, &mut value).map(drop));
        }
        note(own.0.set(&keys[3], 1, &[1; 100]).map(drop));
        note(own.0.delete(&keys[5]).map(drop));
        note(Operation::random(&mut random).on(&own.0));
        note(own.0.recover());
    }
    own.0.memory.write(0, &image).expect("restored");
    assert!(refused > 50, "{refused}");
}

#[test]
fn what_is_no_dict_is_refused() {
    let segment =
        Segment::create(LEAST, &CreateOptions::default(), &AtomicBool::new(false)).expect("a segment");
    let attach = || SharedDict::attach(segment.name(), &AttachOptions::default()).expect_err("no dict").code;
    assert_eq!(attach(), "ERR_SHM_NOT_A_DICT");
    let bytes = segment.mapping().expect("mapped").bytes();
    bytes.store(0, b"SHMDICT\0").expect("room");
    assert_eq!(attach(), "ERR_SHM_CORRUPT");
    bytes.store(8, &[1, 0, 0, 0, 2, 0, 0, 0]).expect("room");
    assert_eq!(attach(), "ERR_SHM_VERSION");
    ownership::unlink(segment.name(), segment.id()).expect("unlinked");
}

#[test]
fn keys_have_limits() {
    let own = Own::new(1 << 20);
    let set = |key: &[u8]| own.0.set(key, 0, b"");
    assert_eq!(set(b"").expect_err("empty").code, "ERR_SHM_KEY");
    assert_eq!(set(&[b'k'; KEY_MAX + 1]).expect_err("long").code, "ERR_SHM_KEY");
    assert!(set(&[b'k'; KEY_MAX]).expect("new"));
    assert!(set(b"with \0 in it").expect("new"));
    assert!(!set(b"with \0 in it").expect("known"));
    let error = own.0.set(b"large", 0, &vec![0; 2 << 20]).expect_err("too large");
    assert_eq!(error.code, "ERR_SHM_FULL");
    check_accounts(&own.0);
}
