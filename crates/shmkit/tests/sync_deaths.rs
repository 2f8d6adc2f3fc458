//! Locks of processes that are killed, stopped and forked.

#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::expect_used)]

#[path = "common/locks.rs"]
mod locks;

use std::env;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use locks::{Blocking, Named, Numbers, TIMEOUT, Watchdog, take, take_from_the_dead, until};
use shmkit::bytes::SharedBytes;
use shmkit::segment::{AttachOptions, Name, Segment};
use shmkit::sync::{LockAccess, ReleaseState, SharedLock};

/// What a child of this program does, and to which segment.
const ROLE: &str = "SHMKIT_TEST_ROLE";
const SEGMENT: &str = "SHMKIT_TEST_SEGMENT";

/// In the segment, as words: two counts that are raised one after the other,
const ONE: usize = 0;
const TWO: usize = 8;
/// how often they were found to differ by who was not told,
const BROKEN: usize = 16;
/// how often somebody was told,
const TOLD: usize = 24;
/// and what the children of each place have done.
const DONE: usize = 32;

fn load(bytes: SharedBytes<'_>, at: usize) -> u64 {
    bytes.load_word(at).expect("inside")
}

fn add(bytes: SharedBytes<'_>, at: usize) {
    bytes.store_word(at, load(bytes, at) + 1).expect("inside");
}

fn bytes(segment: &Segment) -> SharedBytes<'_> {
    segment.mapping().expect("mapped").bytes()
}

/// Looks at what the lock guards, for who has it; repairs it if he was told.
fn check(bytes: SharedBytes<'_>, told: bool) {
    if told {
        add(bytes, TOLD);
        bytes.store_word(TWO, load(bytes, ONE)).expect("inside");
    }
    if load(bytes, ONE) != load(bytes, TWO) {
        add(bytes, BROKEN);
    }
}

/// For children only: nothing is done where the variables are not there.
#[test]
fn child() {
    let (Ok(role), Ok(name)) = (env::var(ROLE), env::var(SEGMENT)) else { return };
    let name = Name::new(&name).expect("a name");
    let segment = Segment::attach(&name, &AttachOptions::default()).expect("attached");
    let lock = Arc::new(SharedLock::sidecar(&segment).expect("a lock"));
    let (role, place) = role.split_once(' ').expect("a role and a place");
    let done = DONE + 8 * place.parse::<usize>().expect("a number");
    let bytes = bytes(&segment);
    match role {
        "reads" => drop(take_from_the_dead(&lock, LockAccess::Read)),
        "writes" => drop(take_from_the_dead(&lock, LockAccess::Write)),
        "execs" => {
            take_from_the_dead(&lock, LockAccess::Write);
            let mut next = Command::new(env::current_exe().expect("this program"));
            next.args(["--exact", "child", "--test-threads=1"]).env(ROLE, format!("writes {place}"));
            panic!("{}", next.exec());
        }
        "waits" => {
            add(bytes, done);
            take(&lock, LockAccess::Write);
        }
        _ => loop {
            let told = take_from_the_dead(&lock, LockAccess::Write);
            check(bytes, told);
            add(bytes, ONE);
            (0..200).for_each(|_| std::hint::spin_loop());
            add(bytes, TWO);
            add(bytes, done);
            lock.unlock(ReleaseState::Consistent).expect("it had it");
            if load(bytes, done).is_multiple_of(4) {
                if !take_from_the_dead(&lock, LockAccess::Read) && load(bytes, ONE) != load(bytes, TWO) {
                    add(bytes, BROKEN);
                }
                lock.unlock_read().expect("it read");
            }
        },
    }
    add(bytes, done);
    loop {
        thread::sleep(TIMEOUT); // until it is killed
    }
}

struct Theatre {
    name: Named,
    segment: Segment,
    lock: Arc<SharedLock>,
}

/// A process that is killed with the test, at the latest.
struct Actor(Child);

impl Drop for Actor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Actor {
    fn signal(&self, number: i32) {
        // SAFETY: a plain system call; the child is not reaped before it is dropped, so the pid is its own.
        unsafe { libc::kill(self.0.id() as i32, number) };
    }
}

impl Theatre {
    fn new() -> Self {
        let name = Named::new();
        let segment = Segment::create(4096, &name.options(), &AtomicBool::new(false)).expect("a segment");
        let lock = Arc::new(SharedLock::sidecar(&segment).expect("a lock"));
        Theatre { name, segment, lock }
    }

