//! The way to the companion process, `shmkitd tracker`, which makes clean-up immediate.
//!
//! Each process holds a socket to it; when the process dies, however it does, the socket's end tells the
//! tracker to look at the ledgers. The ledgers are the truth: with no tracker at all, the next process that looks
//! at them cleans up.
//!
//! One thread of ours starts the tracker where there is none, waits for the socket's end, and starts another: the
//! event loop's thread is never held up.
//!
//! ```text
//! process                      tracker
//!   16 bytes: its token   ──▶
//!                         ◀──  8 bytes: GREETING
//!   … nothing more; the end of the socket is the message
//! ```

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::ledger::{Home, Token};

/// The tracker's socket in the directory of the ledgers.
pub const SOCKET: &str = "tracker";
/// The file that a tracker has locked for as long as it lives: there is one of them.
pub const LOCK: &str = "tracker.lock";
/// What a tracker says to whoever connects.
pub const GREETING: [u8; 8] = *b"shmkitd1";
/// What a tracker writes to its standard output when it can be connected to.
pub const READY: &str = "ready\n";

/// Whatever answers is given this long to show that it is a tracker.
const GREETING_WAIT: Duration = Duration::from_secs(2);
/// A tracker is given this long to start.
const START_WAIT: Duration = Duration::from_secs(5);
/// So many failures in a row are told; it may well be another process that is just starting one.
const FAILURES_TOLD: u32 = 3;
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
const STACK: usize = 128 << 10;

static WATCHED: AtomicBool = AtomicBool::new(false);
/// The socket, or -1: closed in a forked child, or the tracker would think its parent alive.
static CONNECTED: AtomicI32 = AtomicI32::new(-1);

/// How a tracker is started.
pub struct Start {
    /// Whose ledgers it looks after.
    pub home: Home,
    /// The path of `shmkitd`, or why there is none.
    pub program: Result<PathBuf, String>,
    /// Called once, on a thread of its own, when no tracker can be had.
    pub on_trouble: Box<dyn FnOnce(String) + Send>,
}

/// Sees to it that a tracker runs and knows of this process's ledger, from now on. Returns at once. Only the first
/// call asks how to start one; `None` is a process without a tracker.
pub fn ensure(token: Token, start: impl FnOnce() -> Option<Start>) {
    if WATCHED.load(Ordering::Acquire) || WATCHED.swap(true, Ordering::AcqRel) {
        return;
    }
    if let Some(Start { home, program, on_trouble }) = start() {
        let watch = move || Watch { home, token, program, child: None }.run(on_trouble);
        // Where there can be no thread, there is none to call anybody.
        let _ = thread::Builder::new().name("shmkit-tracker".into()).stack_size(STACK).spawn(watch);
    }
}

/// In a forked child: there is no thread that watches, and the socket is the parent's.
pub(crate) fn forget() {
    WATCHED.store(false, Ordering::Release);
    let socket = CONNECTED.swap(-1, Ordering::AcqRel);
    if socket >= 0 {
        // SAFETY: the descriptor was the watching thread's, which does not exist in this process.
        unsafe { libc::close(socket) };
    }
}

struct Watch {
    home: Home,
    token: Token,
    program: Result<PathBuf, String>,
    /// The tracker that this process started.
    child: Option<Child>,
}

impl Watch {
    fn run(mut self, on_trouble: impl FnOnce(String)) {
        let mut on_trouble = Some(on_trouble);
        let mut failures = 0;
        loop {
            let connected = self.connect().or_else(|_| {
                self.start()?;
                self.connect()
            });
            match connected {
                Ok(stream) => {
                    failures = 0;
                    wait_for_end(stream);
                    self.bury();
                    // All processes see it end at once, and one new tracker is enough.
                    sleep(PAUSE.mul_f64(f64::from(self.token.0[0]) / 128.0));
                }
                Err(why) => {
                    failures += 1;
                    if failures >= FAILURES_TOLD
                        && let Some(on_trouble) = on_trouble.take()
                    {
                        on_trouble(why);
                    }
                    sleep(LONGEST_PAUSE.min(PAUSE * 2u32.saturating_pow(failures)));
                }
            }
        }
    }

