//! Starting a detached process: it has a session of its own from its first instruction on, so it does not die if the
//! process group of its starter is killed. `std::process` cannot do that without copying the page tables of what may be a
//! large process.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::ptr;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use super::socket::send_at_once;

/// A child process, and what it writes to its standard output.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    /// Its standard output, until it is taken.
    pub stdout: Option<File>,
}

impl Child {
    /// Its id.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// How it ended: its code, `None` for a signal. `None` while it runs.
    ///
    /// # Errors
    /// The system's.
    pub fn try_wait(&mut self) -> io::Result<Option<Option<i32>>> {
        let status = waitpid(Some(self.pid), WaitOptions::NOHANG)?;
        Ok(status.map(|(_, status)| status.exit_status()))
    }

    /// Kills it, and waits for its end.
    pub fn kill(self) {
        let _ = kill_process(self.pid, Signal::KILL);
        let _ = waitpid(Some(self.pid), WaitOptions::empty());
    }
}

/// The first descriptor of those that are passed to a child beside its standard ones.
const FIRST_PASSED: i32 = 3;

/// Starts `program` with one argument. It inherits nothing: no environment, and no descriptor but a pipe.
///
/// # Errors
/// The system's.
pub fn spawn(program: &Path, argument: &CStr) -> io::Result<Child> {
    let program = CString::new(program.as_os_str().as_bytes())?;
    let (stdout, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
    let pid = spawn_detached(&program, argument, None, theirs.as_fd(), &[])?;
    Ok(Child { pid, stdout: Some(File::from(stdout)) })
}

/// As [`spawn`], with a socket to it. The other end is its standard input and output, and `input` is there before it starts.
/// The files in `passed` are its descriptors from 3 on.
///
/// # Errors
/// The system's.
pub fn spawn_with_socket(
    program: &Path,
    argument: &CStr,
    input: &[u8],
    passed: &[BorrowedFd<'_>],
) -> io::Result<(Child, UnixStream)> {
    let program = CString::new(program.as_os_str().as_bytes())?;
    let (socket, theirs) = UnixStream::pair()?;
    if send_at_once(&socket, input)? < input.len() {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let pid = spawn_detached(&program, argument, Some(theirs.as_fd()), theirs.as_fd(), passed)?;
    Ok((Child { pid, stdout: None }, socket))
}

/// Another number for the same file, if the child's own numbers would replace this one.
fn clear_of(file: BorrowedFd<'_>, last: i32) -> io::Result<Option<OwnedFd>> {
    if file.as_raw_fd() > last { Ok(None) } else { Ok(Some(fcntl_dupfd_cloexec(file, last + 1)?)) }
}

fn spawn_detached(
    program: &CStr,
    argument: &CStr,
    stdin: Option<BorrowedFd<'_>>,
    stdout: BorrowedFd<'_>,
    passed: &[BorrowedFd<'_>],
) -> io::Result<Pid> {
    let numbers =
        (0..).zip([stdin, Some(stdout)]).chain((FIRST_PASSED..).zip(passed.iter().copied().map(Some)));
    let files: Vec<_> = numbers.filter_map(|(number, file)| Some((number, file?))).collect();
    let last = files.last().map_or(0, |(number, _)| *number);
    let copies = files.iter().map(|(_, file)| clear_of(*file, last)).collect::<io::Result<Vec<_>>>()?;
    let check = |code: i32| if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) };
    let argv = [program.as_ptr().cast_mut(), argument.as_ptr().cast_mut(), ptr::null_mut()];
    let envp = [ptr::null_mut()];
    let (mut actions, mut attributes, mut signals) =
        (MaybeUninit::uninit(), MaybeUninit::uninit(), MaybeUninit::uninit());
    let mut pid = 0;
    // SAFETY: each object is initialised by the first call that it is given to, and destroyed once, after its last
    // use. All strings and arrays live until the calls return, and both arrays end with null.
    unsafe {
        check(libc::posix_spawn_file_actions_init(actions.as_mut_ptr()))?;
        if let Err(error) = check(libc::posix_spawnattr_init(attributes.as_mut_ptr())) {
            libc::posix_spawn_file_actions_destroy(actions.as_mut_ptr());
            return Err(error);
        }
        let spawned = (|| {
            let (actions, attributes) = (actions.as_mut_ptr(), attributes.as_mut_ptr());
            let null = c"/dev/null".as_ptr();
            if stdin.is_none() {
                check(libc::posix_spawn_file_actions_addopen(actions, 0, null, libc::O_RDONLY, 0))?;
            }
            for ((number, file), copy) in files.iter().zip(&copies) {
                let file = copy.as_ref().map_or(file.as_raw_fd(), |copy| copy.as_raw_fd());
                check(libc::posix_spawn_file_actions_adddup2(actions, file, *number))?;
            }
            check(libc::posix_spawn_file_actions_addopen(actions, 2, null, libc::O_WRONLY, 0))?;
            let flags =
                libc::POSIX_SPAWN_SETSID as i32 | libc::POSIX_SPAWN_SETSIGDEF | libc::POSIX_SPAWN_SETSIGMASK;
            check(libc::posix_spawnattr_setflags(attributes, flags as _))?;
            libc::sigfillset(signals.as_mut_ptr());
            check(libc::posix_spawnattr_setsigdefault(attributes, signals.as_ptr()))?;
            libc::sigemptyset(signals.as_mut_ptr());
            check(libc::posix_spawnattr_setsigmask(attributes, signals.as_ptr()))?;
            let (argv, envp) = (argv.as_ptr(), envp.as_ptr());
            check(libc::posix_spawn(&mut pid, program.as_ptr(), actions, attributes, argv, envp))
        })();
        libc::posix_spawn_file_actions_destroy(actions.as_mut_ptr());
        libc::posix_spawnattr_destroy(attributes.as_mut_ptr());
        spawned?;
    }
    Pid::from_raw(pid).ok_or_else(|| io::Error::other("the system gave no process id"))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::Shutdown;

    use super::*;

    #[test]
    fn it_has_a_session_of_its_own_and_nothing_of_ours() {
        // Its own stat: pid (comm) state ppid pgrp session …
        let script = c"/proc/self/stat";
        let mut child = spawn(Path::new("/bin/cat"), script).expect("started");
        let mut stat = String::new();
        child.stdout.take().expect("its output").read_to_string(&mut stat).expect("read");
        let fields: Vec<&str> = stat.split(' ').collect();
        assert_eq!((fields[0], fields[0]), (fields[4], fields[5]), "{stat}");
        while child.try_wait().expect("waited").is_none() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn it_reads_what_it_was_told_and_has_what_it_is_handed() {
        // The number of the first is one of those that the child's own take.
        let (mine, other) = (std::io::stdin(), File::open("/proc/self/stat").expect("open"));
        let handed = [mine.as_fd(), other.as_fd()];
        let (mut child, mut line) =
            spawn_with_socket(Path::new("/bin/cat"), c"-", b"told", &handed).expect("started");
        let file = |number: i32| std::fs::read_link(format!("/proc/{}/fd/{number}", child.pid()));
        let mut said = [0; 4];
        line.read_exact(&mut said).expect("read");
        assert_eq!(&said, b"told");
        assert_eq!(file(3).expect("a file"), std::fs::read_link("/proc/self/fd/0").expect("a file"));
        assert!(file(4).expect("a file").ends_with("stat"));
        assert!(file(5).is_err(), "and nothing else");
        line.shutdown(Shutdown::Write).expect("shut down");
        assert_eq!(line.read(&mut said).expect("its end"), 0);
        while child.try_wait().expect("waited").is_none() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_cannot_be_started_is_an_error() {
        assert!(spawn(Path::new("/nowhere/program"), c"").is_err());
        assert!(spawn(Path::new("/proc/self/stat"), c"").is_err());
        assert!(spawn(Path::new("a\0b"), c"").is_err());
    }
}
