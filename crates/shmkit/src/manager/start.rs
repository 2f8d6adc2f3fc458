//! Starting a server process, and what the two tell each other.
//!
//! ```text
//! starter                                     shmkitd manager
//!   makes its ledger, and its socket
//!   descriptor 0: a frame with its instructions
//!   descriptor 3: the socket, 4: the ledger    ──▶
//!   … goes on; who connects waits               …  starts
//!                                              ◀──  descriptor 1: a frame that says that it did, or why not
//!   … nothing more; the end of the socket says that the other one is gone
//! ```
//!
//! So the key is in no command line or environment. At every moment one of the two has the ledger open; when both are dead,
//! others find that nobody listens at the socket.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::frame::{Frames, frame};
use super::listener::{Address, Listener, SocketFile};
use super::pickle::{self, Value};
use super::{REQUEST_MAX, protocol};
use crate::ownership::{LOCK_TIMEOUT, LedgerDirectory, PreparedLedger, Token};
use crate::sys::descriptors::AsFd;
use crate::sys::file::{path_from_bytes, path_to_bytes};
use crate::sys::process::Killable;
use crate::sys::socket::{LocalStream, end_sending};
use crate::sys::spawn::{Child, spawn_with_socket};
use crate::sys::{Errno, poll};
use crate::{Error, Result};

/// A server is given this long to start.
const START_WAIT: Duration = Duration::from_secs(20);
/// And this long to end, once it has nothing to do any more.
const END_WAIT: Duration = Duration::from_secs(5);

/// What a manager is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where to listen.
    pub address: Address,
    /// What clients have to know.
    pub key: Vec<u8>,
    /// Whether there is to be a tracker, which cleans up when it is killed.
    pub tracked: bool,
}

/// What a starter tells its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instructions {
    /// The file of its socket; `None` for a port.
    pub file: Option<SocketFile>,
    /// What names its ledger.
    pub token: Token,
    /// What clients have to know.
    pub key: Vec<u8>,
    /// Whether there is to be a tracker.
    pub tracked: bool,
}

impl Instructions {
    /// The bytes that a starter sends.
    pub fn message(&self) -> Vec<u8> {
        let file = self.file.as_ref().map_or(Value::None, |file| {
            let path = Value::Bytes(path_to_bytes(&file.path).into());
            Value::Tuple(vec![path, Value::Int(file.inode.cast_signed())])
        });
        let token = Value::Bytes(self.token.as_bytes()[..].into());
        let key = Value::Bytes(self.key.as_slice().into());
        frame(&pickle::write(&Value::Tuple(vec![file, token, key, Value::Bool(self.tracked)])))
    }

    /// What the starter said on a server's standard input.
    ///
    /// # Errors
    /// `ERR_SHM_PROTOCOL` if that is not it, or nothing.
    pub fn read(stdin: &mut impl Read) -> Result<Self> {
        let mut frames = Frames::default();
        let mut chunk = [0; 1024];
        loop {
            if let Some(message) = frames.next(REQUEST_MAX)? {
                let refuse = || protocol("these are no instructions of a manager's");
                return Self::from(&pickle::read(message)?).ok_or_else(refuse);
            }
            match stdin.read(&mut chunk) {
                Ok(count) if count > 0 => frames.push(&chunk[..count]),
                _ => return Err(protocol("a manager is started by shmkit, which says how")),
            }
        }
    }

    fn from(value: &Value) -> Option<Self> {
        let Value::Tuple(parts) = value else { return None };
        let [file, Value::Bytes(token), Value::Bytes(key), Value::Bool(tracked)] = &parts[..] else {
            return None;
        };
        let file = match file {
            Value::None => None,
            Value::Tuple(parts) => match &parts[..] {
                [Value::Bytes(path), Value::Int(inode)] => {
                    let path = path_from_bytes(path.to_vec());
                    Some(SocketFile { path, inode: inode.cast_unsigned() })
                }
                _ => return None,
            },
            _ => return None,
        };
        let token = Token::from_bytes(token[..].try_into().ok()?);
        Some(Instructions { file, token, key: key.to_vec(), tracked: *tracked })
    }
}

/// The message to the starter that the server serves.
pub fn started_message() -> Vec<u8> {
    frame(&pickle::write(&Value::Bool(true)))
}

/// The message to the starter with the reason why it cannot.
pub fn failure_message(error: &Error) -> Vec<u8> {
    let errno = error.errno.map_or(Value::None, |errno| Value::Int(errno.into()));
    frame(&pickle::write(&Value::Tuple(vec![error.code.into(), errno, error.message.as_str().into()])))
}

/// A server that was started by this process, and ends with it, or when this is dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: Address,
    /// Its id.
    pub pid: u32,
    /// The server ends when this does.
    socket: Arc<LocalStream>,
    /// It and no other process that is given its id later; older systems have no such thing.
    process: Option<Killable>,
}

/// What is left to do for somebody who can wait: to see a server start, and end.
#[derive(Debug)]
pub struct Watch {
    program: PathBuf,
    /// Until somebody has waited for it.
    child: Option<Child>,
    socket: Arc<LocalStream>,
    endpoint: Endpoint,
}

/// The ledger and the socket of a server.
#[derive(Debug)]
struct Endpoint {
    ledgers: LedgerDirectory,
    token: Token,
    file: Option<SocketFile>,
}

