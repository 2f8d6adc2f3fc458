//! What the tests of locks share.

// Each test program uses a part of it.
#![allow(dead_code, missing_docs)]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use shmkit::segment::{CreateOptions, Name};
use shmkit::sync::{LockAccess, SharedLock, Wait, sleep};

/// Longer than anything takes that goes well.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// Ends the program where a test hangs, which would say nothing.
pub struct Watchdog {
    _ends: Sender<()>,
}

impl Watchdog {
    pub fn new(seconds: u64) -> Self {
        let (ends, ended) = channel();
        let test = thread::current().name().unwrap_or_default().to_owned();
        thread::spawn(move || {
            if ended.recv_timeout(Duration::from_secs(seconds)) == Err(RecvTimeoutError::Timeout) {
                eprintln!("'{test}' hangs");
                std::process::abort();
            }
        });
        Watchdog { _ends: ends }
    }
}

/// A name in `/dev/shm` whose file, and the lock beside it, go with the test.
pub struct Named(pub Name);

impl Named {
    pub fn new() -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        Named(Name::new(&format!("shmkit-sync-{}-{number}", std::process::id())).expect("a name"))
    }

    pub fn options(&self) -> CreateOptions {
        CreateOptions { name: Some(self.0.clone()), ..CreateOptions::default() }
    }

    /// Another participant.
    pub fn mutex(&self) -> Arc<SharedLock> {
        Arc::new(SharedLock::create_or_attach(&self.options()).expect("a mutex"))
    }

    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/dev/shm/{}", self.0.as_str()))
    }

    pub fn sidecar_path(&self) -> PathBuf {
        PathBuf::from(format!("/dev/shm/{}.lk", self.0.as_str()))
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.path());
        let _ = std::fs::remove_file(self.sidecar_path());
    }
}

/// Waits in slices of this length, between which it is looked who has died; whether what is guarded is inconsistent.
pub fn wait_in_slices(mut wait: impl Wait, slice: Duration) -> bool {
    let began = Instant::now();
    loop {
        if let Some(inconsistent) = sleep(&mut wait, slice).expect("it can be waited for") {
            assert!(began.elapsed() < TIMEOUT, "nobody woke it");
            return inconsistent;
        }
        assert!(began.elapsed() < TIMEOUT, "it is not to be had");
    }
}

/// Takes the lock where nobody dies: one sleep, so that a wake-up that is lost does not go unnoticed.
pub fn take(lock: &Arc<SharedLock>, access: LockAccess) -> bool {
    wait_in_slices(lock.wait(access), TIMEOUT)
}

/// Takes the lock where others die with it.
pub fn take_from_the_dead(lock: &Arc<SharedLock>, access: LockAccess) -> bool {
    wait_in_slices(lock.wait(access), Duration::from_millis(20))
}

/// Polls until the condition holds.
pub fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < TIMEOUT, "{what}");
        thread::sleep(Duration::from_micros(200));
    }
}

/// Bit 31 of a lock's word: a waiter sleeps, or is about to.
const WAITERS: u32 = 1 << 31;
/// Where the word is in a lock's file.
const WORD: u64 = 64;

/// Waits until the lock in this file has a waiter.
pub fn until_awaited(path: &Path) {
    let file = File::open(path).expect("a lock");
    until("the lock has a waiter", || {
        let mut word = [0; 4];
        file.read_exact_at(&mut word, WORD).expect("a word");
        u32::from_ne_bytes(word) & WAITERS != 0
    });
}

/// A thread that is about to block says its number here, so that others can wait until it sleeps.
#[derive(Default)]
pub struct Blocking(AtomicI32);

impl Blocking {
    /// Called by the thread that is about to block.
    pub fn announce(&self) {
        // SAFETY: a plain system call.
        self.0.store(unsafe { libc::gettid() }, Ordering::SeqCst);
    }

    /// Waits until the thread that has announced itself sleeps.
    pub fn until_asleep(&self) {
        until("the thread sleeps", || {
            let thread = self.0.load(Ordering::SeqCst);
            let stat = fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S'))
        });
    }
}

/// Numbers that look random and are the same each time.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}
