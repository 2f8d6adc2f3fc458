//! Queues in shared memory, between threads with a handle each.

#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::expect_used)]

#[path = "common/locks.rs"]
mod locks;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use locks::{Named, TIMEOUT, Watchdog};
use shmkit::array::DType;
use shmkit::ring::items::Items;
use shmkit::ring::queue::protocol::Side;
use shmkit::ring::queue::{Got, Layout, SharedQueue};
use shmkit::sync::{SLICE, WaiterThreads, sleep};

fn layout(slots: u32, single: bool) -> Layout {
    Layout { single, items: Items { dtype: DType::Uint64, slots, shape: vec![2] } }
}

fn create(named: &Named, slots: u32, single: bool) -> Arc<SharedQueue> {
    Arc::new(SharedQueue::create(&layout(slots, single), &named.options()).expect("a queue"))
}

fn attach(named: &Named) -> Arc<SharedQueue> {
    Arc::new(SharedQueue::attach(&named.0, false, None).expect("a queue"))
}

fn item(value: u64) -> Vec<u8> {
    [value.to_ne_bytes(), (!value).to_ne_bytes()].concat()
}

fn value(item: &[u8]) -> u64 {
    let words: Vec<_> = item.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word)).collect();
    assert_eq!(words[0], !words[1], "it is whole");
    words[0]
}

fn wait(queue: &Arc<SharedQueue>, side: Side) {
    let mut wait = queue.wait(side);
    while sleep(&mut wait, SLICE).expect("a wait").is_none() {}
}

fn push(queue: &Arc<SharedQueue>, number: u64) -> bool {
    loop {
        match queue.try_push(&item(number)).expect("whole") {
            Got::Done(()) => return true,
            Got::Ended => return false,
            Got::NotNow => wait(queue, Side::Room),
        }
    }
}

fn pop(queue: &Arc<SharedQueue>) -> Option<u64> {
    loop {
        match queue.try_pop().expect("whole") {
            Got::Done(item) => return Some(value(&item)),
            Got::Ended => return None,
            Got::NotNow => wait(queue, Side::Items),
        }
    }
}

