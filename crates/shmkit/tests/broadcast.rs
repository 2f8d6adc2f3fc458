//! Broadcasts in shared memory, between threads with a handle each.

#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::expect_used)]

#[path = "common/locks.rs"]
mod locks;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use locks::{Named, Watchdog};
use shmkit::array::DType;
use shmkit::ring::broadcast::{Awaited, Got, Layout, Reader, SharedBroadcast};
use shmkit::ring::items::Items;
use shmkit::sync::{SLICE, sleep};

fn layout(slots: u32, blocks: bool) -> Layout {
    Layout { blocks, items: Items { dtype: DType::Uint64, slots, shape: vec![2] } }
}

fn create(named: &Named, slots: u32, blocks: bool) -> Arc<SharedBroadcast> {
    Arc::new(SharedBroadcast::create(&layout(slots, blocks), &named.options()).expect("a broadcast"))
}

fn attach(named: &Named) -> Arc<SharedBroadcast> {
    Arc::new(SharedBroadcast::attach(&named.0, false, None).expect("a broadcast"))
}

fn item(value: u64) -> Vec<u8> {
    [value.to_ne_bytes(), (!value).to_ne_bytes()].concat()
}

fn value(item: &[u8]) -> u64 {
    let words: Vec<_> = item.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word)).collect();
    assert_eq!(words[0], !words[1], "it is whole");
    words[0]
}

fn wait(broadcast: &Arc<SharedBroadcast>, awaited: Awaited) {
    let mut wait = broadcast.wait(awaited);
    while sleep(&mut wait, SLICE).expect("a wait").is_none() {}
}

fn next(broadcast: &Arc<SharedBroadcast>, reader: &mut Reader) -> Option<u64> {
    loop {
        match broadcast.try_next(reader).expect("whole") {
            Got::Done(item) => return Some(value(&item)),
            Got::Ended => return None,
            Got::NotNow => wait(broadcast, Awaited::Item(reader.next())),
        }
    }
}

#[test]
fn threads_read_all_that_one_publishes_or_know_what_they_lost() {
    let _watchdog = Watchdog::new(60);
    const MANY: u64 = 5_000;
    for (slots, blocks) in [(1, true), (3, true), (64, true), (1, false), (3, false), (64, false)] {
        let named = Named::new();
        let writer = create(&named, slots, blocks);
        thread::scope(|scope| {
            for _ in 0..3 {
                let broadcast = attach(&named);
                let mut reader = broadcast.subscribe(false).expect("room");
                scope.spawn(move || {
                    let (mut count, mut last) = (0, None);
                    while let Some(value) = next(&broadcast, &mut reader) {
                        assert!(last.is_none_or(|last| last < value));
                        last = Some(value);
                        count += 1;
                    }
                    assert_eq!(count + reader.lost() as u64, MANY);
                    assert!(!blocks || reader.lost() == 0);
                });
            }
            for number in 0..MANY {
                while writer.try_publish(&item(number)).expect("whole") == Got::NotNow {
                    wait(&writer, Awaited::Room);
                }
            }
            writer.end().expect("whole");
        });
        assert_eq!(writer.try_publish(&item(1)), Ok(Got::Ended));
    }
}

#[test]
fn what_a_handle_has_goes_with_it() {
    let named = Named::new();
    let broadcast = create(&named, 1, true);
    let other = attach(&named);
    let mut reader = other.subscribe(true).expect("room");
    assert_eq!(other.try_publish(&item(1)), Ok(Got::Done(())));
    assert_eq!(broadcast.try_publish(&item(2)).expect_err("another writer").code, "ERR_SHM_TOO_MANY");
    other.leave();
    assert_eq!(other.try_next(&mut reader).expect_err("it has left").code, "ERR_SHM_CLOSED");
    assert_eq!(broadcast.try_publish(&item(2)), Ok(Got::Done(())));
}

#[test]
fn what_is_no_broadcast_is_refused() {
    let named = Named::new();
    let attached = || SharedBroadcast::attach(&named.0, false, None).expect_err("nothing there").code;
    assert_eq!(attached(), "ENOENT");
    let mutex = named.mutex();
    assert_eq!(attached(), "ERR_SHM_NOT_A_BROADCAST");
    drop(mutex);
    let error = SharedBroadcast::create(&layout(0, true), &named.options()).expect_err("no slots");
    assert_eq!(error.code, "ERR_OUT_OF_RANGE");
}

/// Whoever writes to it at random gets garbage or an error, at once.
#[test]
fn a_damaged_broadcast_is_an_error_and_no_hang() {
    let _watchdog = Watchdog::new(60);
    for blocks in [true, false] {
        let named = Named::new();
        let broadcast = create(&named, 3, blocks);
        let mut state = 7u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize
        };
        let mut errors = 0;
        let mut reader = broadcast.subscribe(false).expect("room");
        for round in 0..20_000 {
            let bytes = broadcast.mapping().bytes();
            let count = [128, 136, 16648, 32960, 33024, 33088][random() % 6];
            let value = [random() as f64 % 20.0, -(random() as f64 % 20.0), f64::NAN, 1e300][random() % 4];
            bytes.atomic_word(count).expect("inside").store(value.floor().to_bits(), Ordering::SeqCst);
            let word = [144, 192, 256, 260, 264, 268, 16640, 16704][random() % 8];
            bytes.atomic(word).expect("inside").store((random() % 2048) as u32, Ordering::SeqCst);
            errors += usize::from(broadcast.try_publish(&item(1)).is_err());
            errors += usize::from(broadcast.try_next(&mut reader).is_err());
            let _ = sleep(&mut broadcast.wait(Awaited::Room), Duration::ZERO);
            let _ = sleep(&mut broadcast.wait(Awaited::Item(reader.next())), Duration::ZERO);
            let _ = broadcast.recover(random() as u32 % 4, random() as u32 % 2048);
            if round % 20 == 0
                && let Ok(next) = broadcast.subscribe(round % 40 == 0)
            {
                let _ = broadcast.unsubscribe(reader.entry());
                reader = next;
            }
        }
        assert!(errors > 0);
    }
}
