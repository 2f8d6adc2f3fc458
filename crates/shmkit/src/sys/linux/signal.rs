//! Termination signals as a descriptor.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// Ignores the signals of terminals and of broken pipes, and returns a descriptor that is readable once SIGTERM arrived.
/// Must be called before there are other threads.
///
/// # Errors
/// The system's.
pub fn terminations() -> io::Result<OwnedFd> {
    // SAFETY: plain calls on signal dispositions and on a set of this frame, before there are other threads.
    unsafe {
        for ignored in
            [libc::SIGINT, libc::SIGHUP, libc::SIGQUIT, libc::SIGPIPE, libc::SIGUSR1, libc::SIGUSR2]
        {
            libc::signal(ignored, libc::SIG_IGN);
        }
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGTERM);
        if libc::sigprocmask(libc::SIG_SETMASK, &set, std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        let descriptor = libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedFd::from_raw_fd(descriptor))
    }
}
