//! Letting go of everything that came from whoever started this process.

use std::fs::OpenOptions;
use std::io;

use rustix::process::{chdir, setsid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

/// What becomes of the standard input.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stdin {
    /// It is closed, as the rest is.
    Closed,
    /// Its end says that the starter has gone.
    Kept,
}

/// Keeps nothing but the standard output, for the one word that says that all is well.
pub(crate) fn detach(stdin: Stdin) -> io::Result<()> {
    // Refused to the leader of a group only, who has a session of its own as far as signals go.
    let _ = setsid();
    chdir("/")?;
    close_the_rest();
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    if stdin == Stdin::Closed {
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

fn close_the_rest() {
    // SAFETY: closes descriptors that came from the parent; nothing of ours is open yet.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, 0u32) } == 0;
    if closed {
        return;
    }
    // Kernels before 5.9: one by one, those that there are.
    let open: Vec<i32> = std::fs::read_dir("/proc/self/fd")
        .map(|entries| entries.flatten().filter_map(|it| it.file_name().to_str()?.parse().ok()).collect())
        .unwrap_or_default();
    for descriptor in open.into_iter().filter(|&descriptor| descriptor > 2) {
        // SAFETY: as above; the one of the listing itself is closed already, which is an error and no more.
        unsafe { libc::close(descriptor) };
    }
}
