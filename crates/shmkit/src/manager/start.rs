//! Starting a server process, and what the two tell each other.
//!
//! ```text
//! starter                                     shmkitd manager
//!   standard input: a frame with its settings  ──▶
//!                                              ◀──  standard output: a frame with its address, or why there is none
//!   … nothing more; the end of the one says that the starter is gone, the end of the other that the server is
//! ```
//!
//! So the key is in nobody's command line or environment.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::frame::{Frames, frame};
use super::pickle::{self, Value};
use super::{REQUEST_MAX, protocol};
use crate::spawn::{Child, spawn_told};
use crate::{Error, Result};

/// A server is given this long to start.
const START_WAIT: Duration = Duration::from_secs(20);
/// And this long to end, once it has nothing to do any more.
const END_WAIT: Duration = Duration::from_secs(5);

/// Where a server listens. A named pipe, on Windows, will be one more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A path of its own, in the directory of the ledgers.
    Default,
    /// A socket at this path.
    Path(String),
    /// A port of this machine's loopback interface; 0 for one that is free.
    Tcp(String, u16),
}

/// What a server is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where to listen.
    pub address: Address,
    /// What clients have to know.
    pub key: Vec<u8>,
    /// Whether there is to be a tracker, which cleans up when it is killed.
    pub tracked: bool,
}

impl Address {
    fn value(&self) -> Value {
        match self {
            Address::Default => Value::None,
            Address::Path(path) => path.as_str().into(),
            Address::Tcp(host, port) => Value::Tuple(vec![host.as_str().into(), Value::Int((*port).into())]),
        }
    }

    fn from(value: &Value) -> Option<Self> {
        match value {
            Value::None => Some(Address::Default),
            Value::Str(path) => Some(Address::Path(path.to_string())),
            Value::Tuple(parts) => match &parts[..] {
                [Value::Str(host), Value::Int(port)] => {
                    Some(Address::Tcp(host.to_string(), u16::try_from(*port).ok()?))
                }
                _ => None,
            },
            _ => None,
        }
    }
}

/// What the starter says on a server's standard input.
///
/// # Errors
/// `ERR_SHM_PROTOCOL` where that is not it, or nothing.
pub fn settings_from(stdin: &mut impl Read) -> Result<Settings> {
    let mut frames = Frames::default();
    let mut chunk = [0; 1024];
    loop {
        if let Some(message) = frames.next(REQUEST_MAX)? {
            let refuse = || protocol("these are no settings of a manager");
            let Value::Tuple(parts) = pickle::read(message)? else { return Err(refuse()) };
            let [address, Value::Bytes(key), Value::Bool(tracked)] = &parts[..] else { return Err(refuse()) };
            let address = Address::from(address).ok_or_else(refuse)?;
            return Ok(Settings { address, key: key.to_vec(), tracked: *tracked });
        }
        match stdin.read(&mut chunk) {
            Ok(count) if count > 0 => frames.push(&chunk[..count]),
            _ => return Err(protocol("a manager is started by shmkit, which says how")),
        }
    }
}

/// The bytes that tell the starter that the server can be connected to.
pub fn report(address: &Address) -> Vec<u8> {
    frame(&pickle::write(&Value::Tuple(vec![Value::Bool(true), address.value()])))
}

/// The bytes that tell him why it cannot.
pub fn report_failure(error: &Error) -> Vec<u8> {
    let errno = error.errno.map_or(Value::None, |errno| Value::Int(errno.into()));
    let parts = [Value::Bool(false), error.code.into(), errno, error.message.as_str().into()];
    frame(&pickle::write(&Value::Tuple(parts.to_vec())))
}

/// A server that was started by this process, and ends with it, or when this is dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: Address,
    /// Its id.
    pub pid: u32,
    /// The server ends when this does.
    lifeline: Mutex<Option<File>>,
    /// It and no other process that is given its id later; older systems have no such thing.
    process: Option<OwnedFd>,
}

/// What is left to do for somebody who can wait: to see a server end.
#[derive(Debug)]
pub struct Watch {
    child: Child,
    stdout: File,
}

