//! Waiting for descriptors.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};

use super::errno::{Errno, Result};

/// Waits until there is something to read, or the end; returns false after `time`.
///
/// # Errors
/// `EINTR` if a signal arrived; else the system's.
pub fn wait_readable(file: impl AsFd, time: Duration) -> Result<bool> {
    wait(file, PollFlags::IN, time)
}

/// Waits until something can be written; returns false after `time`.
///
/// # Errors
/// As [`wait_readable`].
pub fn wait_writable(file: impl AsFd, time: Duration) -> Result<bool> {
    wait(file, PollFlags::OUT, time)
}

fn wait(file: impl AsFd, flags: PollFlags, time: Duration) -> Result<bool> {
    let time = Timespec::try_from(time).unwrap_or_default();
    poll(&mut [PollFd::new(&file, flags)], Some(&time)).map(|ready| ready > 0)
}

/// What a [`Poller`] waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Something to read.
    Read,
    /// Room for something to write.
    Write,
}

impl Interest {
    fn flags(self) -> epoll::EventFlags {
        match self {
            Interest::Read => epoll::EventFlags::IN,
            Interest::Write => epoll::EventFlags::OUT,
        }
    }
}

/// The most events that one call returns.
const EVENTS_MAX: usize = 64;

/// Waits for many descriptors at once, each of which has a key.
#[derive(Debug)]
pub struct Poller(OwnedFd);

impl Poller {
    /// Of no descriptors.
    ///
    /// # Errors
    /// The system's.
    pub fn new() -> Result<Self> {
        epoll::create(epoll::CreateFlags::CLOEXEC).map(Poller)
    }

    /// Waits for this descriptor too, until it is closed.
    ///
    /// # Errors
    /// The system's.
    pub fn add(&self, file: impl AsFd, key: u64, interest: Interest) -> Result<()> {
        epoll::add(&self.0, file, epoll::EventData::new_u64(key), interest.flags())
    }

    /// Waits for something else of a descriptor that was added.
    ///
    /// # Errors
    /// The system's.
    pub fn modify(&self, file: impl AsFd, key: u64, interest: Interest) -> Result<()> {
        epoll::modify(&self.0, file, epoll::EventData::new_u64(key), interest.flags())
    }

    /// No longer waits for a descriptor.
    ///
    /// # Errors
    /// The system's.
    pub fn remove(&self, file: impl AsFd) -> Result<()> {
        epoll::delete(&self.0, file)
    }

    /// Waits until a descriptor is ready, for `time` at most; without it for ever. Returns early if a signal arrives.
    /// The keys of descriptors that are ready replace what is in `keys`.
    ///
    /// # Errors
    /// The system's.
    pub fn wait(&self, keys: &mut Vec<u64>, time: Option<Duration>) -> Result<()> {
        let time = time.map(|time| Timespec::try_from(time).unwrap_or_default());
        let mut events = [const { MaybeUninit::uninit() }; EVENTS_MAX];
        keys.clear();
        match epoll::wait(&self.0, &mut events, time.as_ref()) {
            Ok((ready, _)) => keys.extend(ready.iter().map(|event| event.data.u64())),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
        Ok(())
    }
}
