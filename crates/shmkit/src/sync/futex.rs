//! Sleeping on shared words, on Linux: futexes, without the flag that would keep them private to a process.

use std::sync::atomic::{AtomicU32, Ordering, fence};
use std::time::Duration;

use super::word::Word;

/// A word in memory.
impl Word for AtomicU32 {
    fn load(&self) -> u32 {
        self.load(Ordering::SeqCst)
    }

    fn compare_exchange(&self, old: u32, new: u32) -> Result<u32, u32> {
        self.compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst)
    }

    fn wait(&self, expected: u32, time: Duration) {
        let time = libc::timespec { tv_sec: seconds(time), tv_nsec: time.subsec_nanos() as libc::c_long };
        // SAFETY: the word is mapped as long as `self` lives, and `time` as long as the call.
        unsafe {
            libc::syscall(libc::SYS_futex, self.as_ptr(), libc::FUTEX_WAIT, expected, &raw const time);
        }
    }

    fn wake(&self, count: u32) -> u32 {
        // SAFETY: the call looks at the word's address alone.
        let woken = unsafe { libc::syscall(libc::SYS_futex, self.as_ptr(), libc::FUTEX_WAKE, count) };
        u32::try_from(woken).unwrap_or(0)
    }

    fn fence() {
        fence(Ordering::SeqCst);
    }
}

/// Decades are as good as for ever, and the system can count them.
fn seconds(time: Duration) -> libc::time_t {
    time.as_secs().min(1 << 30) as libc::time_t
}

/// A word, and what it is while it is slept on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot<'w> {
    pub(super) word: &'w AtomicU32,
    pub(super) expected: u32,
}

/// As `linux/futex.h` has it.
#[repr(C)]
struct Waitv {
    value: u64,
    address: u64,
    flags: u32,
    reserved: u32,
}

const _: () = assert!(size_of::<Waitv>() == 24);

/// `FUTEX2_SIZE_U32`, and not private.
const SHARED_U32: u32 = 2;
/// The kernel's limit, `FUTEX_WAITV_MAX`.
pub(super) const MANY: usize = 128;

/// Sleeps while every word is as expected, for `time` at most; may wake for no reason.
pub(super) fn wait_any(spots: &[Spot<'_>], time: Duration) {
    let waits: Vec<Waitv> = spots.iter().take(MANY).map(Waitv::from).collect();
    let mut until = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a clock that every Linux has, into a struct of this frame.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut until) };
    let nanos = until.tv_nsec + libc::c_long::from(time.subsec_nanos());
    until.tv_sec += seconds(time) + nanos / 1_000_000_000;
    until.tv_nsec = nanos % 1_000_000_000;
    waitv(&waits, &until);
}

/// Whether `wait_any` can be used: Linux 5.16, and containers that know of it.
pub(super) fn can_wait_for_any() -> bool {
    // Asked for nothing, a kernel that knows the call finds the argument wrong, and not the call.
    waitv(&[], &libc::timespec { tv_sec: 0, tv_nsec: 0 }) == libc::EINVAL
}

/// The errno, 0 for none.
fn waitv(waits: &[Waitv], until: &libc::timespec) -> i32 {
    // SAFETY: so many structs as `waits` has, each with the address of a word that is borrowed for this call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_futex_waitv,
            waits.as_ptr(),
            waits.len() as libc::c_uint,
            0,
            &raw const *until,
            libc::CLOCK_MONOTONIC,
        )
    };
    if result < 0 { std::io::Error::last_os_error().raw_os_error().unwrap_or(0) } else { 0 }
}

impl From<&Spot<'_>> for Waitv {
    fn from(spot: &Spot<'_>) -> Self {
        Waitv {
            value: u64::from(spot.expected),
            address: spot.word.as_ptr() as u64,
            flags: SHARED_U32,
            reserved: 0,
        }
    }
}