#[test]
fn many_threads_pass_all_items_on_once() {
    let _watchdog = Watchdog::new(60);
    for slots in [1, 2, 3, 64] {
        let named = Named::new();
        let queue = create(&named, slots, false);
        let (sum, count) = (AtomicU64::new(0), AtomicU64::new(0));
        const MANY: u64 = 5_000;
        thread::scope(|scope| {
            let producers: Vec<_> = (0..3)
                .map(|lane| {
                    let queue = attach(&named);
                    scope.spawn(move || (0..MANY).for_each(|i| assert!(push(&queue, lane * MANY + i))))
                })
                .collect();
            for _ in 0..3 {
                let (queue, sum, count) = (attach(&named), &sum, &count);
                scope.spawn(move || {
                    while let Some(value) = pop(&queue) {
                        sum.fetch_add(value, Ordering::Relaxed);
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            for producer in producers {
                producer.join().expect("it went well");
            }
            queue.end().expect("whole");
        });
        let all = 3 * MANY;
        assert_eq!((count.into_inner(), sum.into_inner()), (all, all * (all - 1) / 2));
        assert_eq!((queue.lost(), queue.len()), (0, 0));
    }
}

#[test]
fn a_queue_is_full_and_empty_and_ends() {
    let named = Named::new();
    let queue = create(&named, 3, false);
    assert_eq!(queue.try_pop(), Ok(Got::NotNow));
    for number in 0..3 {
        assert_eq!(queue.try_push(&item(number)), Ok(Got::Done(())));
    }
    assert_eq!((queue.try_push(&item(3)), queue.len()), (Ok(Got::NotNow), 3));
    let other = attach(&named);
    other.end().expect("whole");
    assert_eq!(queue.try_push(&item(3)), Ok(Got::Ended));
    for number in 0..3 {
        assert_eq!(other.try_pop(), Ok(Got::Done(item(number))));
    }
    assert_eq!(queue.try_pop(), Ok(Got::Ended));
    assert!(queue.ended() && queue.is_empty());
}

#[test]
fn what_a_handle_has_goes_back_with_it() {
    let named = Named::new();
    let queue = create(&named, 2, false);
    assert_eq!(queue.try_push(&item(1)), Ok(Got::Done(())));
    for (died, lost) in [(true, 2), (false, 2)] {
        let other = attach(&named);
        let Ok(Got::Done(_)) = other.try_take() else { panic!("an item") };
        let Ok(Got::Done(_)) = other.try_claim() else { panic!("room") };
        other.leave(died);
        assert_eq!(other.try_take().expect_err("it has left").code, "ERR_SHM_CLOSED");
        assert_eq!((queue.lost(), queue.try_pop()), (lost, Ok(Got::NotNow)));
        assert_eq!((queue.try_push(&item(2)), queue.len()), (Ok(Got::Done(())), 1));
    }
}

#[test]
fn one_on_each_side_is_refused_a_second_one() {
    let named = Named::new();
    let queue = create(&named, 4, true);
    assert_eq!(queue.try_push(&item(1)), Ok(Got::Done(())));
    let other = attach(&named);
    assert_eq!(other.try_push(&item(1)).expect_err("a second one").code, "ERR_SHM_TOO_MANY");
    assert_eq!(other.try_pop(), Ok(Got::Done(item(1))));
    assert_eq!(queue.try_pop().expect_err("a second one").code, "ERR_SHM_TOO_MANY");
    drop(queue);
    assert_eq!(other.try_push(&item(2)), Ok(Got::Done(())));
}

#[test]
fn who_waits_elsewhere_is_woken_and_may_call_it_off() {
    let _watchdog = Watchdog::new(60);
    let named = Named::new();
    let (queue, other) = (create(&named, 1, false), attach(&named));
    let mut threads = WaiterThreads::default();
    let (told, tells) = std::sync::mpsc::channel();
    let waiting =
        threads.wait(queue.wait(Side::Items), move || told.send(()).expect("heard")).expect("a thread");
    let called_off = threads.wait(queue.wait(Side::Items), || panic!("it was called off")).expect("a thread");
    assert!(called_off.settle().is_none());
    assert!(push(&other, 7));
    tells.recv_timeout(TIMEOUT).expect("woken");
    assert!(waiting.settle().is_some_and(|outcome| outcome.is_ok()));
    assert_eq!(pop(&queue), Some(7));
}

#[test]
fn what_is_no_queue_is_refused() {
    let named = Named::new();
    let attached = || SharedQueue::attach(&named.0, false, None).expect_err("nothing there").code;
    assert_eq!(attached(), "ENOENT");
    let mutex = named.mutex();
    assert_eq!(attached(), "ERR_SHM_NOT_A_QUEUE");
    drop(mutex);
    let error = SharedQueue::create(&layout(0, false), &named.options()).expect_err("no slots");
    assert_eq!(error.code, "ERR_OUT_OF_RANGE");
}

/// Whoever writes to it at random gets garbage or an error, at once.
#[test]
fn a_damaged_queue_is_an_error_and_no_hang() {
    let _watchdog = Watchdog::new(60);
    let named = Named::new();
    let queue = create(&named, 3, false);
    let mut state = 7u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize
    };
    let mut errors = 0;
    for _ in 0..20_000 {
        let bytes = queue.mapping().bytes();
        let at = match next() % 3 {
            0 => 128 + next() % 64 * 4,
            1 => 16704 + next() % 3 * 64,
            _ => 320 + next() % 6 * 4,
        };
        let value = if next() % 2 == 0 { next() as u32 } else { next() as u32 % 4096 };
        bytes.atomic(at).expect("inside").store(value, Ordering::SeqCst);
        for _ in 0..4 {
            errors += usize::from(queue.try_push(&item(1)).is_err());
            errors += usize::from(queue.try_pop().is_err());
        }
        let _ = sleep(&mut queue.wait(Side::Items), Duration::ZERO);
        let _ = queue.recover(next() as u32 % 4, value);
        assert!(queue.len() <= 3);
    }
    assert!(errors > 0);
}