impl Endpoint {
    /// Starts a server there.
    fn open(
        &mut self,
        ledger: &PreparedLedger,
        program: &Path,
        settings: &Settings,
        timeout: Duration,
    ) -> Result<(Address, Child, LocalStream)> {
        let (listener, address) = Listener::bind(&settings.address, &self.ledgers, self.token, timeout)?;
        self.file = listener.file().cloned();
        let Settings { key, tracked, .. } = settings.clone();
        let instructions =
            Instructions { file: self.file.clone(), token: self.token, key, tracked }.message();
        let (child, socket) =
            spawn_with_socket(program, c"manager", &instructions, &[listener.as_fd(), ledger.as_fd()])
                .map_err(|error| failed(program, &format!("cannot be started: {error}")))?;
        Ok((address, child, socket))
    }

    /// Removes them. The server has not served a client, so it owns nothing.
    fn give_up(&self, timeout: Duration) {
        if let Some(file) = &self.file {
            file.remove();
        }
        self.ledgers.forget(self.token, timeout);
    }
}

impl Server {
    /// Starts a server, to which one can connect from now on: it lets them in once it serves. Whether it comes to that, and
    /// when it ends, is for a thread that may wait to see, by what else is returned.
    ///
    /// # Errors
    /// `EADDRINUSE`, `EACCES`, `ENOENT`, `ENAMETOOLONG`, … by its address; `ERR_SHM_START` if the program cannot be
    /// started; `ERR_SHM_BUSY` if something would have to be waited for longer than `timeout`.
    pub fn start(program: &Path, settings: &Settings, timeout: Duration) -> Result<(Self, Watch)> {
        let ledgers = LedgerDirectory::default();
        let ledger = PreparedLedger::new(&ledgers, timeout)?;
        let mut endpoint = Endpoint { ledgers, token: ledger.token(), file: None };
        let opened = endpoint.open(&ledger, program, settings, timeout);
        let (address, child, socket) = opened.inspect_err(|_| endpoint.give_up(timeout))?;
        let (pid, socket) = (child.pid(), Arc::new(socket));
        let server = Server { address, pid, socket: Arc::clone(&socket), process: Killable::new(pid) };
        Ok((server, Watch { program: program.to_owned(), child: Some(child), socket, endpoint }))
    }

    /// Asks the server to end. It unlinks what it owns first.
    pub fn shut_down(&self) {
        let _ = end_sending(&self.socket);
    }

    /// Ends it by force, where it does not end by itself.
    pub fn kill(&self) {
        if let Some(process) = &self.process {
            process.kill();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shut_down();
    }
}

impl Watch {
    /// Returns when the server serves.
    ///
    /// # Errors
    /// `ERR_SHM_START`, or what it says itself: then it is gone, and what was made for it.
    pub fn started(&mut self) -> Result<()> {
        let started = match read_start_message(&self.socket).as_deref().map(parse_start_message) {
            Some(started) => started,
            None => Err(failed(&self.program, "ended, or said nothing for too long, before it was ready")),
        };
        started.inspect_err(|_| self.give_up())
    }

    /// Returns when the server has ended, however that came, and gives its exit code; `None` for a signal.
    pub fn wait(mut self) -> Option<i32> {
        let mut byte = [0];
        // It says nothing more.
        while match (&*self.socket).read(&mut byte) {
            Ok(count) => count > 0,
            Err(error) => error.kind() == io::ErrorKind::Interrupted,
        } {}
        let until = Instant::now() + END_WAIT;
        let mut pause = Duration::from_micros(50);
        let mut child = self.child.take()?;
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

    fn give_up(&mut self) {
        if let Some(child) = self.child.take() {
            child.kill();
            self.endpoint.give_up(LOCK_TIMEOUT);
        }
    }
}

impl Drop for Watch {
    /// Where nobody waits for it, it must not run.
    fn drop(&mut self) {
        self.give_up();
    }
}

fn failed(program: &Path, why: &str) -> Error {
    Error::own("ERR_SHM_START", format!("the manager's process '{}' {why}", program.display()))
}

/// `None` if none came.
fn read_start_message(mut socket: &LocalStream) -> Option<Vec<u8>> {
    let until = Instant::now() + START_WAIT;
    let mut frames = Frames::default();
    let mut chunk = [0; 1024];
    loop {
        if let Some(message) = frames.next(REQUEST_MAX).ok()? {
            return Some(message.to_vec());
        }
        let left = until.saturating_duration_since(Instant::now());
        match poll::wait_readable(socket, left) {
            Err(Errno::INTR) => continue,
            Ok(true) => {}
            _ => return None,
        }
        match socket.read(&mut chunk) {
            Ok(count) if count > 0 => frames.push(&chunk[..count]),
            _ => return None,
        }
    }
}

fn parse_start_message(message: &[u8]) -> Result<()> {
    let refuse = || protocol("the manager's process said something else than how it started");
    let parts = match pickle::read(message)? {
        Value::Bool(true) => return Ok(()),
        Value::Tuple(parts) => parts,
        _ => return Err(refuse()),
    };
    match &parts[..] {
        [Value::Str(code), Value::Int(errno), Value::Str(message)] => {
            let errno = i32::try_from(*errno).map_err(|_| refuse())?;
            Err(Error { errno: Some(errno), syscall: Some("start"), ..Error::own(code_of(code), &**message) })
        }
        [Value::Str(code), Value::None, Value::Str(message)] => Err(Error::own(code_of(code), &**message)),
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
