//! The lock's word, run through every order of its steps that few preemptions allow.

use std::sync::Arc;

use loom::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use loom::thread;

use crate::model::{Guarded, LONG, Model, explore, me, release, take};
use shmkit::sync::ReleaseState;
use shmkit::sync::word::lock::{INCONSISTENT, OWNER, STARVING, Step};
use shmkit::sync::word::{Word, lock};

/// Several at once, each of which takes the lock so many times; some starve.
fn lockers(times: &'static [u32], starving: &'static [bool]) -> impl Fn() + Sync + Send + 'static {
    move || {
        let (word, guarded) = (Model::new(0), Guarded::new());
        let one = |slot: usize| {
            let (word, guarded) = (Arc::clone(&word), Arc::clone(&guarded));
            move || {
                for _ in 0..times[slot] {
                    assert!(!take(&word, me(slot as u32), starving[slot]));
                    guarded.write();
                    release(&word, me(slot as u32), ReleaseState::Consistent);
                }
            }
        };
        let threads: Vec<_> = (1..times.len()).map(|slot| thread::spawn(one(slot))).collect();
        one(0)();
        threads.into_iter().for_each(|thread| thread.join().expect("it went well"));
        assert_eq!(guarded.read(), times.iter().sum::<u32>());
        assert_eq!(word.load() & OWNER, 0);
    }
}

#[test]
fn two_never_have_the_lock_at_once_and_none_sleeps_for_ever() {
    explore(8, lockers(&[2, 1], &[false, false]));
}

#[test]
fn three_never_have_the_lock_at_once_and_none_sleeps_for_ever() {
    explore(3, lockers(&[1, 1, 1], &[false; 3]));
}

#[test]
fn who_starves_does_not_keep_the_others_asleep() {
    explore(8, lockers(&[2, 1], &[false, true]));
    explore(3, lockers(&[1, 1, 1], &[false, true, true]));
}

/// One tries once in a while without ever sleeping, as `try_lock` does.
#[test]
fn who_only_tries_takes_nobodys_wake_up() {
    for starving in [false, true] {
        explore(6, move || {
            let (word, guarded) = (Model::new(0), Guarded::new());
            let other = {
                let (word, guarded) = (Arc::clone(&word), Arc::clone(&guarded));
                thread::spawn(move || {
                    for _ in 0..2 {
                        take(&word, me(1), starving);
                        guarded.write();
                        release(&word, me(1), ReleaseState::Consistent);
                    }
                })
            };
            for _ in 0..2 {
                if let Step::Taken { .. } = lock::try_once(&*word, me(0)) {
                    guarded.write();
                    release(&word, me(0), ReleaseState::Consistent);
                }
            }
            other.join().expect("it went well");
        });
    }
}

/// One has slept and wants it no more, woken or not; another one sleeps on.
fn one_gives_up(starving: bool) -> impl Fn() + Sync + Send + 'static {
    move || {
        let (word, guarded) = (Model::new(me(0)), Guarded::new());
        let waits = {
            let (word, guarded) = (Arc::clone(&word), Arc::clone(&guarded));
            thread::spawn(move || {
                take(&word, me(1), false);
                guarded.write();
                release(&word, me(1), ReleaseState::Consistent);
            })
        };
        let gives_up = {
            let word = Arc::clone(&word);
            thread::spawn(move || {
                let mut attempt = lock::Attempt { slept: false, starving };
                match lock::attempt(&*word, me(2), &attempt) {
                    Step::Taken { .. } => release(&word, me(2), ReleaseState::Consistent),
                    Step::Sleep(seen) => {
                        attempt.slept = true;
                        word.wait_for_a_while(seen);
                        lock::give_up(&*word, &attempt);
                    }
                }
            })
        };
        for again in [true, false] {
            guarded.write();
            release(&word, me(0), ReleaseState::Consistent);
            if again {
                take(&word, me(0), false); // without a mark that others sleep, as one who has just come
            }
        }
        waits.join().expect("it went well");
        gives_up.join().expect("it went well");
    }
}

#[test]
fn a_wake_up_of_one_who_gave_up_goes_to_the_next() {
    explore(3, one_gives_up(false));
}

#[test]
fn one_who_starved_and_gave_up_is_not_waited_for() {
    explore(3, one_gives_up(true));
}

/// One was killed while it starved: it is not there any more, and the word still says that somebody starves.
#[test]
fn one_who_starved_and_was_killed_is_not_waited_for() {
    explore(8, || {
        let word = Model::new(me(0) | lock::WAITERS | STARVING);
        let newcomer = {
            let word = Arc::clone(&word);
            thread::spawn(move || {
                take(&word, me(1), false);
                release(&word, me(1), ReleaseState::Consistent);
            })
        };
        release(&word, me(0), ReleaseState::Consistent);
        newcomer.join().expect("it went well");
    });
}

