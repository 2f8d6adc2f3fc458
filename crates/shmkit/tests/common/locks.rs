//! What the tests of locks share.

// Each test program uses a part of it.
#![allow(dead_code, missing_docs)]

use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, atomic::AtomicU32, atomic::Ordering};
use std::thread;
use std::time::{Duration, Instant};

use shmkit::segment::{CreateOptions, Name};
use shmkit::sync::{SharedLock, Wait, Want, sleep};

/// Longer than anything takes that goes well.
pub const PATIENCE: Duration = Duration::from_secs(20);

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
            assert!(began.elapsed() < PATIENCE, "nobody woke it");
            return inconsistent;
        }
        assert!(began.elapsed() < PATIENCE, "it is not to be had");
    }
}

/// Takes the lock where nobody dies: one sleep, so that a wake-up that is lost does not go unnoticed.
pub fn take(lock: &Arc<SharedLock>, want: Want) -> bool {
    wait_in_slices(lock.wait(want), PATIENCE)
}

/// Takes the lock where others die with it.
pub fn take_from_the_dead(lock: &Arc<SharedLock>, want: Want) -> bool {
    wait_in_slices(lock.wait(want), Duration::from_millis(20))
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