impl Server {
    /// Starts a server, and waits until it can be connected to, which is to be done on a thread that may wait. Another one
    /// is to `Watch::wait` for its end.
    ///
    /// # Errors
    /// `EADDRINUSE`, `EACCES`, `ENOENT`, `ENAMETOOLONG`, … by its address; `ERR_SHM_START` where the program cannot be
    /// started.
    pub fn start(program: &Path, settings: &Settings) -> Result<(Self, Watch)> {
        let failed = |why: &dyn std::fmt::Display| {
            Error::own("ERR_SHM_START", format!("the manager's process '{}' {why}", program.display()))
        };
        let (mut child, lifeline) = spawn_told(program, c"manager")
            .map_err(|error| failed(&format!("cannot be started: {error}")))?;
        let key = Value::Bytes(settings.key.as_slice().into());
        let told = Value::Tuple(vec![settings.address.value(), key, Value::Bool(settings.tracked)]);
        let told = (&lifeline).write_all(&frame(&pickle::write(&told)));
        let reported = match (told, &mut child.stdout) {
            (Ok(()), Some(stdout)) => read_report(stdout),
            _ => None,
        };
        let address = match reported.as_deref().map(parse_report) {
            Some(Ok(address)) => address,
            failure => {
                child.kill();
                return Err(match failure {
                    Some(Err(error)) => error,
                    _ => failed(&"ended, or said nothing for too long, before it was ready"),
                });
            }
        };
        let pid = child.pid();
        let Some(stdout) = child.stdout.take() else { return Err(failed(&"has no output")) };
        let process =
            Pid::from_raw(pid.cast_signed()).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        let lifeline = Mutex::new(Some(lifeline));
        Ok((Server { address, pid, lifeline, process }, Watch { child, stdout }))
    }

    /// Lets it end: it unlinks what it owns, and goes.
    pub fn let_go(&self) {
        self.lifeline.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
    }

    /// Ends it by force, where it does not end by itself.
    pub fn kill(&self) {
        if let Some(process) = &self.process {
            let _ = pidfd_send_signal(process, Signal::KILL);
        }
    }
}

impl Watch {
    /// Returns when the server has ended, however that came, and gives its exit code; `None` for a signal.
    pub fn wait(self) -> Option<i32> {
        let Watch { mut child, mut stdout } = self;
        let mut byte = [0];
        // It says nothing more.
        while matches!(stdout.read(&mut byte), Ok(1..)) {}
        let until = Instant::now() + END_WAIT;
        let mut pause = Duration::from_micros(50);
        loop {
            match child.try_wait() {
                Ok(Some(code)) => return code,
                Ok(None) if Instant::now() < until => sleep(pause),
                // Somebody else waited for it.
                Err(_) => return None,
                Ok(None) => {
                    child.kill();
                    return None;
                }
            }
            pause = (2 * pause).min(Duration::from_millis(10));
        }
    }
}

/// `None` where none came.
fn read_report(stdout: &mut File) -> Option<Vec<u8>> {
    let until = Instant::now() + START_WAIT;
    let mut frames = Frames::default();
    let mut chunk = [0; 1024];
    loop {
        if let Some(message) = frames.next(REQUEST_MAX).ok()? {
            return Some(message.to_vec());
        }
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).unwrap_or_default();
        match poll(&mut [PollFd::new(stdout, PollFlags::IN)], Some(&timeout)) {
            Err(Errno::INTR) => continue,
            Ok(count) if count > 0 => {}
            _ => return None,
        }
        match stdout.read(&mut chunk) {
            Ok(count) if count > 0 => frames.push(&chunk[..count]),
            _ => return None,
        }
    }
}

fn parse_report(report: &[u8]) -> Result<Address> {
    let refuse = || protocol("the manager's process said something else than its address");
    let Value::Tuple(parts) = pickle::read(report)? else { return Err(refuse()) };
    match &parts[..] {
        [Value::Bool(true), address] => Address::from(address).ok_or_else(refuse),
        [Value::Bool(false), Value::Str(code), Value::Int(errno), Value::Str(message)] => {
            let errno = i32::try_from(*errno).map_err(|_| refuse())?;
            let known = code_of(code);
            Err(Error { errno: Some(errno), syscall: Some("listen"), ..Error::own(known, &**message) })
        }
        [Value::Bool(false), Value::Str(code), Value::None, Value::Str(message)] => {
            Err(Error::own(code_of(code), &**message))
        }
        _ => Err(refuse()),
    }
}

/// Codes are known beforehand, each of them.
fn code_of(code: &str) -> &'static str {
    const CODES: [&str; 22] = [
        "EACCES",
        "EADDRINUSE",
        "EADDRNOTAVAIL",
        "EDQUOT",
        "EEXIST",
        "EINVAL",
        "EIO",
        "EISDIR",
        "ELOOP",
        "EMFILE",
        "ENAMETOOLONG",
        "ENFILE",
        "ENOENT",
        "ENOMEM",
        "ENOSPC",
        "ENOTDIR",
        "EPERM",
        "EROFS",
        "ERR_INVALID_ARG_VALUE",
        "ERR_SHM_BUSY",
        "ERR_SHM_PROTOCOL",
        "ERR_SHM_UNSAFE_LEDGERS",
    ];
    CODES.into_iter().find(|known| *known == code).unwrap_or("EUNKNOWN")
}