/// The same, killed after it was woken, and one who tried got the lock in between.
#[test]
fn a_lock_that_is_let_go_of_without_anybody_asleep_is_anybodys() {
    explore(8, || {
        let word = Model::new(STARVING);
        let Step::Taken { .. } = lock::try_once(&*word, me(0)) else { panic!("nobody has it") };
        let newcomer = {
            let word = Arc::clone(&word);
            thread::spawn(move || {
                take(&word, me(1), false);
                release(&word, me(1), ReleaseState::Consistent);
            })
        };
        release(&word, me(0), ReleaseState::Consistent);
        newcomer.join().expect("it went well");
    });
}

/// Waits for a lock whose owner may be found dead; whether it was taken over, and whether it is inconsistent.
fn take_from_the_dead(word: &Model, dead: &AtomicBool, me: u32) -> (bool, bool) {
    let mut attempt = lock::Attempt::default();
    loop {
        let seen = match lock::attempt(word, me, &attempt) {
            Step::Taken { inconsistent } => return (false, inconsistent),
            Step::Sleep(seen) => seen,
        };
        attempt.slept = true;
        if seen & OWNER != self::me(0) {
            word.wait(seen, LONG);
        } else if !dead.load(Ordering::Acquire) {
            word.wait_for_a_while(seen); // and asks again, as those do who look once in a while
        } else if lock::take_over(word, seen, me, ReleaseState::Inconsistent) {
            return (true, true);
        }
    }
}

#[test]
fn of_two_who_find_the_owner_dead_exactly_one_takes_over() {
    explore(8, || {
        let (word, guarded, dead) = (Model::new(0), Guarded::new(), Arc::new(AtomicBool::new(false)));
        let overtaken = Arc::new(AtomicU32::new(0));
        let victim = {
            let (word, guarded, dead) = (Arc::clone(&word), Arc::clone(&guarded), Arc::clone(&dead));
            thread::spawn(move || {
                take(&word, me(0), false);
                guarded.write();
                dead.store(true, Ordering::Release);
            })
        };
        victim.join().expect("it went well");
        let one = |slot| {
            let (word, guarded, dead) = (Arc::clone(&word), Arc::clone(&guarded), Arc::clone(&dead));
            let overtaken = Arc::clone(&overtaken);
            move || {
                let (over, inconsistent) = take_from_the_dead(&word, &dead, me(slot));
                assert!(inconsistent, "the first one does not repair it");
                overtaken.fetch_add(u32::from(over), Ordering::Relaxed);
                guarded.write();
                release(&word, me(slot), ReleaseState::AsFound);
            }
        };
        let other = thread::spawn(one(1));
        one(2)();
        other.join().expect("it went well");
        assert_eq!(overtaken.load(Ordering::Relaxed), 1);
        assert_eq!((guarded.read(), word.load() & (OWNER | INCONSISTENT)), (3, INCONSISTENT));
    });
}

#[test]
fn who_takes_over_wakes_those_who_slept_for_the_dead() {
    explore(8, || {
        let word = Model::new(me(0));
        let sleeps = {
            let word = Arc::clone(&word);
            thread::spawn(move || {
                take(&word, me(1), false);
                release(&word, me(1), ReleaseState::Consistent);
            })
        };
        take_from_the_dead(&word, &AtomicBool::new(true), me(2));
        release(&word, me(2), ReleaseState::Consistent);
        sleeps.join().expect("it went well");
    });
}

/// The owner dies at any moment while another one waits.
#[test]
fn an_owner_who_dies_is_found_dead_by_one_who_waits() {
    explore(8, || {
        let (word, guarded, dead) = (Model::new(me(0)), Guarded::new(), Arc::new(AtomicBool::new(false)));
        let waits = {
            let (word, guarded, dead) = (Arc::clone(&word), Arc::clone(&guarded), Arc::clone(&dead));
            thread::spawn(move || {
                assert_eq!(take_from_the_dead(&word, &dead, me(1)), (true, true));
                guarded.write();
                release(&word, me(1), ReleaseState::Inconsistent);
            })
        };
        guarded.write();
        dead.store(true, Ordering::Release);
        waits.join().expect("it went well");
        assert!(take(&word, me(2), false), "whoever comes next is told too");
    });
}

/// One takes the dead owner's slot, and with it lets go of what that had, while another one takes it over.
#[test]
fn who_gets_a_dead_owners_slot_and_who_takes_over_are_not_both_its_owner() {
    explore(8, || {
        let (word, guarded) = (Model::new(me(0)), Guarded::new());
        let joins = {
            let (word, guarded) = (Arc::clone(&word), Arc::clone(&guarded));
            thread::spawn(move || {
                let freed = lock::unlock(&*word, me(0), ReleaseState::Inconsistent);
                let newest = lock::owner(0, 2);
                let inconsistent = take(&word, newest, false);
                guarded.write();
                release(&word, newest, ReleaseState::AsFound);
                (freed, inconsistent)
            })
        };
        let dead = AtomicBool::new(true);
        let (over, inconsistent) = take_from_the_dead(&word, &dead, me(1));
        guarded.write();
        release(&word, me(1), ReleaseState::Consistent);
        let (freed, seen) = joins.join().expect("it went well");
        assert!(freed != over, "one of the two did it");
        assert!(seen || inconsistent, "whoever was first is told");
    });
}
