//! Waiting on words of shared memory: futexes, without the flag that would keep them private to a process.

use std::sync::atomic::AtomicU32;
use std::time::Duration;

use super::errno::Errno;

/// A word, and the value during which a thread sleeps on it.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'w> {
    /// The word.
    pub word: &'w AtomicU32,
    /// The value.
    pub value: u32,
}

/// Sleeps while the word has the value, for `time` at most. May return early.
pub fn wait(word: &AtomicU32, value: u32, time: Duration) {
    let time = libc::timespec { tv_sec: seconds(time), tv_nsec: time.subsec_nanos() as libc::c_long };
    // SAFETY: the word is mapped as long as the reference lives, and `time` as long as the call.
    unsafe {
        libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, value, &raw const time);
    }
}

/// Wakes at most `count` threads that sleep on the word, and returns how many there were. Those that have slept longest
/// are woken first.
pub fn wake(word: &AtomicU32, count: u32) -> u32 {
    // SAFETY: the call uses nothing but the word's address.
    let woken = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, count) };
    u32::try_from(woken).unwrap_or(0)
}

/// Decades are as good as for ever, and the system can count them.
fn seconds(time: Duration) -> libc::time_t {
    time.as_secs().min(1 << 30) as libc::time_t
}

/// `struct futex_waitv` of `linux/futex.h`.
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
/// The most words that [`wait_any`] can sleep on: the kernel's `FUTEX_WAITV_MAX`.
pub const WAIT_ANY_MAX: usize = 128;

/// Sleeps while every word has its value, for `time` at most. May return early.
pub fn wait_any(words: &[Expected<'_>], time: Duration) {
    let waits: Vec<Waitv> = words.iter().take(WAIT_ANY_MAX).map(Waitv::from).collect();
    let mut until = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a clock that every Linux has, into a struct of this frame.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut until) };
    let nanos = until.tv_nsec + libc::c_long::from(time.subsec_nanos());
    until.tv_sec += seconds(time) + nanos / 1_000_000_000;
    until.tv_nsec = nanos % 1_000_000_000;
    waitv(&waits, &until);
}

/// Whether [`wait_any`] is available: from Linux 5.16 on, unless a container forbids it.
pub fn can_wait_any() -> bool {
    // A kernel that has the call refuses an empty list as an argument, and one that lacks it refuses the call.
    waitv(&[], &libc::timespec { tv_sec: 0, tv_nsec: 0 }) == Errno::INVAL.raw_os_error()
}

/// The errno, 0 for none.
fn waitv(waits: &[Waitv], until: &libc::timespec) -> i32 {
    // SAFETY: as many structs as `waits` has, each with the address of a word that is borrowed for this call.
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

impl From<&Expected<'_>> for Waitv {
    fn from(expected: &Expected<'_>) -> Self {
        Waitv {
            value: u64::from(expected.value),
            address: expected.word.as_ptr() as u64,
            flags: SHARED_U32,
            reserved: 0,
        }
    }
}
