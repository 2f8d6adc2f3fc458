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
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;

use crate::ledger::{Home, Token, reap};

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
const START_WAIT: Duration = Duration::from_secs(20);
/// So many failures in a row are told; it may well be another process that is just starting one.
const FAILURES_TOLD: u32 = 3;
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// For the ledgers' lock, off every event loop.
const PATIENCE: Duration = Duration::from_secs(2);
const STACK: usize = 128 << 10;

static WATCHED: AtomicBool = AtomicBool::new(false);
/// The socket, or -1: closed in a forked child, or the tracker would think its parent alive.
static CONNECTED: AtomicI32 = AtomicI32::new(-1);

/// How a tracker is started.
pub struct Start {
    /// The path of `shmkitd`, or why there is none.
    pub program: Result<PathBuf, String>,
    /// Called once, on a thread of its own, when no tracker can be had.
    pub on_trouble: Box<dyn FnOnce(String) + Send>,
}

/// Sees to it that a tracker runs and knows of this process's ledger, from now on. Returns at once. Only the first
/// call asks how to start one; `None` is a process without a tracker, which looks at the ledgers once itself.
pub fn ensure(home: &Home, token: Token, start: impl FnOnce() -> Option<Start>) {
    if WATCHED.load(Ordering::Acquire) || WATCHED.swap(true, Ordering::AcqRel) {
        return;
    }
    let home = home.clone();
    let watch: Box<dyn FnOnce() + Send> = match start() {
        Some(Start { program, on_trouble }) => {
            // Here and now, although it takes part of a millisecond: were this process killed before its thread gets
            // to it, there would be nobody to clean up.
            let launched = (!is_running(&home)).then(|| launch(&program));
            Box::new(move || Watch { home, token, program, launched, child: None }.run(on_trouble))
        }
        None => Box::new(move || drop(reap(&home, PATIENCE))),
    };
    // Where there can be no thread, there is none to tell anybody.
    let _ = thread::Builder::new().name("shmkit-tracker".into()).stack_size(STACK).spawn(watch);
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

/// Whether there is a tracker, which looks at all ledgers now and then, also at those of processes that are not
/// connected yet. Whoever asks has a ledger already, so that the tracker does not go.
fn is_running(home: &Home) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(lock) = rustix::fs::open(home.directory().join(LOCK), flags, Mode::empty()) else { return false };
    // For a moment this may keep a tracker from starting that somebody else started; then ours will.
    flock(&lock, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK)
}

struct Watch {
    home: Home,
    token: Token,
    program: Result<PathBuf, String>,
    /// A tracker that was started and has not said yet how that went.
    launched: Option<Result<Child, String>>,
    /// The tracker that this process started.
    child: Option<Child>,
}

impl Watch {
    fn run(mut self, on_trouble: impl FnOnce(String)) {
        let mut on_trouble = Some(on_trouble);
        let mut failures = 0;
        loop {
            match self.start_and_connect() {
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
                    if failures >= FAILURES_TOLD {
                        // What the tracker would do, now and then.
                        let _ = reap(&self.home, PATIENCE);
                    }
                    sleep(LONGEST_PAUSE.min(PAUSE * 2u32.saturating_pow(failures)));
                }
            }
        }
    }

    fn start_and_connect(&mut self) -> Result<UnixStream, String> {
        if self.launched.is_none() {
            if let Ok(stream) = self.connect() {
                return Ok(stream);
            }
            self.bury();
            self.launched = Some(launch(&self.program));
        }
        if let Some(launched) = self.launched.take() {
            self.child = await_ready(launched?).map_err(|why| match &self.program {
                Ok(program) => format!("'{}' {why}", program.display()),
                Err(_) => why,
            })?;
        }
        self.connect()
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

/// Starts it with nothing of this process: no descriptors, no environment.
fn launch(program: &Result<PathBuf, String>) -> Result<Child, String> {
    let program = program.as_ref().map_err(String::clone)?;
    let mut command = Command::new(program);
    command.arg("tracker").env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().map_err(|error| format!("'{}': {error}", program.display()))
}

/// Returns when the tracker can be connected to; `None` where it ended because there is another one.
fn await_ready(mut child: Child) -> Result<Option<Child>, String> {
    let said = child.stdout.take().map(last_words).unwrap_or_default();
    if said == READY {
        return Ok(Some(child));
    }
    let status = finish(child);
    if said.is_empty() && status == Some(0) {
        return Ok(None);
    }
    let code = status.map_or_else(|| "a signal".into(), |code| format!("code {code}"));
    Err(format!("ended with {code}: {}", said.trim_end()))
}

/// What it says until it lets go of its standard output, which it does when it is ready.
fn last_words(mut stdout: ChildStdout) -> String {
    let until = Instant::now() + START_WAIT;
    let mut said = Vec::new();
    let mut chunk = [0; 256];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).unwrap_or_default();
        let mut waited = [PollFd::new(&stdout, PollFlags::IN)];
        match poll(&mut waited, Some(&timeout)) {
            Err(Errno::INTR) => continue,
            Ok(count) if count > 0 => {}
            _ => break,
        }
        match stdout.read(&mut chunk) {
            Ok(count) if count > 0 => said.extend_from_slice(&chunk[..count]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&said).into_owned()
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
