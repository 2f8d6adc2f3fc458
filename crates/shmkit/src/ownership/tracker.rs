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
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use crate::ownership::{LOCK_TIMEOUT, LedgerDirectory, Token, reap};
use crate::sys::descriptors::{AsRawFd, IntoRawFd};
use crate::sys::file::File;
use crate::sys::fork::Descriptor;
use crate::sys::socket::LocalStream;
use crate::sys::spawn::{Child, spawn};
use crate::sys::{Errno, file, poll, socket};

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
/// A tracker that ends sooner than this counts as a failure to have one.
const SHORT_LIFE: Duration = Duration::from_secs(1);
const STACK: usize = 128 << 10;

/// Half of the token of the ledger that is watched, or 0.
static WATCHED: AtomicU64 = AtomicU64::new(0);
/// The socket: in a forked child it is closed, or the tracker would think its parent alive.
static CONNECTED: Descriptor = Descriptor::new();

/// How a tracker is started.
pub struct Start {
    /// The path of `shmkitd`, or why there is none.
    pub program: Result<PathBuf, String>,
    /// Called once, on a thread of its own, when no tracker can be had.
    pub on_trouble: Box<dyn FnOnce(String) + Send>,
}

/// Sees to it that a tracker runs and knows of this process's ledger, from now on. Does not wait. Only the first call
/// for a ledger asks how to start one; `None` is a process without a tracker, which looks at the ledgers once itself.
pub fn ensure(ledgers: &LedgerDirectory, token: Token, start: impl FnOnce() -> Option<Start>) {
    let watched = u64::from_ne_bytes(std::array::from_fn(|i| token.as_bytes()[i])) | 1;
    if WATCHED.load(Ordering::Acquire) == watched || WATCHED.swap(watched, Ordering::AcqRel) == watched {
        return;
    }
    let ledgers = ledgers.clone();
    let watch: Box<dyn FnOnce() + Send> = match start() {
        Some(Start { program, on_trouble }) => {
            let mut watch = Watch { ledgers, token, program, next: Next::Connect, child: None };
            // Here and now, although it takes part of a millisecond: were this process killed before its thread gets
            // to it, there would be nobody to clean up. A tracker that is there looks at all ledgers now and then,
            // and does not go while there is ours.
            watch.next = match watch.connect_socket() {
                Ok(stream) => Next::ReadGreeting(stream),
                Err(_) => Next::Await(launch(&watch.program)),
            };
            Box::new(move || watch.run(on_trouble))
        }
        None => Box::new(move || drop(reap(&ledgers, LOCK_TIMEOUT))),
    };
    // Where there can be no thread, there is none to tell anybody.
    let _ = thread::Builder::new().name("shmkit-tracker".into()).stack_size(STACK).spawn(watch);
}

/// In a forked child: there is no thread that watches, and the socket is the parent's.
pub(crate) fn forget() {
    WATCHED.store(0, Ordering::Release);
    CONNECTED.close();
}

struct Watch {
    ledgers: LedgerDirectory,
    token: Token,
    program: Result<PathBuf, String>,
    next: Next,
    /// The tracker that this process started.
    child: Option<Child>,
}

/// The next step to a tracker.
enum Next {
    Connect,
    ReadGreeting(LocalStream),
    /// A tracker was started, and has not said yet how that went.
    Await(Result<Child, String>),
}

impl Watch {
    fn run(mut self, on_trouble: impl FnOnce(String)) {
        let mut on_trouble = Some(on_trouble);
        let mut failures = 0;
        loop {
            let trouble = match self.connect() {
                Ok(stream) => {
                    let since = Instant::now();
                    wait_for_end(stream);
                    self.wait_for_child();
                    if since.elapsed() >= SHORT_LIFE {
                        failures = 0;
                    }
                    None
                }
                Err(why) => Some(why),
            };
            failures += 1;
            if failures > FAILURES_TOLD {
                if let Some((why, on_trouble)) = trouble.and_then(|why| Some((why, on_trouble.take()?))) {
                    on_trouble(why);
                }
                // What the tracker would do, now and then.
                let _ = reap(&self.ledgers, LOCK_TIMEOUT);
            }
            sleep(self.pause(failures));
        }
    }

    /// At first all processes see the tracker end at once, and one new tracker is enough.
    fn pause(&self, failures: u32) -> Duration {
        let jitter = PAUSE.mul_f64(1.0 + f64::from(self.token.as_bytes()[15]) / 256.0);
        LONGEST_PAUSE.min(jitter * 2u32.saturating_pow(failures - 1))
    }

