//! What a detached process does first: it closes and leaves what it inherited from its starter.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{chdir, setsid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

/// The descriptors that [`spawn_with_socket`](super::spawn::spawn_with_socket) passes.
const PASSED: [i32; 2] = [3, 4];

/// The descriptors from the starter that stay open, besides the standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptDescriptors {
    /// Nothing more.
    Nothing,
    /// The standard input, and the passed descriptors.
    Passed,
}

/// Takes the passed descriptors, which this process's own children do not inherit. Must be called once, before anything is
/// opened.
///
/// # Errors
/// The system's.
pub fn passed() -> io::Result<[OwnedFd; PASSED.len()]> {
    for number in PASSED {
        // SAFETY: it is used for this call alone, which fails where it is not open.
        fcntl_setfd(unsafe { BorrowedFd::borrow_raw(number) }, FdFlags::CLOEXEC)?;
    }
    // SAFETY: they are open, as was just seen, and nobody else's: nothing of ours is open yet.
    Ok(PASSED.map(|number| unsafe { OwnedFd::from_raw_fd(number) }))
}

/// Enters a session and a working directory of its own, and closes all that is not kept. The standard output stays, for
/// [`report`].
///
/// # Errors
/// The system's.
pub fn detach(kept: KeptDescriptors) -> io::Result<()> {
    // Refused only to the leader of a group, which has a session of its own as far as signals go.
    let _ = setsid();
    chdir("/")?;
    close_the_rest(if kept == KeptDescriptors::Passed { PASSED[PASSED.len() - 1] } else { 2 });
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    if kept == KeptDescriptors::Nothing {
        dup2_stdin(&null)?;
    }
    dup2_stderr(&null)?;
    Ok(())
}

/// Writes a word to the standard output and closes it: the starter waits for its end.
///
/// # Errors
/// The system's.
pub fn report(word: &str) -> io::Result<()> {
    use io::Write;
    let mut stdout = io::stdout();
    // The starter may be dead.
    let _ = stdout.write_all(word.as_bytes()).and_then(|()| stdout.flush());
    let null = OpenOptions::new().write(true).open("/dev/null")?;
    dup2_stdout(&null)?;
    Ok(())
}

/// Closes the descriptors after `last`.
fn close_the_rest(last: i32) {
    // SAFETY: closes descriptors that came from the parent; nothing of ours is open yet.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, last + 1, -1, 0) } == 0;
    if closed {
        return;
    }
    // Kernels before 5.9: one by one, those that there are.
    let open: Vec<i32> = std::fs::read_dir("/proc/self/fd")
        .map(|entries| entries.flatten().filter_map(|it| it.file_name().to_str()?.parse().ok()).collect())
        .unwrap_or_default();
    for descriptor in open.into_iter().filter(|&descriptor| descriptor > last) {
        // SAFETY: as above; the one of the listing itself is closed already, which is an error and no more.
        unsafe { libc::close(descriptor) };
    }
}
