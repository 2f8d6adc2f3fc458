//! Letting go of everything that came from whoever started this process.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{chdir, setsid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

/// What a starter handed over to a manager: its socket, and its ledger.
const HANDED: [i32; 2] = [3, 4];

/// What is kept of what came from the starter, beside the standard output.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    Nothing,
    /// The standard input, whose end says that the starter has gone, and what was handed over.
    Handed,
}

/// Takes what was handed over, of which this process's own children are to get nothing. To be called once, before anything is
/// opened.
pub(crate) fn handed() -> io::Result<[OwnedFd; HANDED.len()]> {
    for number in HANDED {
        // SAFETY: it is used for this call alone, which fails where it is not open.
        fcntl_setfd(unsafe { BorrowedFd::borrow_raw(number) }, FdFlags::CLOEXEC)?;
    }
    // SAFETY: they are open, as was just seen, and nobody else's: nothing of ours is open yet.
    Ok(HANDED.map(|number| unsafe { OwnedFd::from_raw_fd(number) }))
}

/// Keeps nothing but that, and the standard output for the word that says that all is well.
pub(crate) fn detach(kept: Kept) -> io::Result<()> {
    // Refused to the leader of a group only, who has a session of its own as far as signals go.
    let _ = setsid();
    chdir("/")?;
    close_the_rest(if kept == Kept::Handed { HANDED[HANDED.len() - 1] } else { 2 });
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    if kept == Kept::Nothing {
        dup2_stdin(&null)?;
    }
    dup2_stderr(&null)?;
    Ok(())
}

/// Says that word, and lets go of the standard output too: whoever waits for its end goes on.
pub(crate) fn report(word: &str) -> io::Result<()> {
    use io::Write;
    let mut stdout = io::stdout();
    // Nobody may be listening.
    let _ = stdout.write_all(word.as_bytes()).and_then(|()| stdout.flush());
    let null = OpenOptions::new().write(true).open("/dev/null")?;
    dup2_stdout(&null)?;
    Ok(())
}

/// What came after the last that is kept.
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