    fn connect(&mut self) -> Result<LocalStream, String> {
        match std::mem::replace(&mut self.next, Next::Connect) {
            Next::ReadGreeting(stream) => self.read_greeting(stream),
            Next::Await(launched) => self.await_started(launched),
            Next::Connect => match self.connect_socket().and_then(|stream| self.read_greeting(stream)) {
                Ok(stream) => Ok(stream),
                Err(_) => {
                    self.wait_for_child();
                    let launched = launch(&self.program);
                    self.await_started(launched)
                }
            },
        }
    }

    fn await_started(&mut self, launched: Result<Child, String>) -> Result<LocalStream, String> {
        self.child = await_ready(launched?).map_err(|why| match &self.program {
            Ok(program) => format!("'{}' {why}", program.display()),
            Err(_) => why,
        })?;
        self.connect_socket().and_then(|stream| self.read_greeting(stream))
    }

    fn socket(&self) -> PathBuf {
        self.ledgers.path().join(SOCKET)
    }

    /// A socket to what listens in the tracker's place, our token sent. Does not wait.
    fn connect_socket(&self) -> Result<LocalStream, String> {
        let path = self.socket();
        let call = || -> io::Result<LocalStream> {
            let mut stream = LocalStream::from(socket::connect(&path)?);
            CONNECTED.set(stream.as_raw_fd(), inode(&stream));
            stream.write_all(self.token.as_bytes())?;
            Ok(stream)
        };
        call().map_err(|error| format!("'{}': {error}", path.display()))
    }

    /// The same socket, if a tracker is at the other end.
    fn read_greeting(&self, mut stream: LocalStream) -> Result<LocalStream, String> {
        let mut read_greeting = || -> io::Result<()> {
            if socket::peer_user(&stream)? != self.ledgers.uid() {
                return Err(io::Error::other("it is another user's"));
            }
            stream.set_nonblocking(false)?;
            stream.set_read_timeout(Some(GREETING_WAIT))?;
            let mut greeting = [0; GREETING.len()];
            stream.read_exact(&mut greeting)?;
            if greeting != GREETING {
                return Err(io::Error::other("what listens there is no tracker"));
            }
            stream.set_read_timeout(None)
        };
        match read_greeting() {
            Ok(()) => Ok(stream),
            Err(error) => Err(format!("'{}': {error}", self.socket().display())),
        }
    }

    /// Takes the exit code of a tracker of ours that has ended, or is ending, so that no zombie stays.
    fn wait_for_child(&mut self) {
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

fn launch(program: &Result<PathBuf, String>) -> Result<Child, String> {
    let program = program.as_ref().map_err(String::clone)?;
    spawn(program, c"tracker").map_err(|error| format!("'{}': {error}", program.display()))
}

/// Returns when the tracker can be connected to; `None` if it ended because there is another one.
fn await_ready(mut child: Child) -> Result<Option<Child>, String> {
    let said = child.stdout.take().map(read_output).unwrap_or_default();
    if said == READY {
        return Ok(Some(child));
    }
    let status = finish(child);
    if said.is_empty() && status == Some(0) {
        return Ok(None);
    }
    let code = status.map_or_else(|| "a signal".into(), |code| format!("code {code}"));
    let said = if said.is_empty() { "without a word".into() } else { said };
    Err(format!("ended with {code}, {}", said.trim_end()))
}

/// What it says until it lets go of its standard output, which it does when it is ready.
fn read_output(mut stdout: File) -> String {
    let until = Instant::now() + START_WAIT;
    let mut said = Vec::new();
    let mut chunk = [0; 256];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match poll::wait_readable(&stdout, left) {
            Err(Errno::INTR) => continue,
            Ok(true) => {}
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
        match child.try_wait() {
            Ok(Some(code)) => return code,
            Ok(None) => sleep(PAUSE),
            Err(_) => return None, // somebody else waited for it
        }
    }
    child.kill();
    None
}

/// Returns when there is no tracker any more at the other end.
fn wait_for_end(mut stream: LocalStream) {
    let own = inode(&stream);
    let mut byte = [0];
    loop {
        match stream.read(&mut byte) {
            Ok(0) => break,
            Err(error) if error.kind() != io::ErrorKind::Interrupted => break,
            _ => {}
        }
    }
    CONNECTED.set(-1, 0);
    if inode(&stream) != own {
        // Somebody closed it who should not have, and the number is another file's by now.
        let _ = stream.into_raw_fd();
    }
}

fn inode(stream: &LocalStream) -> u64 {
    file::stat(stream).map_or(0, |stat| stat.id.inode)
}