    fn bytes(&self) -> SharedBytes<'_> {
        bytes(&self.segment)
    }

    fn done(&self, place: usize) -> u64 {
        load(self.bytes(), DONE + 8 * place)
    }

    /// A child that has begun with what it does.
    fn actor(&self, role: &str, place: usize) -> Actor {
        let before = self.done(place);
        let child = Command::new(env::current_exe().expect("this program"))
            .args(["--exact", "child", "--test-threads=1"])
            .env(ROLE, format!("{role} {place}"))
            .env(SEGMENT, self.name.0.as_str())
            .stdout(Stdio::null())
            .spawn()
            .expect("a child");
        let actor = Actor(child);
        until("the child begins", || self.done(place) > before);
        actor
    }
}

#[test]
fn processes_that_are_killed_at_any_moment_keep_nobody_out_and_nobody_in_the_dark() {
    let _watchdog = Watchdog::new(240);
    let theatre = Theatre::new();
    let mut numbers = Numbers(0x00c0_ffee);
    let mut actors: Vec<_> = (0..3).map(|place| theatre.actor("locks", place)).collect();
    for round in 0..250 {
        let place = numbers.below(3) as usize;
        let any_moment = Duration::from_micros(numbers.below(2_000));
        thread::sleep(any_moment);
        let before: Vec<_> = (0..3).map(|place| theatre.done(place)).collect();
        actors[place].signal(libc::SIGKILL);
        if round % 5 == 0 {
            let told = take_from_the_dead(&theatre.lock, LockAccess::Write);
            check(theatre.bytes(), told);
            theatre.lock.unlock(ReleaseState::Consistent).expect("it had it");
        }
        for other in (0..3).filter(|other| *other != place) {
            until("the others go on", || theatre.done(other) > before[other]);
        }
        actors[place] = theatre.actor("locks", place);
    }
    drop(actors);
    let told = take_from_the_dead(&theatre.lock, LockAccess::Write);
    check(theatre.bytes(), told);
    let count = |at| load(theatre.bytes(), at);
    assert_eq!(count(BROKEN), 0, "of {} times", count(ONE));
    assert!(count(TOLD) > 20, "{} were killed in the middle: too few", count(TOLD));
}

#[test]
fn whoever_is_killed_with_the_lock_is_taken_it_from_and_one_is_told() {
    let _watchdog = Watchdog::new(60);
    let theatre = Theatre::new();
    for _ in 0..5 {
        drop(theatre.actor("writes", 0));
        assert!(take_from_the_dead(&theatre.lock, LockAccess::Write));
        theatre.lock.unlock(ReleaseState::Consistent).expect("it had it");
        drop(theatre.actor("writes", 0));
        assert_eq!(theatre.lock.try_lock(LockAccess::Read), Ok(Some(true)));
        theatre.lock.unlock_read().expect("it read");
        assert!(take_from_the_dead(&theatre.lock, LockAccess::Write), "who reads repairs nothing");
        theatre.lock.unlock(ReleaseState::Consistent).expect("it had it");
    }
}

#[test]
fn those_who_are_killed_while_they_read_are_not_waited_for() {
    let _watchdog = Watchdog::new(60);
    let theatre = Theatre::new();
    for _ in 0..5 {
        let readers: Vec<_> = (0..3).map(|place| theatre.actor("reads", place)).collect();
        assert_eq!(theatre.lock.try_lock(LockAccess::Write), Ok(None));
        drop(readers);
        assert!(!take_from_the_dead(&theatre.lock, LockAccess::Write), "who only read broke nothing");
        theatre.lock.unlock(ReleaseState::Consistent).expect("it had it");
    }
    let readers: Vec<_> = (0..3).map(|place| theatre.actor("reads", place)).collect();
    drop(readers);
    assert_eq!(theatre.lock.try_lock(LockAccess::Write), Ok(Some(false)), "at the first try too");
}

#[test]
fn whoever_is_stopped_keeps_what_he_has() {
    let _watchdog = Watchdog::new(60);
    for role in ["writes", "reads"] {
        let theatre = Theatre::new();
        let actor = theatre.actor(role, 0);
        actor.signal(libc::SIGSTOP);
        let mut wait = theatre.lock.wait(LockAccess::Write);
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(300) {
            let outcome = shmkit::sync::sleep(&mut wait, Duration::from_millis(20));
            assert_eq!(outcome, Ok(None), "of one who {role}");
        }
        drop(actor);
        let outcome = shmkit::sync::sleep(&mut wait, Duration::from_millis(100)).expect("no error");
        let told = outcome.unwrap_or_else(|| locks::wait_in_slices(wait, Duration::from_millis(20)));
        assert_eq!(told, role == "writes");
    }
}