    /// A socket to a tracker that said so.
    fn connect(&self) -> Result<UnixStream, String> {
        let path = self.home.directory().join(SOCKET);
        let greet = || -> io::Result<UnixStream> {
            let mut stream = UnixStream::connect(&path)?;
            let peer = rustix::net::sockopt::socket_peercred(&stream)?;
            if peer.uid != rustix::process::geteuid() {
                return Err(io::Error::other("it is another user's"));
            }
            stream.set_read_timeout(Some(GREETING_WAIT))?;
            stream.set_write_timeout(Some(GREETING_WAIT))?;
            stream.write_all(&self.token.0)?;
            let mut greeting = [0; GREETING.len()];
            stream.read_exact(&mut greeting)?;
            if greeting != GREETING {
                return Err(io::Error::other("what listens there is no tracker"));
            }
            stream.set_read_timeout(None)?;
            Ok(stream)
        };
        greet().map_err(|error| format!("'{}': {error}", path.display()))
    }

    /// Starts a tracker, and returns when it can be connected to, or another one can.
    fn start(&mut self) -> Result<(), String> {
        self.bury();
        let program = self.program.as_ref().map_err(String::clone)?;
        let (child, said) = spawn(program).map_err(|error| format!("'{}': {error}", program.display()))?;
        if said == READY {
            self.child = Some(child);
            return Ok(());
        }
        let status = finish(child);
        if said.is_empty() && status == Some(0) {
            return Ok(()); // there is one
        }
        Err(format!("'{}' ended with {status:?}: {}", program.display(), said.trim_end()))
    }

    /// Takes the exit code of a tracker of ours that has ended, or is ending, so that no zombie stays.
    fn bury(&mut self) {
        if let Some(mut child) = self.child.take() {
            let until = Instant::now() + Duration::from_secs(3);
            while matches!(child.try_wait(), Ok(None)) {
                if Instant::now() >= until {
                    self.child = Some(child);
                    return;
                }
                sleep(PAUSE);
            }
        }
    }
}

/// Starts it with nothing of this process: no descriptors, no environment. What it says is read to its end, which
/// it makes when it is ready.
fn spawn(program: &Path) -> io::Result<(Child, String)> {
    let mut command = Command::new(program);
    command.arg("tracker").env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let mut said = Vec::new();
    if let Some(mut stdout) = child.stdout.take() {
        let until = Instant::now() + START_WAIT;
        let mut chunk = [0; 256];
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).unwrap_or_default();
            let mut waited = [PollFd::new(&stdout, PollFlags::IN)];
            match poll(&mut waited, Some(&timeout)) {
                Err(rustix::io::Errno::INTR) => continue,
                Ok(count) if count > 0 => {}
                _ => break,
            }
            match stdout.read(&mut chunk)? {
                0 => break,
                count => said.extend_from_slice(&chunk[..count]),
            }
        }
    }
    Ok((child, String::from_utf8_lossy(&said).into_owned()))
}

/// The exit code of a process that has nothing left to do.
fn finish(mut child: Child) -> Option<i32> {
    let until = Instant::now() + START_WAIT;
    while Instant::now() < until {
        if let Ok(Some(status)) = child.try_wait() {
            return status.code();
        }
        sleep(PAUSE);
    }
    let _ = child.kill();
    child.wait().ok()?.code()
}

fn wait_for_end(mut stream: UnixStream) {
    CONNECTED.store(stream.as_raw_fd(), Ordering::Release);
    let mut byte = [0];
    loop {
        match stream.read(&mut byte) {
            Ok(0) => break,
            Err(error) if error.kind() != io::ErrorKind::Interrupted => break,
            _ => {}
        }
    }
    CONNECTED.store(-1, Ordering::Release);
}