/// One that is killed as it sleeps takes nobody's wake-up along for longer than the others' slices.
#[test]
fn whoever_is_killed_as_he_waits_keeps_nobody_waiting() {
    let _watchdog = Watchdog::new(60);
    let theatre = Theatre::new();
    let second = Arc::new(SharedLock::sidecar(&theatre.segment).expect("a lock"));
    for _ in 0..10 {
        take(&theatre.lock, LockAccess::Write);
        let actor = theatre.actor("waits", 0);
        let waiter = Blocking::default();
        thread::scope(|scope| {
            scope.spawn(|| {
                waiter.announce();
                take_from_the_dead(&second, LockAccess::Write);
                second.unlock(ReleaseState::Consistent).expect("it had it");
            });
            waiter.until_asleep();
            theatre.lock.unlock(ReleaseState::Consistent).expect("it had it");
            drop(actor);
        });
    }
}

#[test]
fn whoever_becomes_another_program_with_the_lock_is_as_good_as_dead() {
    let _watchdog = Watchdog::new(60);
    let theatre = Theatre::new();
    let _actor = theatre.actor("execs", 0); // which takes the lock once more, as that other program
}

/// Runs `child` in a forked child, and says whether it returned true there.
fn forked(child: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child calls nothing that other threads of this program could have been in the middle of but the
    // allocator, which glibc keeps whole; and it never returns.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let well = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(false);
        // SAFETY: a plain system call.
        unsafe { libc::_exit(i32::from(!well)) };
    }
    assert!(pid > 0, "a child");
    let mut status = 0;
    // SAFETY: the child was not waited for before.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    status == 0
}

#[test]
fn a_forked_child_takes_part_for_itself_and_its_end_takes_nothing_from_the_parent() {
    let _watchdog = Watchdog::new(60);
    let name = Named::new();
    let (lock, other) = (name.mutex(), name.mutex());
    let me = lock.me().expect("open");
    for _ in 0..20 {
        take(&lock, LockAccess::Write);
        assert!(forked(|| {
            lock.me().is_ok_and(|mine| mine != me)
                && lock.try_lock(LockAccess::Write) == Ok(None)
                && lock.unlock(ReleaseState::Consistent).is_err_and(|error| error.code == "ERR_SHM_LOCK_LOST")
        }));
        assert_eq!(other.try_lock(LockAccess::Write), Ok(None), "the parent has it still");
        lock.unlock(ReleaseState::Consistent).expect("it had it");
        assert!(forked(|| lock.try_lock(LockAccess::Write) == Ok(Some(false))), "and ends with it");
        assert_eq!(other.try_lock(LockAccess::Write), Ok(Some(true)));
        other.unlock(ReleaseState::Consistent).expect("it had it");
        assert!(forked(|| lock.try_lock(LockAccess::Read) == Ok(Some(false))), "and ends as it reads");
        assert_eq!(other.try_lock(LockAccess::Write), Ok(Some(false)));
        other.unlock(ReleaseState::Consistent).expect("it had it");
        assert!(forked(|| forked(|| lock.try_lock(LockAccess::Write) == Ok(Some(false)))), "a grandchild");
        assert_eq!(other.try_lock(LockAccess::Write), Ok(Some(true)));
        other.unlock(ReleaseState::Consistent).expect("it had it");
    }
    assert_eq!(lock.me(), Ok(me));
}

#[test]
fn whoever_lives_and_has_lost_his_descriptor_keeps_the_lock() {
    let _watchdog = Watchdog::new(60);
    let name = Named::new();
    let (lock, other) = (name.mutex(), name.mutex());
    let ours =
        |number: &i32| fs::read_link(format!("/proc/self/fd/{number}")).is_ok_and(|link| link == name.path());
    let numbers: Vec<i32> = fs::read_dir("/proc/self/fd")
        .expect("descriptors")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok()))
        .filter(ours)
        .collect();
    take(&lock, LockAccess::Write);
    // The lower number is the first one's. Nothing that the other one closes later may be somebody else's.
    let first = numbers.iter().min().copied().expect("a number");
    // SAFETY: the number becomes that of no file that could be locked, and is closed by its handle.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        libc::dup3(null, first, libc::O_CLOEXEC);
        libc::close(null);
    }
    let mut wait = other.wait(LockAccess::Write);
    for _ in 0..10 {
        assert_eq!(shmkit::sync::sleep(&mut wait, Duration::from_millis(20)), Ok(None));
    }
    let third = name.mutex();
    assert_ne!(third.me(), lock.me(), "nor is its slot given to another one");
    lock.unlock(ReleaseState::Consistent).expect("it had it");
    assert!(!locks::wait_in_slices(wait, TIMEOUT));
}
